#if defined(__aarch64__)
#include "neon.h"

SWIFTLET_INLINE float32x4_t clamped(float32x4_t value, float32x4_t lowest, float32x4_t highest) {
    const float32x4_t above = vbslq_f32(vcltq_f32(value, lowest), lowest, value);
    return vbslq_f32(vcgtq_f32(above, highest), highest, above);
}

// Product and sum are separate instructions, so every output is the scalar sum in the scalar order.
void swiftlet_gemm_f32_6x8__neon(const swiftlet_gemm_f32_arguments *a) {
    enum { tile = 6 };
    const float32x4_t lowest = vdupq_n_f32(a->lowest), highest = vdupq_n_f32(a->highest);
    const float *w = a->weights;
    for (int32_t o = 0; o < a->channels; o += 8) {
        float32x4_t sum[tile][2];
#pragma clang loop unroll(full)
        for (int p = 0; p < tile; p++) {
            sum[p][0] = vld1q_f32(a->bias + o);
            sum[p][1] = vld1q_f32(a->bias + o + 4);
        }
        for (int32_t tap = 0; tap < a->taps; tap++) {
            const float *const *x = a->rows + tap * tile;
            for (intptr_t i = 0; i < a->inputs; i++, w += 8) {
                const float32x4_t w0 = vld1q_f32(w), w1 = vld1q_f32(w + 4);
#pragma clang loop unroll(full)
                for (int p = 0; p < tile; p++) {
                    const float32x4_t v = vdupq_n_f32(x[p][i]);
                    const float32x4_t product0 = vmulq_f32(w0, v);
                    const float32x4_t product1 = vmulq_f32(w1, v);
                    sum[p][0] = vaddq_f32(sum[p][0], product0);
                    sum[p][1] = vaddq_f32(sum[p][1], product1);
                }
            }
        }
        const int32_t channels = a->channels - o;
        float values[8 * tile];
#pragma clang loop unroll(full)
        for (int p = 0; p < tile; p++) {
            vst1q_f32(values + 8 * p, clamped(sum[p][0], lowest, highest));
            vst1q_f32(values + 8 * p + 4, clamped(sum[p][1], lowest, highest));
        }
        for (int p = 0; p < a->pixels; p++) {
            memcpy(
                a->output + p * a->outputPixelStride + o, values + 8 * p,
                (size_t)(channels < 8 ? channels : 8) * sizeof(float));
        }
    }
}
#endif
