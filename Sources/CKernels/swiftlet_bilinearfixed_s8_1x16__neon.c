#if defined(__aarch64__) || defined(__ARM_NEON)
#include "neon.h"

// Four channels; `upper` and `lower` are 2048 times the blends of their rows.
SWIFTLET_INLINE int16x4_t blend4(int32x4_t upper, int32x4_t lower, int32_t rowWeight) {
    const int32x4_t sum = vmlaq_n_s32(vshlq_n_s32(upper, 11), vsubq_s32(lower, upper), rowWeight);
    return vmovn_s32(vshrq_n_s32(vaddq_s32(sum, vdupq_n_s32(1 << 21)), 22));
}

SWIFTLET_INLINE int32x4_t row4(int16x4_t from, int16x4_t to, int16_t weight) {
    return vmlal_n_s16(vmull_n_s16(from, (int16_t)(2048 - weight)), to, weight);
}

SWIFTLET_INLINE int8x8_t blend8(
    int8x8_t a, int8x8_t b, int8x8_t c, int8x8_t d, int16_t weight, int32_t rowWeight) {
    const int16x8_t i = vmovl_s8(a), j = vmovl_s8(b), k = vmovl_s8(c), l = vmovl_s8(d);
    return vmovn_s16(vcombine_s16(
        blend4(
            row4(vget_low_s16(i), vget_low_s16(j), weight), row4(vget_low_s16(k), vget_low_s16(l), weight), rowWeight),
        blend4(
            row4(vget_high_s16(i), vget_high_s16(j), weight), row4(vget_high_s16(k), vget_high_s16(l), weight),
            rowWeight)));
}

void swiftlet_bilinearfixed_s8_1x16__neon(const swiftlet_bilinearfixed_s8_arguments *s) {
    int8_t *output = s->output;
    for (intptr_t x = 0; x < s->width; x++, output += s->outputPixelStride) {
        const int16_t weight = (int16_t)s->columnWeights[x];
        const intptr_t left = s->left[x] * s->inputPixelStride, right = s->right[x] * s->inputPixelStride;
        for (int32_t i = 0; i < s->channels; i += 16) {
            const int8x16_t a = vld1q_s8(s->top + left + i), b = vld1q_s8(s->top + right + i);
            const int8x16_t c = vld1q_s8(s->bottom + left + i), d = vld1q_s8(s->bottom + right + i);
            const int8x8_t low = blend8(
                vget_low_s8(a), vget_low_s8(b), vget_low_s8(c), vget_low_s8(d), weight, s->rowWeight);
            const int8x8_t high = blend8(
                vget_high_s8(a), vget_high_s8(b), vget_high_s8(c), vget_high_s8(d), weight, s->rowWeight);
            store_channels(output + i, vcombine_s8(low, high), s->channels - i);
        }
    }
}
#endif
