// The body of the AVX2 GEMM kernels: rows widened to int16, weights widened on load, VPMADDWD. Every product pair fits
// 32 bits for any int8 weights. Each accumulator holds two partial sums of four output channels; they meet at the end.
#pragma once
#include "avx2.h"

SWIFTLET_AVX2_INLINE void gemm_s16s8_avx2(const swiftlet_gemm_s8_arguments *a, const int tile) {
    const output_range_avx2 range = output_range(a->zeroPoint, a->lowest, a->highest);
    const intptr_t quads = a->quads;
    const int8_t *weights = a->weights;
    const char *x[8];
    for (int p = 0; p < tile; p++) x[p] = a->rows[p];

    for (int32_t o = 0; o < a->channels; o += 8) {
        __m256i low[8], high[8];
        const __m256i biasLow = _mm256_cvtepu32_epi64(_mm_loadu_si128((const __m128i *)(a->bias + o)));
        const __m256i biasHigh = _mm256_cvtepu32_epi64(_mm_loadu_si128((const __m128i *)(a->bias + o + 4)));
#pragma clang loop unroll(full)
        for (int p = 0; p < tile; p++) {
            low[p] = biasLow;
            high[p] = biasHigh;
        }
        if (a->pixelBias) {
#pragma clang loop unroll(full)
            for (int p = 0; p < tile; p++) {
                const __m256i pixelBias = _mm256_set1_epi64x((uint32_t)a->pixelBias[p]);
                low[p] = _mm256_add_epi32(biasLow, pixelBias);
                high[p] = _mm256_add_epi32(biasHigh, pixelBias);
            }
        }
#pragma clang loop unroll_count(2)
        for (intptr_t q = 0; q < quads; q++) {
            const __m256i w0 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)weights));
            const __m256i w1 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(weights + 16)));
            weights += 32;
#pragma clang loop unroll(full)
            for (int p = 0; p < tile; p++) {
                const __m256i v = _mm256_broadcastq_epi64(_mm_loadl_epi64((const __m128i *)(x[p] + 8 * q)));
                low[p] = _mm256_add_epi32(low[p], _mm256_madd_epi16(v, w0));
                high[p] = _mm256_add_epi32(high[p], _mm256_madd_epi16(v, w1));
            }
        }

        // HADD leaves the channels as 0 1 4 5 | 2 3 6 7, so the scales are brought into that order too.
        const __m256 scales = _mm256_castpd_ps(
            _mm256_permute4x64_pd(_mm256_castps_pd(_mm256_loadu_ps(a->scales + o)), _MM_SHUFFLE(3, 1, 2, 0)));
        __m256i value[8];
#pragma clang loop unroll(full)
        for (int p = 0; p < tile; p++) value[p] = scaled(_mm256_hadd_epi32(low[p], high[p]), scales);

        const int32_t channels = a->channels - o;
#pragma clang loop unroll(full)
        for (int p = 0; p < tile; p += 4) {
            const __m256i bytes = packed(
                value[p], value[p + 1 < tile ? p + 1 : p], value[p + 2 < tile ? p + 2 : p],
                value[p + 3 < tile ? p + 3 : p], range);
            const __m128i even = _mm256_castsi256_si128(bytes), odd = _mm256_extracti128_si256(bytes, 1);
            const __m128i pixels01 = _mm_unpacklo_epi16(even, odd), pixels23 = _mm_unpackhi_epi16(even, odd);
            int8_t *output = a->output + p * a->outputPixelStride + o;
            if (channels >= 8 && a->pixels >= (p + 4 < tile ? p + 4 : tile)) {
                _mm_storel_epi64((__m128i *)output, pixels01);
                if (p + 1 < tile) _mm_storeh_pd((double *)(output + a->outputPixelStride), _mm_castsi128_pd(pixels01));
                if (p + 2 < tile) _mm_storel_epi64((__m128i *)(output + 2 * a->outputPixelStride), pixels23);
                if (p + 3 < tile) {
                    _mm_storeh_pd((double *)(output + 3 * a->outputPixelStride), _mm_castsi128_pd(pixels23));
                }
            } else {
                int8_t tail[32];
                _mm_storeu_si128((__m128i *)tail, pixels01);
                _mm_storeu_si128((__m128i *)(tail + 16), pixels23);
                for (int t = 0; t < 4 && p + t < a->pixels; t++) {
                    memcpy(output + t * a->outputPixelStride, tail + 8 * t, (size_t)(channels < 8 ? channels : 8));
                }
            }
        }
    }
}
