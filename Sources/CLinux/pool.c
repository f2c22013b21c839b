#define _GNU_SOURCE
#include "swiftlet_pool.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

// Looks at a flag before sleeping: about 20 µs, longer than the gap between two layers.
enum { spins = 1000 };

typedef struct {
    swiftlet_pool *pool;
    pthread_t thread;
    int32_t part;
} worker;

struct swiftlet_pool {
    int32_t threads;
    worker *workers;
    // The job; written before `generation` grows, read after.
    swiftlet_pool_function function;
    void *context;
    int32_t parts;
    _Atomic uint32_t generation;
    _Atomic int32_t unfinished;
    _Atomic int32_t sleepers;
    _Atomic int32_t callerSleeps;
    int stopping;
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

static uint32_t await_generation(swiftlet_pool *pool, uint32_t seen) {
    for (int i = 0; i < spins; i++) {
        uint32_t now = atomic_load_explicit(&pool->generation, memory_order_acquire);
        if (now != seen) return now;
        pause_briefly();
    }
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->sleepers, 1);
    uint32_t now;
    while ((now = atomic_load(&pool->generation)) == seen) pthread_cond_wait(&pool->work, &pool->mutex);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->mutex);
    return now;
}

static void *work(void *argument) {
    worker *self = argument;
    swiftlet_pool *pool = self->pool;
    uint32_t seen = 0;
    for (;;) {
        seen = await_generation(pool, seen);
        if (pool->stopping) return NULL;
        if (self->part < pool->parts) pool->function(pool->context, self->part, pool->parts);
        // Every worker reports, with or without a part, so that no job is replaced under a late reader.
        if (atomic_fetch_sub(&pool->unfinished, 1) == 1 && atomic_load(&pool->callerSleeps)) {
            pthread_mutex_lock(&pool->mutex);
            pthread_cond_signal(&pool->done);
            pthread_mutex_unlock(&pool->mutex);
        }
    }
}

static void publish(swiftlet_pool *pool) {
    atomic_fetch_add(&pool->generation, 1);
    if (atomic_load(&pool->sleepers) > 0) {
        pthread_mutex_lock(&pool->mutex);
        pthread_cond_broadcast(&pool->work);
        pthread_mutex_unlock(&pool->mutex);
    }
}

swiftlet_pool *swiftlet_pool_create(int32_t threads, int32_t *error) {
    *error = EINVAL;
    if (threads < 1) return NULL;
    *error = ENOMEM;
    swiftlet_pool *pool = calloc(1, sizeof *pool);
    if (!pool) return NULL;
    pool->workers = calloc((size_t)threads, sizeof *pool->workers);
    if (!pool->workers) {
        free(pool);
        return NULL;
    }
    pool->threads = 1;
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
        worker *next = &pool->workers[pool->threads];
        next->pool = pool;
        next->part = pool->threads;
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

void swiftlet_pool_run(swiftlet_pool *pool, int32_t parts, swiftlet_pool_function function, void *context) {
    if (parts <= 1) {
        function(context, 0, 1);
        return;
    }
    pool->function = function;
    pool->context = context;
    pool->parts = parts;
    atomic_store(&pool->unfinished, pool->threads - 1);
    publish(pool);
    function(context, 0, parts);
    for (int i = 0; i < spins; i++) {
        if (atomic_load_explicit(&pool->unfinished, memory_order_acquire) == 0) return;
        pause_briefly();
    }
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->callerSleeps, 1);
    while (atomic_load(&pool->unfinished) != 0) pthread_cond_wait(&pool->done, &pool->mutex);
    atomic_store(&pool->callerSleeps, 0);
    pthread_mutex_unlock(&pool->mutex);
}

void swiftlet_pool_destroy(swiftlet_pool *pool) {
    pool->stopping = 1;
    publish(pool);
    for (int32_t i = 1; i < pool->threads; i++) pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->workers);
    free(pool);
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
