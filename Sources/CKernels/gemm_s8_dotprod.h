// The body of the SDOT GEMM kernels: a quad of input channels of four output channels an instruction, exact for any
// int8 weights.
#pragma once
#include "neon.h"

#define SWIFTLET_DOTPROD __attribute__((target("dotprod")))

#define SWIFTLET_QUAD(lane)                                                       \
    do {                                                                          \
        const int8x16_t w0 = vld1q_s8(w + 32 * lane);                             \
        const int8x16_t w1 = vld1q_s8(w + 32 * lane + 16);                        \
        _Pragma("clang loop unroll(full)") for (int p = 0; p < tile; p++) {       \
            sum[p][0] = vdotq_laneq_s32(sum[p][0], w0, v[p], lane);               \
            sum[p][1] = vdotq_laneq_s32(sum[p][1], w1, v[p], lane);               \
        }                                                                         \
    } while (0)

static inline __attribute__((target("dotprod"), always_inline)) void gemm_s8_dotprod(
    const swiftlet_gemm_s8_arguments *a, const int tile) {
    const output_range_neon range = output_range(a->zeroPoint, a->lowest, a->highest);
    const int32_t quads = a->quads;
    const int8_t *w = a->weights;

    for (int32_t o = 0; o < a->channels; o += 8) {
        int32x4_t sum[8][2];
        const int32x4_t bias0 = vld1q_s32(a->bias + o), bias1 = vld1q_s32(a->bias + o + 4);
#pragma clang loop unroll(full)
        for (int p = 0; p < tile; p++) {
            sum[p][0] = bias0;
            sum[p][1] = bias1;
        }
        if (a->pixelBias) {
#pragma clang loop unroll(full)
            for (int p = 0; p < tile; p++) {
                const int32x4_t pixelBias = vdupq_n_s32(a->pixelBias[p]);
                sum[p][0] = vaddq_s32(bias0, pixelBias);
                sum[p][1] = vaddq_s32(bias1, pixelBias);
            }
        }
        for (int32_t tap = 0; tap < a->taps; tap++) {
            const int8_t *x[8];
#pragma clang loop unroll(full)
            for (int p = 0; p < tile; p++) x[p] = a->rows[tap * tile + p];
            int32_t q = 0;
            for (; q + 4 <= quads; q += 4, w += 128) {
                int8x16_t v[8];
#pragma clang loop unroll(full)
                for (int p = 0; p < tile; p++) {
                    v[p] = vld1q_s8(x[p]);
                    x[p] += 16;
                }
                SWIFTLET_QUAD(0);
                SWIFTLET_QUAD(1);
                SWIFTLET_QUAD(2);
                SWIFTLET_QUAD(3);
            }
            for (; q < quads; q++, w += 32) {
                int8x16_t v[8];
#pragma clang loop unroll(full)
                for (int p = 0; p < tile; p++) {
                    v[p] = vcombine_s8(vld1_s8(x[p]), vdup_n_s8(0));
                    x[p] += 4;
                }
                SWIFTLET_QUAD(0);
            }
        }

        const float32x4_t scale0 = vld1q_f32(a->scales + o), scale1 = vld1q_f32(a->scales + o + 4);
        int8x8_t bytes[8];
#pragma clang loop unroll(full)
        for (int p = 0; p < tile; p++) {
            const int32x4_t value0 = scaled(sum[p][0], scale0), value1 = scaled(sum[p][1], scale1);
            bytes[p] = clamped8(narrowed(value0, value1, range), range);
        }
        store_tile(a->output + o, a->outputPixelStride, bytes, tile, a->pixels, a->channels - o);
    }
}
