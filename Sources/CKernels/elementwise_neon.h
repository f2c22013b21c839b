// The frame of the NEON elementwise kernels: sixteen values a step, tails through a buffer.
#pragma once
#include "neon.h"

// Runs `operation(&arguments, range, a, b)` on int8x16 operands. Works on a copy of the arguments: as stores of bytes
// may change what `given` points to, every step would load it again.
#define SWIFTLET_ELEMENTWISE_NEON(given, operation)                                                                \
    do {                                                                                                           \
        const __typeof__(*(given)) copy = *(given);                                                                \
        const output_range_neon range = output_range(copy.zeroPoint, copy.lowest, copy.highest);                   \
        const int8x16_t scalar = vdupq_n_s8(copy.b[0]);                                                            \
        const int isScalar = copy.bIsScalar != 0;                                                                  \
        const int8_t *a = copy.a, *b = copy.b;                                                                     \
        int8_t *output = copy.output;                                                                              \
        intptr_t left = copy.count;                                                                                \
        if (isScalar) {                                                                                            \
            for (; left >= 16; left -= 16, a += 16, output += 16) {                                                \
                vst1q_s8(output, operation(&copy, range, vld1q_s8(a), scalar));                                    \
            }                                                                                                      \
        }                                                                                                          \
        for (; left >= 16; left -= 16, a += 16, b += 16, output += 16) {                                           \
            vst1q_s8(output, operation(&copy, range, vld1q_s8(a), vld1q_s8(b)));                                   \
        }                                                                                                          \
        if (left > 0) {                                                                                            \
            int8_t tailA[16] = {0}, tailB[16] = {0};                                                               \
            memcpy(tailA, a, (size_t)left);                                                                        \
            if (!isScalar) memcpy(tailB, b, (size_t)left);                                                         \
            const int8x16_t other = isScalar ? scalar : vld1q_s8(tailB);                                           \
            vst1q_s8(tailA, operation(&copy, range, vld1q_s8(tailA), other));                                      \
            memcpy(output, tailA, (size_t)left);                                                                   \
        }                                                                                                          \
    } while (0)

SWIFTLET_INLINE int16x8_t difference_low(int8x16_t values, int32_t zeroPoint) {
    return vsubl_s8(vget_low_s8(values), vdup_n_s8((int8_t)zeroPoint));
}

SWIFTLET_INLINE int16x8_t difference_high(int8x16_t values, int32_t zeroPoint) {
    return vsubl_s8(vget_high_s8(values), vdup_n_s8((int8_t)zeroPoint));
}
