#if defined(__x86_64__)
#include "avx2.h"

// Taps go in pairs: the bytes of two taps are interleaved, widened and multiplied by interleaved weights with
// VPMADDWD, which is exact for any int8 weights and offset.
SWIFTLET_AVX2 void swiftlet_depthwise_s8_4x16__avx2(const swiftlet_depthwise_s8_arguments *a) {
    enum { tile = 4 };
    const output_range_avx2 range = output_range(a->zeroPoint, a->lowest, a->highest);
    const intptr_t taps = a->taps;
    const __m256i offsets = _mm256_set1_epi16((int16_t)a->weightOffset);
    const int8_t *weights = a->weights;

    for (int32_t c = 0; c < a->channels; c += 16, weights += 16 * taps) {
        __m256i low[tile], high[tile];
        const __m256i biasLow = _mm256_loadu_si256((const __m256i *)(a->bias + c));
        const __m256i biasHigh = _mm256_loadu_si256((const __m256i *)(a->bias + c + 8));
#pragma clang loop unroll(full)
        for (int p = 0; p < tile; p++) {
            low[p] = biasLow;
            high[p] = biasHigh;
        }
        for (intptr_t tap = 0; tap < taps; tap += 2) {
            const intptr_t second = tap + 1 < taps ? tap + 1 : tap;
            const __m128i w0 = _mm_loadu_si128((const __m128i *)(weights + 16 * tap));
            const __m128i w1 =
                second > tap ? _mm_loadu_si128((const __m128i *)(weights + 16 * second)) : _mm_setzero_si128();
            // A tap without a partner keeps a partner of weight 0.
            const __m256i offset = second > tap ? offsets : _mm256_srli_epi32(offsets, 16);
            const __m256i wLow = _mm256_add_epi16(_mm256_cvtepi8_epi16(_mm_unpacklo_epi8(w0, w1)), offset);
            const __m256i wHigh = _mm256_add_epi16(_mm256_cvtepi8_epi16(_mm_unpackhi_epi8(w0, w1)), offset);
            const int8_t *const *rows0 = a->rows + tap * tile;
            const int8_t *const *rows1 = a->rows + second * tile;
#pragma clang loop unroll(full)
            for (int p = 0; p < tile; p++) {
                const __m128i x0 = _mm_loadu_si128((const __m128i *)(rows0[p] + c));
                const __m128i x1 = _mm_loadu_si128((const __m128i *)(rows1[p] + c));
                low[p] = _mm256_add_epi32(
                    low[p], _mm256_madd_epi16(_mm256_cvtepi8_epi16(_mm_unpacklo_epi8(x0, x1)), wLow));
                high[p] = _mm256_add_epi32(
                    high[p], _mm256_madd_epi16(_mm256_cvtepi8_epi16(_mm_unpackhi_epi8(x0, x1)), wHigh));
            }
        }

        const __m256 scaleLow = _mm256_loadu_ps(a->scales + c), scaleHigh = _mm256_loadu_ps(a->scales + c + 8);
        const int32_t channels = a->channels - c;
#pragma clang loop unroll(full)
        for (int p = 0; p < tile; p += 2) {
            const __m256i bytes = packed(
                scaled(low[p], scaleLow), scaled(high[p], scaleHigh), scaled(low[p + 1], scaleLow),
                scaled(high[p + 1], scaleHigh), range);
            const __m128i first = _mm256_castsi256_si128(bytes), second = _mm256_extracti128_si256(bytes, 1);
            const __m128i pixel0 = _mm_unpacklo_epi32(first, second), pixel1 = _mm_unpackhi_epi32(first, second);
            int8_t *output = a->output + p * a->outputPixelStride + c;
            if (channels >= 16 && p + 2 <= a->pixels) {
                _mm_storeu_si128((__m128i *)output, pixel0);
                _mm_storeu_si128((__m128i *)(output + a->outputPixelStride), pixel1);
            } else {
                int8_t tail[32];
                _mm_storeu_si128((__m128i *)tail, pixel0);
                _mm_storeu_si128((__m128i *)(tail + 16), pixel1);
                for (int t = 0; t < 2 && p + t < a->pixels; t++) {
                    memcpy(output + t * a->outputPixelStride, tail + 16 * t, (size_t)(channels < 16 ? channels : 16));
                }
            }
        }
    }
}
#endif
