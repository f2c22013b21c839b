#if defined(__x86_64__)
#include "avx2.h"

// Product and sum are separate instructions, so every output is the scalar sum in the scalar order.
SWIFTLET_AVX2 void swiftlet_gemm_f32_8x8__avx2(const swiftlet_gemm_f32_arguments *a) {
    enum { tile = 8 };
    const __m256 lowest = _mm256_set1_ps(a->lowest), highest = _mm256_set1_ps(a->highest);
    const float *w = a->weights;
    for (int32_t o = 0; o < a->channels; o += 8) {
        __m256 sum[tile];
#pragma clang loop unroll(full)
        for (int p = 0; p < tile; p++) sum[p] = _mm256_loadu_ps(a->bias + o);
        for (int32_t tap = 0; tap < a->taps; tap++) {
            const float *const *x = a->rows + tap * tile;
            const float *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3];
            const float *x4 = x[4], *x5 = x[5], *x6 = x[6], *x7 = x[7];
            for (intptr_t i = 0; i < a->inputs; i++, w += 8) {
                const __m256 weight = _mm256_loadu_ps(w);
                sum[0] = _mm256_add_ps(sum[0], _mm256_mul_ps(weight, _mm256_broadcast_ss(x0 + i)));
                sum[1] = _mm256_add_ps(sum[1], _mm256_mul_ps(weight, _mm256_broadcast_ss(x1 + i)));
                sum[2] = _mm256_add_ps(sum[2], _mm256_mul_ps(weight, _mm256_broadcast_ss(x2 + i)));
                sum[3] = _mm256_add_ps(sum[3], _mm256_mul_ps(weight, _mm256_broadcast_ss(x3 + i)));
                sum[4] = _mm256_add_ps(sum[4], _mm256_mul_ps(weight, _mm256_broadcast_ss(x4 + i)));
                sum[5] = _mm256_add_ps(sum[5], _mm256_mul_ps(weight, _mm256_broadcast_ss(x5 + i)));
                sum[6] = _mm256_add_ps(sum[6], _mm256_mul_ps(weight, _mm256_broadcast_ss(x6 + i)));
                sum[7] = _mm256_add_ps(sum[7], _mm256_mul_ps(weight, _mm256_broadcast_ss(x7 + i)));
            }
        }
        const int32_t channels = a->channels - o;
#pragma clang loop unroll(full)
        for (int p = 0; p < tile; p++) {
            if (p >= a->pixels) break;
            // MAX and MIN give their second operand where one is NaN, as the scalar comparison does.
            const __m256 value = _mm256_min_ps(highest, _mm256_max_ps(lowest, sum[p]));
            float *output = a->output + p * a->outputPixelStride + o;
            if (channels >= 8) {
                _mm256_storeu_ps(output, value);
            } else {
                float tail[8];
                _mm256_storeu_ps(tail, value);
                memcpy(output, tail, (size_t)channels * sizeof(float));
            }
        }
    }
}
#endif
