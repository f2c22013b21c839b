#if defined(__aarch64__)
#include "neon.h"

void swiftlet_depthwise_f32_1x4__neon(const swiftlet_depthwise_f32_arguments *a) {
    const float32x4_t lowest = vdupq_n_f32(a->lowest), highest = vdupq_n_f32(a->highest);
    const intptr_t stride = (a->channels + 7) / 8 * 8;
    for (intptr_t c = 0; c < a->channels; c += 4) {
        const intptr_t channels = a->channels - c;
        float32x4_t sum = vld1q_f32(a->bias + c);
        for (intptr_t tap = 0; tap < a->taps; tap++) {
            const float32x4_t product = vmulq_f32(vld1q_f32(a->weights + tap * stride + c), vld1q_f32(a->rows[tap] + c));
            sum = vaddq_f32(sum, product);
        }
        sum = vbslq_f32(vcltq_f32(sum, lowest), lowest, sum);
        sum = vbslq_f32(vcgtq_f32(sum, highest), highest, sum);
        if (channels >= 4) {
            vst1q_f32(a->output + c, sum);
        } else {
            float tail[4];
            vst1q_f32(tail, sum);
            memcpy(a->output + c, tail, (size_t)channels * sizeof(float));
        }
    }
}
#endif
