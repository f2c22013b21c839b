#if defined(__x86_64__)
#include "avx2.h"

SWIFTLET_AVX2 void swiftlet_sum_s8_1x16__avx2(const swiftlet_sum_s8_arguments *a) {
    // Sums of so many values fit 16 bits.
    enum { most = 256 };
    for (int32_t c = 0; c < a->channels; c += 16) {
        __m256i low = _mm256_setzero_si256(), high = _mm256_setzero_si256();
        for (intptr_t y = 0; y < a->rows; y++) {
            const int8_t *values = a->input + y * a->rowStride + c;
            intptr_t left = a->columns;
            while (left > 0) {
                __m256i sums = _mm256_setzero_si256();
                const intptr_t count = left < most ? left : most;
                for (intptr_t x = 0; x < count; x++, values += a->columnStride) {
                    sums = _mm256_add_epi16(sums, _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)values)));
                }
                low = _mm256_add_epi32(low, _mm256_cvtepi16_epi32(_mm256_castsi256_si128(sums)));
                high = _mm256_add_epi32(high, _mm256_cvtepi16_epi32(_mm256_extracti128_si256(sums, 1)));
                left -= count;
            }
        }
        const int32_t channels = a->channels - c;
        if (channels >= 16) {
            _mm256_storeu_si256((__m256i *)(a->sums + c), low);
            _mm256_storeu_si256((__m256i *)(a->sums + c + 8), high);
        } else {
            int32_t tail[16];
            _mm256_storeu_si256((__m256i *)tail, low);
            _mm256_storeu_si256((__m256i *)(tail + 8), high);
            memcpy(a->sums + c, tail, (size_t)channels * sizeof(int32_t));
        }
    }
}
#endif
