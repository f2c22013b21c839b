// The body of the NEON depthwise kernels. Taps go in pairs whose products are summed in 16 bits, which is exact where no
// weight is -128 and there is no weight offset, then added to 32 bits. `anyWeight` widens weights and inputs to 16 bits,
// adds the offset to the weights and each product to 32 bits.
#pragma once
#include "neon.h"

SWIFTLET_INLINE void depthwise_s8_neon(const swiftlet_depthwise_s8_arguments *a, const int tile, const int anyWeight) {
    const output_range_neon range = output_range(a->zeroPoint, a->lowest, a->highest);
    const int16x8_t offset = vdupq_n_s16((int16_t)a->weightOffset);
    const int32_t taps = a->taps;
    const int8_t *weights = a->weights;

    for (int32_t c = 0; c < a->channels; c += 16) {
        int32x4_t sum[4][4];
#pragma clang loop unroll(full)
        for (int i = 0; i < 4; i++) {
            const int32x4_t bias = vld1q_s32(a->bias + c + 4 * i);
#pragma clang loop unroll(full)
            for (int p = 0; p < tile; p++) sum[p][i] = bias;
        }
        int32_t tap = 0;
        for (; !anyWeight && tap + 2 <= taps; tap += 2, weights += 32) {
            const int8x16_t w0 = vld1q_s8(weights), w1 = vld1q_s8(weights + 16);
#pragma clang loop unroll(full)
            for (int p = 0; p < tile; p++) {
                const int8x16_t x0 = vld1q_s8(a->rows[tap * tile + p] + c);
                const int8x16_t x1 = vld1q_s8(a->rows[(tap + 1) * tile + p] + c);
                const int16x8_t low = vmlal_s8(
                    vmull_s8(vget_low_s8(x0), vget_low_s8(w0)), vget_low_s8(x1), vget_low_s8(w1));
                const int16x8_t high = vmlal_s8(
                    vmull_s8(vget_high_s8(x0), vget_high_s8(w0)), vget_high_s8(x1), vget_high_s8(w1));
                sum[p][0] = vaddw_s16(sum[p][0], vget_low_s16(low));
                sum[p][1] = vaddw_s16(sum[p][1], vget_high_s16(low));
                sum[p][2] = vaddw_s16(sum[p][2], vget_low_s16(high));
                sum[p][3] = vaddw_s16(sum[p][3], vget_high_s16(high));
            }
        }
        for (; anyWeight && tap < taps; tap++, weights += 16) {
            const int8x16_t w = vld1q_s8(weights);
            const int16x8_t wLow = vaddw_s8(offset, vget_low_s8(w)), wHigh = vaddw_s8(offset, vget_high_s8(w));
#pragma clang loop unroll(full)
            for (int p = 0; p < tile; p++) {
                const int8x16_t x = vld1q_s8(a->rows[tap * tile + p] + c);
                const int16x8_t xLow = vmovl_s8(vget_low_s8(x)), xHigh = vmovl_s8(vget_high_s8(x));
                sum[p][0] = vmlal_s16(sum[p][0], vget_low_s16(xLow), vget_low_s16(wLow));
                sum[p][1] = vmlal_s16(sum[p][1], vget_high_s16(xLow), vget_high_s16(wLow));
                sum[p][2] = vmlal_s16(sum[p][2], vget_low_s16(xHigh), vget_low_s16(wHigh));
                sum[p][3] = vmlal_s16(sum[p][3], vget_high_s16(xHigh), vget_high_s16(wHigh));
            }
        }
        for (; tap < taps; tap++) {
            const int8x16_t w0 = vld1q_s8(weights);
            weights += 16;
#pragma clang loop unroll(full)
            for (int p = 0; p < tile; p++) {
                const int8x16_t x0 = vld1q_s8(a->rows[tap * tile + p] + c);
                const int16x8_t low = vmull_s8(vget_low_s8(x0), vget_low_s8(w0));
                const int16x8_t high = vmull_s8(vget_high_s8(x0), vget_high_s8(w0));
                sum[p][0] = vaddw_s16(sum[p][0], vget_low_s16(low));
                sum[p][1] = vaddw_s16(sum[p][1], vget_high_s16(low));
                sum[p][2] = vaddw_s16(sum[p][2], vget_low_s16(high));
                sum[p][3] = vaddw_s16(sum[p][3], vget_high_s16(high));
            }
        }

        float32x4_t scale[4];
#pragma clang loop unroll(full)
        for (int i = 0; i < 4; i++) scale[i] = vld1q_f32(a->scales + c + 4 * i);
        const int32_t channels = a->channels - c;
#pragma clang loop unroll(full)
        for (int p = 0; p < tile; p++) {
            const int8x16_t values = clamped16(
                vcombine_s8(
                    narrowed(scaled(sum[p][0], scale[0]), scaled(sum[p][1], scale[1]), range),
                    narrowed(scaled(sum[p][2], scale[2]), scaled(sum[p][3], scale[3]), range)),
                range);
            int8_t *output = a->output + p * a->outputPixelStride + c;
            if (p >= a->pixels) continue;
            if (channels >= 16) {
                vst1q_s8(output, values);
            } else {
                int8_t tail[16];
                vst1q_s8(tail, values);
                memcpy(output, tail, (size_t)channels);
            }
        }
    }
}
