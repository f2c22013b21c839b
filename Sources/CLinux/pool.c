#define _GNU_SOURCE
#include "swiftlet_pool.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

// Looks at a flag before sleeping. Inside begin … end: about 300 µs, longer than what runs on one thread between
// two jobs should take. Outside: about 20 µs, for a run that follows at once. Where threads share a processor, the one
// that is waited for needs it.
enum { spins_inside = 10000, spins_outside = 700, spins_shared = 100 };

// Flag of a job that threads may enter; the caller takes it away before it waits for those inside.
#define OPEN 0x80000000u

typedef struct {
    _Alignas(64) swiftlet_pool *pool;
    pthread_t thread;
    int32_t number;
    // Parts of the job that the thread owns and nobody took yet: the first in the lower half, the end in the upper.
    _Atomic uint64_t untaken;
} member;

struct swiftlet_pool {
    int32_t threads;
    int32_t longest_wait;
    member *members;
    // The job: written while it is closed, read by threads that entered it.
    swiftlet_pool_function function;
    void *context;
    int32_t parts;
    int stopping;
    // Number of the job in the upper half; OPEN and the number of threads that entered in the lower.
    _Alignas(64) _Atomic uint64_t job;
    _Atomic int32_t expects_jobs;
    // Grows when sleepers are to wait busily again.
    _Atomic uint32_t alarms;
    _Atomic int32_t sleepers;
    _Atomic int32_t caller_sleeps;
    // Threads that left the job.
    _Alignas(64) _Atomic uint32_t finished;
    pthread_mutex_t mutex;
    pthread_cond_t work;
    pthread_cond_t done;
};

static inline void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || (defined(__ARM_ARCH) && __ARM_ARCH >= 7)
    __asm__ volatile("yield");
#endif
}

static inline uint32_t number_of(uint64_t job) { return (uint32_t)(job >> 32); }

// Waits busily for a job after number `seen`; 0 after the longest wait.
static uint64_t watch_for_job(swiftlet_pool *pool, uint32_t seen) {
    int outside = 0;
    for (int i = 0; i < pool->longest_wait && outside < spins_outside; i++) {
        const uint64_t job = atomic_load_explicit(&pool->job, memory_order_acquire);
        if (number_of(job) != seen) return job;
        if (!atomic_load_explicit(&pool->expects_jobs, memory_order_relaxed)) outside++;
        pause_briefly();
    }
    return 0;
}

// The first job after number `seen`.
static uint64_t await_job(swiftlet_pool *pool, uint32_t seen) {
    for (;;) {
        uint32_t alarms = atomic_load(&pool->alarms);
        uint64_t job = watch_for_job(pool, seen);
        if (job) return job;
        pthread_mutex_lock(&pool->mutex);
        atomic_fetch_add(&pool->sleepers, 1);
        while (number_of(job = atomic_load(&pool->job)) == seen && atomic_load(&pool->alarms) == alarms)
            pthread_cond_wait(&pool->work, &pool->mutex);
        atomic_fetch_sub(&pool->sleepers, 1);
        pthread_mutex_unlock(&pool->mutex);
        if (number_of(job) != seen) return job;
    }
}

static inline uint64_t range_of_parts(uint32_t first, uint32_t end) { return (uint64_t)end << 32 | first; }

// Takes a part of `owner`, its first or its last; -1 where none is left.
static int32_t take_part(member *owner, int takes_first) {
    uint64_t untaken = atomic_load_explicit(&owner->untaken, memory_order_relaxed);
    for (;;) {
        const uint32_t first = (uint32_t)untaken, end = (uint32_t)(untaken >> 32);
        if (first == end) return -1;
        const uint64_t rest = takes_first ? range_of_parts(first + 1, end) : range_of_parts(first, end - 1);
        if (atomic_compare_exchange_weak_explicit(
                &owner->untaken, &untaken, rest, memory_order_relaxed, memory_order_relaxed))
            return (int32_t)(takes_first ? first : end - 1);
    }
}

// Runs parts until none is left: the thread's own, then what others did not come to.
static void run_parts(swiftlet_pool *pool, int32_t thread) {
    int32_t part, previous = -1;
    for (int32_t i = 0; i < pool->threads; i++) {
        member *owner = &pool->members[(thread + i) % pool->threads];
        while ((part = take_part(owner, i == 0)) >= 0) {
            pool->function(pool->context, part, pool->parts, thread, previous);
            previous = part;
        }
    }
}

static void *work(void *argument) {
    member *self = argument;
    swiftlet_pool *pool = self->pool;
    uint32_t seen = 0;
    for (;;) {
        uint64_t job = await_job(pool, seen);
        seen = number_of(job);
        while ((job & OPEN) && number_of(job) == seen && !atomic_compare_exchange_weak(&pool->job, &job, job + 1)) {}
        // Done without this thread, and perhaps another begun since.
        if (!(job & OPEN) || number_of(job) != seen) continue;
        if (pool->stopping) return NULL;
        run_parts(pool, self->number);
        atomic_fetch_add(&pool->finished, 1);
        if (atomic_load(&pool->caller_sleeps)) {
            pthread_mutex_lock(&pool->mutex);
            pthread_cond_signal(&pool->done);
            pthread_mutex_unlock(&pool->mutex);
        }
    }
}

static void wake_sleepers(swiftlet_pool *pool) {
    if (atomic_load(&pool->sleepers) == 0) return;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
}

// Opens a job under the next number; numbers begin at 1 and jump over 0.
static void open_job(swiftlet_pool *pool) {
    uint32_t number = number_of(atomic_load_explicit(&pool->job, memory_order_relaxed)) + 1;
    if (number == 0) number = 1;
    atomic_store(&pool->job, (uint64_t)number << 32 | OPEN);
    wake_sleepers(pool);
}

static void free_pool(swiftlet_pool *pool) {
    free(pool->members);
    free(pool);
}

swiftlet_pool *swiftlet_pool_create(int32_t threads, int32_t *error) {
    *error = EINVAL;
    if (threads < 1) return NULL;
    *error = ENOMEM;
    swiftlet_pool *pool = aligned_alloc(64, sizeof *pool);
    if (!pool) return NULL;
    memset(pool, 0, sizeof *pool);
    pool->members = aligned_alloc(64, (size_t)threads * sizeof *pool->members);
    if (!pool->members) {
        free_pool(pool);
        return NULL;
    }
    memset(pool->members, 0, (size_t)threads * sizeof *pool->members);
    pool->threads = 1;
    pool->longest_wait = threads <= swiftlet_available_cpus() ? spins_inside : spins_shared;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->done, NULL);

    // Signals are the main thread's business.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 1 << 20);
    int result = 0;
    while (pool->threads < threads && result == 0) {
        member *next = &pool->members[pool->threads];
        next->pool = pool;
        next->number = pool->threads;
        result = pthread_create(&next->thread, &attributes, work, next);
        if (result == 0) pool->threads++;
    }
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    *error = result;
    if (result != 0) {
        swiftlet_pool_destroy(pool);
        return NULL;
    }
    return pool;
}

void swiftlet_pool_begin(swiftlet_pool *pool) {
    atomic_store(&pool->expects_jobs, 1);
    atomic_fetch_add(&pool->alarms, 1);
    wake_sleepers(pool);
}

void swiftlet_pool_end(swiftlet_pool *pool) { atomic_store(&pool->expects_jobs, 0); }

// Waits until as many threads left the job as entered it.
static void await_finished(swiftlet_pool *pool, uint32_t entered) {
    for (int i = 0; i < pool->longest_wait; i++) {
        if (atomic_load_explicit(&pool->finished, memory_order_acquire) == entered) return;
        pause_briefly();
    }
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->caller_sleeps, 1);
    while (atomic_load(&pool->finished) != entered) pthread_cond_wait(&pool->done, &pool->mutex);
    atomic_store(&pool->caller_sleeps, 0);
    pthread_mutex_unlock(&pool->mutex);
}

void swiftlet_pool_run(swiftlet_pool *pool, int32_t parts, swiftlet_pool_function function, void *context) {
    if (parts <= 1) {
        function(context, 0, 1, 0, -1);
        return;
    }
    pool->function = function;
    pool->context = context;
    pool->parts = parts;
    const int64_t owners = parts < pool->threads ? parts : pool->threads;
    for (int64_t i = 0; i < owners; i++) {
        const uint64_t own = range_of_parts((uint32_t)(parts * i / owners), (uint32_t)(parts * (i + 1) / owners));
        atomic_store_explicit(&pool->members[i].untaken, own, memory_order_relaxed);
    }
    atomic_store_explicit(&pool->finished, 0, memory_order_relaxed);
    open_job(pool);
    run_parts(pool, 0);
    const uint64_t closed = atomic_fetch_and(&pool->job, ~(uint64_t)OPEN);
    await_finished(pool, (uint32_t)closed & ~OPEN);
}

void swiftlet_pool_destroy(swiftlet_pool *pool) {
    pool->stopping = 1;
    open_job(pool);
    for (int32_t i = 1; i < pool->threads; i++) pthread_join(pool->members[i].thread, NULL);
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->mutex);
    free_pool(pool);
}

int32_t swiftlet_available_cpus(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int count = CPU_COUNT(&set);
    return count < 1 ? 1 : count;
}

int32_t swiftlet_bind_to_cpus(const int32_t *cpus, int32_t count) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int32_t i = 0; i < count; i++) {
        if (cpus[i] < 0 || cpus[i] >= CPU_SETSIZE) return EINVAL;
        CPU_SET(cpus[i], &set);
    }
    return sched_setaffinity(0, sizeof set, &set) == 0 ? 0 : errno;
}
