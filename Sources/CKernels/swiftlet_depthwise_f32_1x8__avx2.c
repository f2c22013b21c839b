#if defined(__x86_64__)
#include "avx2.h"

SWIFTLET_AVX2 void swiftlet_depthwise_f32_1x8__avx2(const swiftlet_depthwise_f32_arguments *a) {
    const __m256 lowest = _mm256_set1_ps(a->lowest), highest = _mm256_set1_ps(a->highest);
    const intptr_t stride = (a->channels + 7) / 8 * 8;
    for (intptr_t c = 0; c < a->channels; c += 8) {
        const intptr_t channels = a->channels - c;
        __m256 sum = _mm256_loadu_ps(a->bias + c);
        for (intptr_t tap = 0; tap < a->taps; tap++) {
            const __m256 product =
                _mm256_mul_ps(_mm256_loadu_ps(a->weights + tap * stride + c), _mm256_loadu_ps(a->rows[tap] + c));
            sum = _mm256_add_ps(sum, product);
        }
        const __m256 value = _mm256_min_ps(highest, _mm256_max_ps(lowest, sum));
        if (channels >= 8) {
            _mm256_storeu_ps(a->output + c, value);
        } else {
            float tail[8];
            _mm256_storeu_ps(tail, value);
            memcpy(a->output + c, tail, (size_t)channels * sizeof(float));
        }
    }
}
#endif
