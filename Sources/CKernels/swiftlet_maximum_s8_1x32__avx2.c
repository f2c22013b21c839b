#if defined(__x86_64__)
#include "avx2.h"

SWIFTLET_AVX2 void swiftlet_maximum_s8_1x32__avx2(const swiftlet_maximum_s8_arguments *a) {
    int32_t c = 0;
    for (; c + 64 <= a->channels; c += 64) {
        __m256i first = _mm256_set1_epi8(-128), second = first;
        for (intptr_t y = 0; y < a->rows; y++) {
            const int8_t *values = a->input + y * a->rowStride + c;
            for (intptr_t x = 0; x < a->columns; x++, values += a->columnStride) {
                first = _mm256_max_epi8(first, _mm256_loadu_si256((const __m256i *)values));
                second = _mm256_max_epi8(second, _mm256_loadu_si256((const __m256i *)(values + 32)));
            }
        }
        _mm256_storeu_si256((__m256i *)(a->output + c), first);
        _mm256_storeu_si256((__m256i *)(a->output + c + 32), second);
    }
    for (; c < a->channels; c += 32) {
        __m256i maximum = _mm256_set1_epi8(-128);
        for (intptr_t y = 0; y < a->rows; y++) {
            const int8_t *values = a->input + y * a->rowStride + c;
            for (intptr_t x = 0; x < a->columns; x++, values += a->columnStride) {
                maximum = _mm256_max_epi8(maximum, _mm256_loadu_si256((const __m256i *)values));
            }
        }
        store_values(a->output + c, maximum, a->channels - c);
    }
}
#endif
