#if defined(__x86_64__)
#include "avx2.h"

// 32 differences to a zero point as int16: 0..<8 and 16..<24, then 8..<16 and 24..<32, which PACKS brings back in order.
typedef struct {
    __m256i low, high;
} differences;

SWIFTLET_AVX2_INLINE differences differences_of(const int8_t *values, __m256i zeroPoint) {
    const __m256i bytes =
        _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)values), _mm256_set1_epi8((char)0x80));    // from 0
    const __m256i zero = _mm256_setzero_si256();
    const differences d = {
        _mm256_sub_epi16(_mm256_unpacklo_epi8(bytes, zero), zeroPoint),
        _mm256_sub_epi16(_mm256_unpackhi_epi8(bytes, zero), zeroPoint),
    };
    return d;
}

// 16 products as int16, rounded.
SWIFTLET_AVX2_INLINE __m256i products(__m256i a, __m256i b, __m256 multiplier, const int isSmall) {
    const __m256i low = _mm256_mullo_epi16(a, b), high = _mm256_mulhi_epi16(a, b);
    const __m256i first = _mm256_unpacklo_epi16(low, high), second = _mm256_unpackhi_epi16(low, high);
    return isSmall ? _mm256_packs_epi32(rounded_product(first, multiplier), rounded_product(second, multiplier))
                   : _mm256_packs_epi32(scaled(first, multiplier), scaled(second, multiplier));
}

SWIFTLET_AVX2_INLINE void multiply(const swiftlet_mul_s8_arguments *arguments, const int isSmall) {
    const output_range_avx2 range = output_range(arguments->zeroPoint, arguments->lowest, arguments->highest);
    const __m256i aZeroPoint = _mm256_set1_epi16((int16_t)(arguments->aZeroPoint + 128));
    const __m256i bZeroPoint = _mm256_set1_epi16((int16_t)(arguments->bZeroPoint + 128));
    const __m256 multiplier = _mm256_set1_ps(arguments->multiplier);
    for (intptr_t row = 0; row < arguments->rows; row++) {
        const int8_t *as = arguments->a + row * arguments->aStride, *bs = arguments->b + row * arguments->bStride;
        int8_t *output = arguments->output + row * arguments->outputStride;
        int8_t scalar[32];
        if (arguments->bIsScalar) memset(scalar, *bs, sizeof scalar);
        for (intptr_t i = 0; i < arguments->count; i += 32) {
            const differences a = differences_of(as + i, aZeroPoint);
            const differences b = differences_of(arguments->bIsScalar ? scalar : bs + i, bZeroPoint);
            const __m256i bytes = packed16(
                products(a.low, b.low, multiplier, isSmall), products(a.high, b.high, multiplier, isSmall), range);
            store_values(output + i, bytes, arguments->count - i);
        }
    }
}

SWIFTLET_AVX2 void swiftlet_mul_s8_1x32__avx2(const swiftlet_mul_s8_arguments *arguments) {
    // 255 * 255 times the multiplier converts without a limit.
    if (__builtin_fabsf(arguments->multiplier) <= 16384.0f) {
        multiply(arguments, 1);
    } else {
        multiply(arguments, 0);
    }
}
#endif
