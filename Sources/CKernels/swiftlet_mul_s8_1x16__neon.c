#if defined(__aarch64__) || defined(__ARM_NEON)
#include "elementwise_neon.h"

SWIFTLET_INLINE int8x8_t product8(int16x8_t a, int16x8_t b, float32x4_t multiplier, output_range_neon range) {
    return narrowed(
        scaled(vmull_s16(vget_low_s16(a), vget_low_s16(b)), multiplier),
        scaled(vmull_s16(vget_high_s16(a), vget_high_s16(b)), multiplier), range);
}

SWIFTLET_INLINE int8x16_t product16(
    const swiftlet_mul_s8_arguments *arguments, output_range_neon range, int8x16_t a, int8x16_t b) {
    const int32_t za = arguments->aZeroPoint, zb = arguments->bZeroPoint;
    const float32x4_t multiplier = vdupq_n_f32(arguments->multiplier);
    return clamped16(
        vcombine_s8(
            product8(difference_low(a, za), difference_low(b, zb), multiplier, range),
            product8(difference_high(a, za), difference_high(b, zb), multiplier, range)),
        range);
}

void swiftlet_mul_s8_1x16__neon(const swiftlet_mul_s8_arguments *arguments) {
    SWIFTLET_ELEMENTWISE_NEON(arguments, product16);
}
#endif
