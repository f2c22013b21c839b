#if defined(__x86_64__)
#include "avx2.h"

SWIFTLET_AVX2 void swiftlet_widen_s8_1x16__avx2(const swiftlet_widen_s8_arguments *a) {
    const intptr_t values = 4 * (intptr_t)a->quads;
    for (int32_t p = 0; p < a->pixels; p++) {
        int16_t *output = a->output + p * a->outputPixelStride;
        for (int32_t tap = 0; tap < a->taps; tap++) {
            const int8_t *row = a->rows[tap * a->tile + p];
            if (values <= 8) {
                _mm_storeu_si128((__m128i *)output, _mm_cvtepi8_epi16(_mm_loadl_epi64((const __m128i *)row)));
            } else {
                for (intptr_t i = 0; i < values; i += 16) {
                    _mm256_storeu_si256(
                        (__m256i *)(output + i), _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(row + i))));
                }
            }
            output += values;
        }
    }
}
#endif
