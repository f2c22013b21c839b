#if defined(__x86_64__)
#include "avx2.h"

SWIFTLET_AVX2_INLINE __m256 difference(const int8_t *values, __m256i zeroPoint) {
    return _mm256_cvtepi32_ps(
        _mm256_sub_epi32(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)values)), zeroPoint));
}

SWIFTLET_AVX2_INLINE __m256 between(__m256 from, __m256 to, __m256 weight) {
    return _mm256_add_ps(from, _mm256_mul_ps(_mm256_sub_ps(to, from), weight));
}

SWIFTLET_AVX2 void swiftlet_bilinear_s8_1x16__avx2(const swiftlet_bilinear_s8_arguments *arguments) {
    const output_range_avx2 range = output_range(arguments->zeroPoint, -128, 127);
    const __m256i inputZeroPoint = _mm256_set1_epi32(arguments->inputZeroPoint);
    const __m256 rowWeight = _mm256_set1_ps(arguments->rowWeight);
    const __m256 multiplier = _mm256_set1_ps(arguments->multiplier);
    int8_t *output = arguments->output;
    for (intptr_t x = 0; x < arguments->width; x++, output += arguments->outputPixelStride) {
        const __m256 weight = _mm256_set1_ps(arguments->columnWeights[x]);
        const intptr_t left = arguments->left[x] * arguments->inputPixelStride;
        const intptr_t right = arguments->right[x] * arguments->inputPixelStride;
        for (int32_t c = 0; c < arguments->channels; c += 16) {
            __m256i values[2];
#pragma clang loop unroll(full)
            for (int i = 0; i < 2; i++) {
                const int8_t *top = arguments->top + c + 8 * i, *bottom = arguments->bottom + c + 8 * i;
                const __m256 upper = between(
                    difference(top + left, inputZeroPoint), difference(top + right, inputZeroPoint), weight);
                const __m256 lower = between(
                    difference(bottom + left, inputZeroPoint), difference(bottom + right, inputZeroPoint), weight);
                values[i] = rounded(_mm256_mul_ps(between(upper, lower, rowWeight), multiplier));
            }
            const __m256i words = _mm256_permute4x64_epi64(
                _mm256_adds_epi16(_mm256_packs_epi32(values[0], values[1]), range.zeroPoint), 0xD8);
            const __m128i bytes =
                _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
            store_channels(output + c, bytes, arguments->channels - c);
        }
    }
}
#endif
