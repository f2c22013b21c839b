#if defined(__aarch64__) || defined(__ARM_NEON)
#include "elementwise_neon.h"

SWIFTLET_INLINE int16x8_t product8(int16x8_t a, int16x8_t b, float32x4_t multiplier, const int fits) {
    return rounded16(
        vmulq_f32(vcvtq_f32_s32(vmull_s16(vget_low_s16(a), vget_low_s16(b))), multiplier),
        vmulq_f32(vcvtq_f32_s32(vmull_s16(vget_high_s16(a), vget_high_s16(b))), multiplier), fits);
}

SWIFTLET_INLINE int8x16_t product16(
    const swiftlet_mul_s8_arguments *arguments, output_range_neon range, int8x16_t a, int8x16_t b, const int isPlain) {
    const int32_t za = arguments->aZeroPoint, zb = arguments->bZeroPoint;
    const float32x4_t multiplier = vdupq_n_f32(arguments->multiplier);
    return finished16(
        product8(difference_low(a, za), difference_low(b, zb), multiplier, isPlain),
        product8(difference_high(a, za), difference_high(b, zb), multiplier, isPlain), range, isPlain);
}

void swiftlet_mul_s8_1x16__neon(const swiftlet_mul_s8_arguments *arguments) {
    const int fits = __builtin_fabsf(arguments->multiplier) * (255.0f * 255.0f) < 32000.0f;
    SWIFTLET_ELEMENTWISE_NEON(arguments, product16, fits);
}
#endif
