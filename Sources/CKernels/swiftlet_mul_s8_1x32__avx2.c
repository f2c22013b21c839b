#if defined(__x86_64__)
#include "avx2.h"

SWIFTLET_AVX2_INLINE __m256i difference(const int8_t *values, __m256i zeroPoint) {
    return _mm256_sub_epi32(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)values)), zeroPoint);
}

SWIFTLET_AVX2_INLINE __m256i product8(
    const int8_t *a, __m256i aZeroPoint, const int8_t *b, __m256i bZeroPoint, __m256 multiplier) {
    return scaled(_mm256_mullo_epi32(difference(a, aZeroPoint), difference(b, bZeroPoint)), multiplier);
}

SWIFTLET_AVX2 void swiftlet_mul_s8_1x32__avx2(const swiftlet_mul_s8_arguments *arguments) {
    const output_range_avx2 range = output_range(arguments->zeroPoint, arguments->lowest, arguments->highest);
    const __m256i aZeroPoint = _mm256_set1_epi32(arguments->aZeroPoint);
    const __m256i bZeroPoint = _mm256_set1_epi32(arguments->bZeroPoint);
    const __m256 multiplier = _mm256_set1_ps(arguments->multiplier);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    int8_t scalar[32];
    if (arguments->bIsScalar) memset(scalar, arguments->b[0], sizeof scalar);

    for (intptr_t i = 0; i < arguments->count; i += 32) {
        const int8_t *a = arguments->a + i;
        const int8_t *b = arguments->bIsScalar ? scalar : arguments->b + i;
        const __m256i bytes = _mm256_permutevar8x32_epi32(
            packed(
                product8(a, aZeroPoint, b, bZeroPoint, multiplier),
                product8(a + 8, aZeroPoint, b + 8, bZeroPoint, multiplier),
                product8(a + 16, aZeroPoint, b + 16, bZeroPoint, multiplier),
                product8(a + 24, aZeroPoint, b + 24, bZeroPoint, multiplier), range),
            order);
        store_values(arguments->output + i, bytes, arguments->count - i);
    }
}
#endif
