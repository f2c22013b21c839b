#pragma once
#include <stdint.h>

// A fixed team of threads: C because pthread types, atomics and the pause instruction have no Embedded Swift form.

typedef struct swiftlet_pool swiftlet_pool;

// Called with every part 0 ..< parts once, on the thread numbered `thread`; 0 is the caller's. `previous` is the part of the
// same job that this thread ran just before, or -1.
typedef void (*swiftlet_pool_function)(void *context, int32_t part, int32_t parts, int32_t thread, int32_t previous);

// Starts threads - 1 threads (threads counts the caller). Null on failure, with the errno value in *error.
swiftlet_pool *swiftlet_pool_create(int32_t threads, int32_t *error);

// Between a call of begin and one of end, threads without work wait busily for the next job, for some 300 µs;
// else they sleep. Costs a system call where they slept.
void swiftlet_pool_begin(swiftlet_pool *pool);
void swiftlet_pool_end(swiftlet_pool *pool);

// Runs function for each of `parts` and returns when all are done. Each thread owns an equal range of them and takes them
// from its start, then those of others from the ends of their ranges: a slow thread gets fewer, and one that the system
// holds up is waited for only where it had begun. One caller at a time.
void swiftlet_pool_run(swiftlet_pool *pool, int32_t parts, swiftlet_pool_function function, void *context);

// Stops and joins the threads.
void swiftlet_pool_destroy(swiftlet_pool *pool);

// Processors that this process may use, at least 1.
int32_t swiftlet_available_cpus(void);

// Binds the calling thread, and threads that it starts later, to the given CPUs. 0 or an errno value.
int32_t swiftlet_bind_to_cpus(const int32_t *cpus, int32_t count);
