// The frame of the NEON elementwise kernels: sixteen values a step, tails through a buffer.
#pragma once
#include "neon.h"

// Runs `operation(arguments, range, a, b)` on int8x16 operands.
#define SWIFTLET_ELEMENTWISE_NEON(arguments, operation)                                                            \
    do {                                                                                                           \
        const output_range_neon range =                                                                            \
            output_range((arguments)->zeroPoint, (arguments)->lowest, (arguments)->highest);                       \
        const int8x16_t scalar = vdupq_n_s8((arguments)->b[0]);                                                    \
        const intptr_t count = (arguments)->count;                                                                 \
        const int isScalar = (arguments)->bIsScalar != 0;                                                          \
        intptr_t i = 0;                                                                                            \
        for (; i + 16 <= count; i += 16) {                                                                         \
            const int8x16_t b = isScalar ? scalar : vld1q_s8((arguments)->b + i);                                  \
            vst1q_s8((arguments)->output + i, operation(arguments, range, vld1q_s8((arguments)->a + i), b));       \
        }                                                                                                          \
        if (i < count) {                                                                                           \
            int8_t tailA[16] = {0}, tailB[16] = {0};                                                               \
            memcpy(tailA, (arguments)->a + i, (size_t)(count - i));                                                \
            if (!isScalar) memcpy(tailB, (arguments)->b + i, (size_t)(count - i));                                 \
            const int8x16_t b = isScalar ? scalar : vld1q_s8(tailB);                                               \
            vst1q_s8(tailA, operation(arguments, range, vld1q_s8(tailA), b));                                      \
            memcpy((arguments)->output + i, tailA, (size_t)(count - i));                                           \
        }                                                                                                          \
    } while (0)

SWIFTLET_INLINE int16x8_t difference_low(int8x16_t values, int32_t zeroPoint) {
    return vsubq_s16(vmovl_s8(vget_low_s8(values)), vdupq_n_s16((int16_t)zeroPoint));
}

SWIFTLET_INLINE int16x8_t difference_high(int8x16_t values, int32_t zeroPoint) {
    return vsubq_s16(vmovl_s8(vget_high_s8(values)), vdupq_n_s16((int16_t)zeroPoint));
}
