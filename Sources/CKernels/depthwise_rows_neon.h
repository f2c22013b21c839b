// What the NEON and SDOT kernels of whole rows of a depthwise convolution share. Included only by them.
#pragma once
#include "depthwise_rows.h"
#include "neon.h"

// Eight values of a row of input, stepped (the compiler would take an instruction more).
SWIFTLET_INLINE int8x8_t load8_stepping(const int8_t **row, intptr_t step) {
    int8x8_t values;
#if defined(__aarch64__)
    __asm__("ld1 {%0.8b}, [%1], %2" : "=w"(values), "+r"(*row) : "r"(step));
#else
    values = vld1_s8(*row);
    *row += step;
#endif
    return values;
}

SWIFTLET_INLINE int contains(int8x8_t values, int8_t value) {
    return vget_lane_u64(vreinterpret_u64_u8(vceq_s8(values, vdup_n_s8(value))), 0) != 0;
}

SWIFTLET_INLINE void store8_stepping(int8_t **output, int8x8_t values, intptr_t step) {
#if defined(__aarch64__)
    __asm__ volatile("st1 {%1.8b}, [%0], %2" : "+r"(*output) : "w"(values), "r"(step) : "memory");
#else
    vst1_s8(*output, values);
    *output += step;
#endif
}

// Whether the rounded values of eight channels fit in 16 bits, with room for what float rounds, for any inputs.
SWIFTLET_INLINE int fits16(
    const int8_t *weights, const int taps, int32_t weightOffset, const int32_t *bias, const float *scales) {
    // A bound where there is a weight offset.
    uint16x8_t sums = vdupq_n_u16((uint16_t)(taps * (weightOffset < 0 ? -weightOffset : weightOffset)));
    for (int tap = 0; tap < taps; tap++) {
        sums = vaddw_u8(sums, vreinterpret_u8_s8(vabs_s8(vld1_s8(weights + 16 * tap))));
    }
    const uint32x4_t halves[2] = {vmovl_u16(vget_low_u16(sums)), vmovl_u16(vget_high_u16(sums))};
    float largest[8];
    for (int half = 0; half < 2; half++) {
        const float32x4_t products = vmulq_n_f32(vcvtq_f32_u32(halves[half]), 128.0f);
        const float32x4_t all = vaddq_f32(products, vabsq_f32(vcvtq_f32_s32(vld1q_s32(bias + 4 * half))));
        vst1q_f32(largest + 4 * half, vmulq_f32(all, vabsq_f32(vld1q_f32(scales + 4 * half))));
    }
    int fits = 1;
    for (int i = 0; i < 8; i++) fits &= largest[i] < 32000.0f;
    return fits;
}

// Sums of eight channels to 16 bits, zero point added; where the rounded values fit in 16 bits, they need not saturate.
SWIFTLET_INLINE int16x8_t requantized16(
    const int32x4_t *sums, const float32x4_t *scales, output_range_neon range, const int fits) {
    const int16x8_t values = rounded16(
        vmulq_f32(vcvtq_f32_s32(sums[0]), scales[0]), vmulq_f32(vcvtq_f32_s32(sums[1]), scales[1]), fits);
    return vqaddq_s16(values, range.zeroPoint);
}
