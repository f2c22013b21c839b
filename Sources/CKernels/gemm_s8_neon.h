// The body of the NEON GEMM kernels. Two products of 8 bits are summed in 16 bits (SMULL, SMLAL), which is exact where
// no weight is -128, then pairwise added to 32 bits (SADALP). `anyWeight` adds every product alone, which always is. Each accumulator holds two partial sums of two output
// channels; they meet at the end.
#pragma once
#include "neon.h"

// Products of the high halves; armv7 has no instruction for them, there a register is two halves anyway.
#if defined(__aarch64__)
#define SWIFTLET_MULL_HIGH(w, x) vmull_high_s8(w, x)
#define SWIFTLET_MLAL_HIGH(sum, w, x) vmlal_high_s8(sum, w, x)
#else
#define SWIFTLET_MULL_HIGH(w, x) vmull_s8(vget_high_s8(w), vget_low_s8(x))
#define SWIFTLET_MLAL_HIGH(sum, w, x) vmlal_s8(sum, vget_high_s8(w), vget_low_s8(x))
#endif

SWIFTLET_INLINE void gemm_s8_neon(const swiftlet_gemm_s8_arguments *a, const int tile, const int anyWeight) {
    const output_range_neon range = output_range(a->zeroPoint, a->lowest, a->highest);
    const int32_t quads = a->quads;
    const int8_t *w = a->weights;

    for (int32_t o = 0; o < a->channels; o += 8) {
        int32x4_t sum[4][4];
#pragma clang loop unroll(full)
        for (int p = 0; p < tile; p++) {
#pragma clang loop unroll(full)
            for (int i = 0; i < 4; i++) sum[p][i] = vdupq_n_s32(0);
        }
        if (a->pixelBias) {
            // In the first of the two partial sums of every channel.
#pragma clang loop unroll(full)
            for (int p = 0; p < tile; p++) {
                const int32x4_t pixelBias = vreinterpretq_s32_u64(vdupq_n_u64((uint32_t)a->pixelBias[p]));
#pragma clang loop unroll(full)
                for (int i = 0; i < 4; i++) sum[p][i] = pixelBias;
            }
        }
        for (int32_t tap = 0; tap < a->taps; tap++) {
            const int8_t *x[4];
#pragma clang loop unroll(full)
            for (int p = 0; p < tile; p++) x[p] = a->rows[tap * tile + p];
            int32_t q = 0;
            for (; !anyWeight && q + 2 <= quads; q += 2, w += 64) {
                const int8x16_t w0 = vld1q_s8(w), w1 = vld1q_s8(w + 16);
                const int8x16_t w2 = vld1q_s8(w + 32), w3 = vld1q_s8(w + 48);
#pragma clang loop unroll(full)
                for (int p = 0; p < tile; p++) {
                    const int32x2_t both = vreinterpret_s32_s8(vld1_s8(x[p]));
                    x[p] += 8;
                    const int8x16_t x0 = vreinterpretq_s8_s32(vdupq_lane_s32(both, 0));
                    const int8x16_t x1 = vreinterpretq_s8_s32(vdupq_lane_s32(both, 1));
                    sum[p][0] = vpadalq_s16(
                        sum[p][0], vmlal_s8(vmull_s8(vget_low_s8(w0), vget_low_s8(x0)), vget_low_s8(w2), vget_low_s8(x1)));
                    sum[p][1] = vpadalq_s16(
                        sum[p][1], SWIFTLET_MLAL_HIGH(SWIFTLET_MULL_HIGH(w0, x0), w2, x1));
                    sum[p][2] = vpadalq_s16(
                        sum[p][2], vmlal_s8(vmull_s8(vget_low_s8(w1), vget_low_s8(x0)), vget_low_s8(w3), vget_low_s8(x1)));
                    sum[p][3] = vpadalq_s16(
                        sum[p][3], SWIFTLET_MLAL_HIGH(SWIFTLET_MULL_HIGH(w1, x0), w3, x1));
                }
            }
            for (; q < quads; q++) {
                const int8x16_t w0 = vld1q_s8(w), w1 = vld1q_s8(w + 16);
                w += 32;
#pragma clang loop unroll(full)
                for (int p = 0; p < tile; p++) {
                    const int8x16_t x0 =
                        vreinterpretq_s8_s32(vdupq_lane_s32(vreinterpret_s32_s8(vld1_s8(x[p])), 0));
                    x[p] += 4;
                    sum[p][0] = vpadalq_s16(sum[p][0], vmull_s8(vget_low_s8(w0), vget_low_s8(x0)));
                    sum[p][1] = vpadalq_s16(sum[p][1], SWIFTLET_MULL_HIGH(w0, x0));
                    sum[p][2] = vpadalq_s16(sum[p][2], vmull_s8(vget_low_s8(w1), vget_low_s8(x0)));
                    sum[p][3] = vpadalq_s16(sum[p][3], SWIFTLET_MULL_HIGH(w1, x0));
                }
            }
        }

        const int32x4_t bias0 = vld1q_s32(a->bias + o), bias1 = vld1q_s32(a->bias + o + 4);
        const float32x4_t scale0 = vld1q_f32(a->scales + o), scale1 = vld1q_f32(a->scales + o + 4);
        int8x8_t bytes[8];
#pragma clang loop unroll(full)
        for (int p = 0; p < tile; p++) {
            const int32x4_t value0 = scaled(vaddq_s32(pairwise(sum[p][0], sum[p][1]), bias0), scale0);
            const int32x4_t value1 = scaled(vaddq_s32(pairwise(sum[p][2], sum[p][3]), bias1), scale1);
            bytes[p] = clamped8(narrowed(value0, value1, range), range);
        }
        store_tile(a->output + o, a->outputPixelStride, bytes, tile, a->pixels, a->channels - o);
    }
}
