#pragma once
#include <stdint.h>

// Sequences of instructions that inner loops of convolutions are made of, on registers only: how many multiply-accumulates
// a second a core can do with them at best.
typedef struct {
    const char *name;             // of one word
    const char *instructions;     // what one multiply-accumulate group is
    uint32_t features;            // SWIFTLET_CPU_... that it needs, all of them
    int32_t macsPerStep;
    void (*run)(int64_t steps);
} swiftlet_peak_sequence;

int32_t swiftlet_peak_count(void);
const swiftlet_peak_sequence *swiftlet_peak_at(int32_t index);
