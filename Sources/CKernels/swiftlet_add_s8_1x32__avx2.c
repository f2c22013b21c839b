#if defined(__x86_64__)
#include "avx2.h"

// 32 differences to a zero point as float32, in an order that PACKS brings back.
typedef struct {
    __m256 values[4];
} differences;

// A byte b over 0x4B000000 is the float32 2^23 + b, from which a subtraction gives any difference exactly.
SWIFTLET_AVX2_INLINE differences differences_of(const int8_t *values, __m256 zeroPoint) {
    const __m256i bytes =
        _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)values), _mm256_set1_epi8((char)0x80));    // from 0
    const __m256i zero = _mm256_setzero_si256(), top = _mm256_set1_epi16(0x4B00);
    const __m256i low = _mm256_unpacklo_epi8(bytes, zero), high = _mm256_unpackhi_epi8(bytes, zero);
    const __m256i floats[4] = {
        _mm256_unpacklo_epi16(low, top), _mm256_unpackhi_epi16(low, top), _mm256_unpacklo_epi16(high, top),
        _mm256_unpackhi_epi16(high, top)};
    differences d;
    SWIFTLET_UNROLL
    for (int i = 0; i < 4; i++) d.values[i] = _mm256_sub_ps(_mm256_castsi256_ps(floats[i]), zeroPoint);
    return d;
}

SWIFTLET_AVX2_INLINE __m256 zero_point(int32_t zeroPoint) {
    return _mm256_set1_ps((float)((1 << 23) + 128 + zeroPoint));
}

SWIFTLET_AVX2_INLINE void add(const swiftlet_add_s8_arguments *arguments, const int isSmall) {
    const output_range_avx2 range = output_range(arguments->zeroPoint, arguments->lowest, arguments->highest);
    const __m256 aZeroPoint = zero_point(arguments->aZeroPoint), bZeroPoint = zero_point(arguments->bZeroPoint);
    const __m256 aMultiplier = _mm256_set1_ps(arguments->aMultiplier);
    const __m256 bMultiplier = _mm256_set1_ps(arguments->bMultiplier);
    for (intptr_t row = 0; row < arguments->rows; row++) {
        const int8_t *as = arguments->a + row * arguments->aStride, *bs = arguments->b + row * arguments->bStride;
        int8_t *output = arguments->output + row * arguments->outputStride;
        int8_t scalar[32];
        if (arguments->bIsScalar) memset(scalar, *bs, sizeof scalar);
        for (intptr_t i = 0; i < arguments->count; i += 32) {
            const differences a = differences_of(as + i, aZeroPoint);
            const differences b = differences_of(arguments->bIsScalar ? scalar : bs + i, bZeroPoint);
            __m256i sums[4];
            SWIFTLET_UNROLL
            for (int k = 0; k < 4; k++) {
                const __m256 sum =
                    _mm256_add_ps(_mm256_mul_ps(a.values[k], aMultiplier), _mm256_mul_ps(b.values[k], bMultiplier));
                sums[k] = isSmall ? _mm256_cvtps_epi32(sum) : rounded(sum);
            }
            store_values(output + i, packed(sums[0], sums[1], sums[2], sums[3], range), arguments->count - i);
        }
    }
}

SWIFTLET_AVX2 void swiftlet_add_s8_1x32__avx2(const swiftlet_add_s8_arguments *arguments) {
    // Sums of two differences of up to 255 convert without a limit.
    const float largest = 1 << 20;
    if (__builtin_fabsf(arguments->aMultiplier) <= largest && __builtin_fabsf(arguments->bMultiplier) <= largest) {
        add(arguments, 1);
    } else {
        add(arguments, 0);
    }
}
#endif
