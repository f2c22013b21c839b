#if defined(__aarch64__) || defined(__ARM_NEON)
#include "elementwise_neon.h"

SWIFTLET_INLINE float32x4_t sum4(int16x4_t a, int16x4_t b, const swiftlet_add_s8_arguments *arguments) {
    const float32x4_t x = vmulq_f32(vcvtq_f32_s32(vmovl_s16(a)), vdupq_n_f32(arguments->aMultiplier));
    const float32x4_t y = vmulq_f32(vcvtq_f32_s32(vmovl_s16(b)), vdupq_n_f32(arguments->bMultiplier));
    return vaddq_f32(x, y);
}

SWIFTLET_INLINE int16x8_t sum8(
    int16x8_t a, int16x8_t b, const swiftlet_add_s8_arguments *arguments, const int fits) {
    return rounded16(
        sum4(vget_low_s16(a), vget_low_s16(b), arguments), sum4(vget_high_s16(a), vget_high_s16(b), arguments), fits);
}

SWIFTLET_INLINE int8x16_t sum16(
    const swiftlet_add_s8_arguments *arguments, output_range_neon range, int8x16_t a, int8x16_t b, const int isPlain) {
    const int32_t za = arguments->aZeroPoint, zb = arguments->bZeroPoint;
    return finished16(
        sum8(difference_low(a, za), difference_low(b, zb), arguments, isPlain),
        sum8(difference_high(a, za), difference_high(b, zb), arguments, isPlain), range, isPlain);
}

void swiftlet_add_s8_1x16__neon(const swiftlet_add_s8_arguments *arguments) {
    const float largest = __builtin_fabsf(arguments->aMultiplier) + __builtin_fabsf(arguments->bMultiplier);
    SWIFTLET_ELEMENTWISE_NEON(arguments, sum16, largest * 255.0f < 32000.0f);
}
#endif
