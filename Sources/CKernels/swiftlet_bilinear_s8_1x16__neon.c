#if defined(__aarch64__) || defined(__ARM_NEON)
#include "neon.h"

SWIFTLET_INLINE float32x4_t between(float32x4_t from, float32x4_t to, float32x4_t weight) {
    return vaddq_f32(from, vmulq_f32(vsubq_f32(to, from), weight));
}

// Rounded blend of four channels, of `a` and `b` above, `c` and `d` below.
SWIFTLET_INLINE int32x4_t blend4(
    int16x4_t a, int16x4_t b, int16x4_t c, int16x4_t d, float32x4_t weight, const swiftlet_bilinear_s8_arguments *s) {
    const float32x4_t upper = between(vcvtq_f32_s32(vmovl_s16(a)), vcvtq_f32_s32(vmovl_s16(b)), weight);
    const float32x4_t lower = between(vcvtq_f32_s32(vmovl_s16(c)), vcvtq_f32_s32(vmovl_s16(d)), weight);
    return rounded(vmulq_f32(between(upper, lower, vdupq_n_f32(s->rowWeight)), vdupq_n_f32(s->multiplier)));
}

SWIFTLET_INLINE int16x8_t difference(int8x8_t values, int32_t zeroPoint) {
    return vsubq_s16(vmovl_s8(values), vdupq_n_s16((int16_t)zeroPoint));
}

SWIFTLET_INLINE int8x8_t blend8(
    int8x8_t a, int8x8_t b, int8x8_t c, int8x8_t d, float32x4_t weight, const swiftlet_bilinear_s8_arguments *s,
    output_range_neon range) {
    const int16x8_t i = difference(a, s->inputZeroPoint), j = difference(b, s->inputZeroPoint);
    const int16x8_t k = difference(c, s->inputZeroPoint), l = difference(d, s->inputZeroPoint);
    return narrowed(
        blend4(vget_low_s16(i), vget_low_s16(j), vget_low_s16(k), vget_low_s16(l), weight, s),
        blend4(vget_high_s16(i), vget_high_s16(j), vget_high_s16(k), vget_high_s16(l), weight, s), range);
}

void swiftlet_bilinear_s8_1x16__neon(const swiftlet_bilinear_s8_arguments *s) {
    const output_range_neon range = output_range(s->zeroPoint, -128, 127);
    int8_t *output = s->output;
    for (intptr_t x = 0; x < s->width; x++, output += s->outputPixelStride) {
        const float32x4_t weight = vdupq_n_f32(s->columnWeights[x]);
        const intptr_t left = s->left[x] * s->inputPixelStride, right = s->right[x] * s->inputPixelStride;
        for (int32_t i = 0; i < s->channels; i += 16) {
            const int8x16_t a = vld1q_s8(s->top + left + i), b = vld1q_s8(s->top + right + i);
            const int8x16_t c = vld1q_s8(s->bottom + left + i), d = vld1q_s8(s->bottom + right + i);
            const int8x8_t low = blend8(
                vget_low_s8(a), vget_low_s8(b), vget_low_s8(c), vget_low_s8(d), weight, s, range);
            const int8x8_t high = blend8(
                vget_high_s8(a), vget_high_s8(b), vget_high_s8(c), vget_high_s8(d), weight, s, range);
            store_channels(output + i, vcombine_s8(low, high), s->channels - i);
        }
    }
}
#endif
