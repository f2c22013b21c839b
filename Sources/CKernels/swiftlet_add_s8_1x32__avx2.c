#if defined(__x86_64__)
#include "avx2.h"

SWIFTLET_AVX2_INLINE __m256 difference(const int8_t *values, __m256i zeroPoint) {
    return _mm256_cvtepi32_ps(
        _mm256_sub_epi32(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)values)), zeroPoint));
}

SWIFTLET_AVX2_INLINE __m256i sum8(
    const int8_t *a, __m256i aZeroPoint, __m256 aMultiplier, const int8_t *b, __m256i bZeroPoint, __m256 bMultiplier) {
    return rounded(_mm256_add_ps(
        _mm256_mul_ps(difference(a, aZeroPoint), aMultiplier), _mm256_mul_ps(difference(b, bZeroPoint), bMultiplier)));
}

SWIFTLET_AVX2 void swiftlet_add_s8_1x32__avx2(const swiftlet_add_s8_arguments *arguments) {
    const output_range_avx2 range = output_range(arguments->zeroPoint, arguments->lowest, arguments->highest);
    const __m256i aZeroPoint = _mm256_set1_epi32(arguments->aZeroPoint);
    const __m256i bZeroPoint = _mm256_set1_epi32(arguments->bZeroPoint);
    const __m256 aMultiplier = _mm256_set1_ps(arguments->aMultiplier);
    const __m256 bMultiplier = _mm256_set1_ps(arguments->bMultiplier);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    int8_t scalar[32];
    if (arguments->bIsScalar) memset(scalar, arguments->b[0], sizeof scalar);

    for (intptr_t i = 0; i < arguments->count; i += 32) {
        const int8_t *a = arguments->a + i;
        const int8_t *b = arguments->bIsScalar ? scalar : arguments->b + i;
        const __m256i bytes = _mm256_permutevar8x32_epi32(
            packed(
                sum8(a, aZeroPoint, aMultiplier, b, bZeroPoint, bMultiplier),
                sum8(a + 8, aZeroPoint, aMultiplier, b + 8, bZeroPoint, bMultiplier),
                sum8(a + 16, aZeroPoint, aMultiplier, b + 16, bZeroPoint, bMultiplier),
                sum8(a + 24, aZeroPoint, aMultiplier, b + 24, bZeroPoint, bMultiplier), range),
            order);
        store_values(arguments->output + i, bytes, arguments->count - i);
    }
}
#endif
