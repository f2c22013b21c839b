#pragma once
#include <stdint.h>

// A fixed team of threads: C because pthread types, atomics and the pause instruction have no Embedded Swift form.

typedef struct swiftlet_pool swiftlet_pool;

// Called with every part 0 ..< parts once, each on its own thread; part 0 on the caller's.
typedef void (*swiftlet_pool_function)(void *context, int32_t part, int32_t parts);

// Starts threads - 1 threads (threads counts the caller). Null on failure, with the errno value in *error.
swiftlet_pool *swiftlet_pool_create(int32_t threads, int32_t *error);

// Runs function for each of `parts` (at most threads) and returns when all have. One caller at a time.
void swiftlet_pool_run(swiftlet_pool *pool, int32_t parts, swiftlet_pool_function function, void *context);

// Stops and joins the threads.
void swiftlet_pool_destroy(swiftlet_pool *pool);

// Processors that this process may use, at least 1.
int32_t swiftlet_available_cpus(void);

// Binds the calling thread, and threads that it starts later, to the given CPUs. 0 or an errno value.
int32_t swiftlet_bind_to_cpus(const int32_t *cpus, int32_t count);
