#if defined(__x86_64__)
#include "avx2.h"

// 2048 times upper and lower row come from VPMADDWD of interleaved neighbours and their weights. Interleaving keeps to
// 128-bit lanes, and packing puts the channels back in order.
SWIFTLET_AVX2_INLINE __m256i blended(__m256i upper, __m256i lower, __m256i rowWeight) {
    const __m256i sum = _mm256_add_epi32(
        _mm256_slli_epi32(upper, 11), _mm256_mullo_epi32(_mm256_sub_epi32(lower, upper), rowWeight));
    return _mm256_srai_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(1 << 21)), 22);
}

SWIFTLET_AVX2_INLINE __m256i widened(const int8_t *values) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)values));
}

SWIFTLET_AVX2 void swiftlet_bilinearfixed_s8_1x16__avx2(const swiftlet_bilinearfixed_s8_arguments *arguments) {
    const __m256i rowWeight = _mm256_set1_epi32(arguments->rowWeight);
    int8_t *output = arguments->output;
    for (intptr_t x = 0; x < arguments->width; x++, output += arguments->outputPixelStride) {
        const int32_t weight = arguments->columnWeights[x];
        const __m256i weights = _mm256_set1_epi32((int32_t)((uint32_t)weight << 16 | (uint32_t)(2048 - weight)));
        const intptr_t left = arguments->left[x] * arguments->inputPixelStride;
        const intptr_t right = arguments->right[x] * arguments->inputPixelStride;
        for (int32_t c = 0; c < arguments->channels; c += 16) {
            const int8_t *top = arguments->top + c, *bottom = arguments->bottom + c;
            const __m256i a = widened(top + left), b = widened(top + right);
            const __m256i d = widened(bottom + left), e = widened(bottom + right);
            const __m256i low = blended(
                _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), weights),
                _mm256_madd_epi16(_mm256_unpacklo_epi16(d, e), weights), rowWeight);
            const __m256i high = blended(
                _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), weights),
                _mm256_madd_epi16(_mm256_unpackhi_epi16(d, e), weights), rowWeight);
            const __m256i words = _mm256_packs_epi32(low, high);
            const __m128i bytes =
                _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
            store_channels(output + c, bytes, arguments->channels - c);
        }
    }
}
#endif
