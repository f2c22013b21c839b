// What the NEON kernels of armv7 and aarch64 share. Included only by them.
#pragma once
#pragma STDC FP_CONTRACT OFF
#include <arm_neon.h>
#include <string.h>

#include "CKernels.h"

#define SWIFTLET_INLINE static inline __attribute__((always_inline))

// The output quantization of a tile, in the form that the packed epilogues take.
typedef struct {
    int16x8_t zeroPoint;
    int8x16_t lowest;
    int8x16_t highest;
} output_range_neon;

SWIFTLET_INLINE output_range_neon output_range(int32_t zeroPoint, int32_t lowest, int32_t highest) {
    output_range_neon range = {
        vdupq_n_s16((int16_t)zeroPoint),
        vdupq_n_s8((int8_t)lowest),
        vdupq_n_s8((int8_t)highest),
    };
    return range;
}

// The integer nearest to each value, ties to even; values outside +-2^20 give an integer at least as far out as 2^20 or
// saturate. Every later step saturates, so rounding first and clamping last equals clamping first. armv7 flushes
// subnormal floats to zero: they round to zero anyway, or vanish in the sum they are part of.
SWIFTLET_INLINE int32x4_t rounded(float32x4_t value) {
#if defined(__aarch64__)
    return vcvtnq_s32_f32(value);
#else
    // No rounding conversion here: adding 1.5 * 2^23 leaves no fraction bits.
    const float32x4_t limit = vdupq_n_f32(1048576.0f);
    const float32x4_t clamped = vmaxq_f32(vminq_f32(value, limit), vnegq_f32(limit));
    return vsubq_s32(
        vreinterpretq_s32_f32(vaddq_f32(clamped, vdupq_n_f32(12582912.0f))), vdupq_n_s32(0x4B400000));
#endif
}

SWIFTLET_INLINE int32x4_t scaled(int32x4_t accumulators, float32x4_t scales) {
    return rounded(vmulq_f32(vcvtq_f32_s32(accumulators), scales));
}

// Eight rounded values plus zero point, saturated to int8 but not yet clamped.
SWIFTLET_INLINE int8x8_t narrowed(int32x4_t a, int32x4_t b, output_range_neon range) {
    return vqmovn_s16(vqaddq_s16(vcombine_s16(vqmovn_s32(a), vqmovn_s32(b)), range.zeroPoint));
}

// Eight values rounded to 16 bits; where it is known that they fit, saturation is left out.
SWIFTLET_INLINE int16x8_t rounded16(float32x4_t low, float32x4_t high, const int fits) {
    if (!fits) return vcombine_s16(vqmovn_s32(rounded(low)), vqmovn_s32(rounded(high)));
#if defined(__aarch64__)
    return vuzp1q_s16(vreinterpretq_s16_s32(rounded(low)), vreinterpretq_s16_s32(rounded(high)));
#else
    // As in `rounded`; the low 16 bits are those of the integer.
    const float32x4_t magic = vdupq_n_f32(12582912.0f);
    return vcombine_s16(
        vmovn_s32(vreinterpretq_s32_f32(vaddq_f32(low, magic))),
        vmovn_s32(vreinterpretq_s32_f32(vaddq_f32(high, magic))));
#endif
}

SWIFTLET_INLINE int8x16_t clamped16(int8x16_t values, output_range_neon range) {
    return vminq_s8(vmaxq_s8(values, range.lowest), range.highest);
}

SWIFTLET_INLINE int8x8_t clamped8(int8x8_t values, output_range_neon range) {
    return vmin_s8(vmax_s8(values, vget_low_s8(range.lowest)), vget_low_s8(range.highest));
}

// Sums of neighbours: a0+a1, a2+a3, b0+b1, b2+b3.
SWIFTLET_INLINE int32x4_t pairwise(int32x4_t a, int32x4_t b) {
#if defined(__aarch64__)
    return vpaddq_s32(a, b);
#else
    return vcombine_s32(
        vpadd_s32(vget_low_s32(a), vget_high_s32(a)), vpadd_s32(vget_low_s32(b), vget_high_s32(b)));
#endif
}

// Stores the first `channels` values, at most sixteen.
SWIFTLET_INLINE void store_channels(int8_t *output, int8x16_t values, int32_t channels) {
    if (channels >= 16) {
        vst1q_s8(output, values);
    } else {
        int8_t tail[16];
        vst1q_s8(tail, values);
        memcpy(output, tail, (size_t)channels);
    }
}

// Stores eight channels, or as many as there are, of each valid pixel of a tile.
SWIFTLET_INLINE void store_tile(
    int8_t *output, intptr_t pixelStride, const int8x8_t *values, int tile, int32_t pixels, int32_t channels) {
    if (channels >= 8 && pixels == tile) {
#pragma clang loop unroll(full)
        for (int p = 0; p < tile; p++) vst1_s8(output + p * pixelStride, values[p]);
        return;
    }
    int8_t tail[64];
#pragma clang loop unroll(full)
    for (int p = 0; p < tile; p++) vst1_s8(tail + 8 * p, values[p]);
    for (int p = 0; p < pixels; p++) {
        memcpy(output + p * pixelStride, tail + 8 * p, (size_t)(channels < 8 ? channels : 8));
    }
}
