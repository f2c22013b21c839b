#pragma once
#include <stdint.h>

// Counts what the process asks of the allocator while switched on. Replaces malloc and its like in the test program: the
// only way that sees what Swift's runtime allocates.
void swiftlet_allocations_start(void);
// Switches counting off; gives the number of allocations since the start, on any thread.
int64_t swiftlet_allocations_stop(void);
