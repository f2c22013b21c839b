#if defined(__aarch64__)
#include "gemm_tiles_neon.h"

#define SWIFTLET_DOTPROD __attribute__((target("dotprod")))
#define SWIFTLET_DOTPROD_INLINE static inline __attribute__((target("dotprod"), always_inline))

// One quad of eight channels by up to four pixels, whose quads are the lanes of x.
SWIFTLET_DOTPROD_INLINE void add_quad(
    int32x4_t (*sum)[2], const int pixels, int8x16_t w0, int8x16_t w1, int8x16_t x) {
    if (pixels > 0) {
        sum[0][0] = vdotq_laneq_s32(sum[0][0], w0, x, 0);
        sum[0][1] = vdotq_laneq_s32(sum[0][1], w1, x, 0);
    }
    if (pixels > 1) {
        sum[1][0] = vdotq_laneq_s32(sum[1][0], w0, x, 1);
        sum[1][1] = vdotq_laneq_s32(sum[1][1], w1, x, 1);
    }
    if (pixels > 2) {
        sum[2][0] = vdotq_laneq_s32(sum[2][0], w0, x, 2);
        sum[2][1] = vdotq_laneq_s32(sum[2][1], w1, x, 2);
    }
    if (pixels > 3) {
        sum[3][0] = vdotq_laneq_s32(sum[3][0], w0, x, 3);
        sum[3][1] = vdotq_laneq_s32(sum[3][1], w1, x, 3);
    }
}

// One panel by the first `tile` pixels, 1, 4 or 8, of a packed tile.
SWIFTLET_DOTPROD_INLINE void gemm_tile(
    const swiftlet_gemm_tiles_arguments *a, const int8_t *x, const int8_t *w, int8_t *output, const int32_t *pixelBias,
    int32_t o, const int tile, int32_t valid, const output_range_neon *range) {
    int32x4_t sum[8][2];
    const int32x4_t bias0 = vld1q_s32(a->bias + o), bias1 = vld1q_s32(a->bias + o + 4);
    SWIFTLET_UNROLL for (int p = 0; p < tile; p++) {
        sum[p][0] = bias0;
        sum[p][1] = bias1;
    }
    if (pixelBias) {
        SWIFTLET_UNROLL for (int p = 0; p < tile; p++) {
            const int32x4_t addend = vdupq_n_s32(p < valid ? pixelBias[p] : 0);
            sum[p][0] = vaddq_s32(bias0, addend);
            sum[p][1] = vaddq_s32(bias1, addend);
        }
    }
    const int groups = tile > 4 ? 2 : 1;
    int32_t q = a->quads >> 2;
    if (q > 0) {
        do {
            if (tile == 8) SWIFTLET_LOOP("gemmpacked_s8_8x8__dotprod", "1024");
            const int8x16x4_t w0 = vld1q_s8_x4(w);
            w += 64;
            SWIFTLET_STEPPED(w);
            const int8x16x4_t w1 = vld1q_s8_x4(w);
            w += 64;
            SWIFTLET_STEPPED(w);
            SWIFTLET_UNROLL for (int g = 0; g < groups; g++) {
                const int8x16x4_t v = vld1q_s8_x4(x);
                x += groups == 1 ? 128 : 64;
                SWIFTLET_STEPPED(x);
                add_quad(sum + 4 * g, tile - 4 * g, w0.val[0], w0.val[1], v.val[0]);
                add_quad(sum + 4 * g, tile - 4 * g, w0.val[2], w0.val[3], v.val[1]);
                add_quad(sum + 4 * g, tile - 4 * g, w1.val[0], w1.val[1], v.val[2]);
                add_quad(sum + 4 * g, tile - 4 * g, w1.val[2], w1.val[3], v.val[3]);
            }
            q--;
        } while (q);
    }
    for (q = a->quads & 3; q > 0; q--) {
        const int8x16_t w0 = vld1q_s8(w), w1 = vld1q_s8(w + 16);
        w += 32;
        SWIFTLET_UNROLL for (int g = 0; g < groups; g++) {
            add_quad(sum + 4 * g, tile - 4 * g, w0, w1, vld1q_s8(x + 64 * g));
        }
        x += 16;
    }

    SWIFTLET_AFTER_LOOP();
    const float32x4_t scale0 = vld1q_f32(a->scales + o), scale1 = vld1q_f32(a->scales + o + 4);
    int8x16_t values[4];
    SWIFTLET_UNROLL for (int p = 0; p < tile; p += 2) {
        const int next = p + 1 < tile ? p + 1 : p;
        values[p / 2] = narrowed16(
            scaled(sum[p][0], scale0), scaled(sum[p][1], scale1), scaled(sum[next][0], scale0),
            scaled(sum[next][1], scale1), *range);
    }
    if (clamps(a)) {
        SWIFTLET_UNROLL for (int p = 0; p < tile; p += 2) values[p / 2] = clamped16(values[p / 2], *range);
    }
    store_pixels(output, a->outputPixelStride, values, tile, valid, a->channels - o);
}

// A tile of 8 pixels is packed as [four quads][four pixels, twice][quad 0..<4][pixel 0..<4][input 0..<4]: SDOT by element
// multiplies a quad of four channels with one pixel's.
SWIFTLET_DOTPROD void swiftlet_gemmpacked_s8_8x8__dotprod(const swiftlet_gemm_tiles_arguments *a) {
    const output_range_neon range = output_range(a->zeroPoint, a->lowest, a->highest);
    const intptr_t tileBytes = (intptr_t)((a->quads + 3) / 4) * 128;
    const int8_t *w = a->weights;
    for (int32_t o = 0; o < a->channels; o += 8, w += (intptr_t)32 * a->quads) {
        const int8_t *x = a->activations;
        const int32_t *pixelBias = a->pixelBias;
        int8_t *output = a->output + o;
        int32_t left = a->pixels;
        for (; left >= 8; left -= 8) {
            gemm_tile(a, x, w, output, pixelBias, o, 8, 8, &range);
            x += tileBytes;
            output += 8 * a->outputPixelStride;
            if (pixelBias) pixelBias += 8;
        }
        if (left > 4) {
            gemm_tile(a, x, w, output, pixelBias, o, 8, left, &range);
        } else if (left > 1) {
            gemm_tile(a, x, w, output, pixelBias, o, 4, left, &range);
        } else if (left > 0) {
            gemm_tile(a, x, w, output, pixelBias, o, 1, 1, &range);
        }
    }
}
#endif
