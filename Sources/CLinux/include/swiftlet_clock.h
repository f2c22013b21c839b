#pragma once
#include <stdint.h>

// CLOCK_MONOTONIC in nanoseconds: glibc's vDSO read, which Swift's own clocks (absent from Embedded Swift) would wrap.
uint64_t swiftlet_monotonic_nanoseconds(void);
