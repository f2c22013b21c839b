// The frame of the NEON elementwise kernels: sixteen values a step, tails through a buffer.
#pragma once
#include "neon.h"

// Runs `operation(arguments, range, a, b, isPlain)` on int8x16 operands. `isPlain` is a constant, true only where
// rounded values fit in 16 bits, as the caller says (`fits`), and clamping does nothing.
#define SWIFTLET_ELEMENTWISE_NEON(arguments, operation, fits)                                  \
    do {                                                                                       \
        /* Which stores of bytes can't change. */                                              \
        const __typeof__(*(arguments)) copy = *(arguments);                                    \
        const output_range_neon range =                                                        \
            output_range(copy.zeroPoint, copy.lowest, copy.highest);                           \
        const intptr_t bStep = copy.bIsScalar ? 0 : 16;                                        \
        for (intptr_t row = 0; row < copy.rows; row++) {                                       \
            const int8_t *a = copy.a + row * copy.aStride, *b = copy.b + row * copy.bStride;   \
            int8_t *output = copy.output + row * copy.outputStride;                            \
            int8_t scalar[16];                                                                 \
            vst1q_s8(scalar, vdupq_n_s8(*b));                                                  \
            if (copy.bIsScalar) b = scalar;                                                    \
            intptr_t left = copy.count;                                                        \
            if ((fits) && copy.lowest == -128 && copy.highest == 127) {                        \
                for (; left >= 16; left -= 16, a += 16, b += bStep, output += 16) {            \
                    vst1q_s8(output, operation(&copy, range, vld1q_s8(a), vld1q_s8(b), 1));    \
                }                                                                              \
            }                                                                                  \
            for (; left >= 16; left -= 16, a += 16, b += bStep, output += 16) {                \
                vst1q_s8(output, operation(&copy, range, vld1q_s8(a), vld1q_s8(b), 0));        \
            }                                                                                  \
            if (left > 0) {                                                                    \
                int8_t tailA[16] = {0}, tailB[16] = {0};                                       \
                memcpy(tailA, a, (size_t)left);                                                \
                memcpy(tailB, b, (size_t)left);                                                \
                vst1q_s8(tailA, operation(&copy, range, vld1q_s8(tailA), vld1q_s8(tailB), 0)); \
                memcpy(output, tailA, (size_t)left);                                           \
            }                                                                                  \
        }                                                                                      \
    } while (0)

SWIFTLET_INLINE int16x8_t difference_low(int8x16_t values, int32_t zeroPoint) {
    return vsubl_s8(vget_low_s8(values), vdup_n_s8((int8_t)zeroPoint));
}

SWIFTLET_INLINE int16x8_t difference_high(int8x16_t values, int32_t zeroPoint) {
    return vsubl_s8(vget_high_s8(values), vdup_n_s8((int8_t)zeroPoint));
}

// Sixteen values to int8.
SWIFTLET_INLINE int8x16_t finished16(int16x8_t low, int16x8_t high, output_range_neon range, const int isPlain) {
    const int8x16_t values = vcombine_s8(
        vqmovn_s16(vqaddq_s16(low, range.zeroPoint)), vqmovn_s16(vqaddq_s16(high, range.zeroPoint)));
    return isPlain ? values : clamped16(values, range);
}
