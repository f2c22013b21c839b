#if defined(__aarch64__)
#include "gemm_tiles_neon.h"

#define SWIFTLET_DOTPROD __attribute__((target("dotprod")))
#define SWIFTLET_DOTPROD_INLINE static inline __attribute__((target("dotprod"), always_inline))

// One quad of eight channels by up to four pixels, whose quads are the lanes of x.
SWIFTLET_DOTPROD_INLINE void add_quad(
    int32x4_t *sum, const int pixels, int8x16_t w0, int8x16_t w1, int8x16_t x) {
    if (pixels > 0) {
        sum[0] = vdotq_laneq_s32(sum[0], w0, x, 0);
        sum[1] = vdotq_laneq_s32(sum[1], w1, x, 0);
    }
    if (pixels > 1) {
        sum[2] = vdotq_laneq_s32(sum[2], w0, x, 1);
        sum[3] = vdotq_laneq_s32(sum[3], w1, x, 1);
    }
    if (pixels > 2) {
        sum[4] = vdotq_laneq_s32(sum[4], w0, x, 2);
        sum[5] = vdotq_laneq_s32(sum[5], w1, x, 2);
    }
    if (pixels > 3) {
        sum[6] = vdotq_laneq_s32(sum[6], w0, x, 3);
        sum[7] = vdotq_laneq_s32(sum[7], w1, x, 3);
    }
}

// What the tiles of a panel share.
typedef struct {
    int32_t bias[16];    // of eight channels, twice
    float scale[8];
    output_range_neon range;
} panel_constants;

// Scales, rounds and stores eight channels of `tile` pixels.
SWIFTLET_DOTPROD_INLINE void finish_tile(
    int8_t *output, intptr_t stride, int32_t channels, const int32x4_t *sum, const int tile, int32_t valid,
    int isClamped, const panel_constants *constants) {
    const float32x4_t scale0 = vld1q_f32(constants->scale), scale1 = vld1q_f32(constants->scale + 4);
    const output_range_neon *range = &constants->range;
    int8x16_t values[4];
    SWIFTLET_UNROLL for (int p = 0; p < tile; p += 2) {
        const int next = p + 1 < tile ? p + 1 : p;
        values[p / 2] = narrowed16(
            scaled(sum[2 * p], scale0), scaled(sum[2 * p + 1], scale1), scaled(sum[2 * next], scale0),
            scaled(sum[2 * next + 1], scale1), *range);
    }
    if (isClamped) {
        SWIFTLET_UNROLL for (int p = 0; p < tile; p += 2) values[p / 2] = clamped16(values[p / 2], *range);
    }
    store_pixels(output, stride, values, tile, valid, channels);
}

// A quad of eight channels by one pixel, by the numbers of the registers.
#define SWIFTLET_PIXEL(sum0, sum1, w0, w1, x, lane)                              \
    "sdot v" #sum0 ".4s, v" #w0 ".16b, v" #x ".4b[" #lane "]\n"                  \
    "sdot v" #sum1 ".4s, v" #w1 ".16b, v" #x ".4b[" #lane "]\n"
#define SWIFTLET_LOW(w0, w1, x)                                                  \
    SWIFTLET_PIXEL(0, 1, w0, w1, x, 0) SWIFTLET_PIXEL(2, 3, w0, w1, x, 1)        \
    SWIFTLET_PIXEL(4, 5, w0, w1, x, 2) SWIFTLET_PIXEL(6, 7, w0, w1, x, 3)
#define SWIFTLET_HIGH(w0, w1, x)                                                 \
    SWIFTLET_PIXEL(8, 9, w0, w1, x, 0) SWIFTLET_PIXEL(10, 11, w0, w1, x, 1)      \
    SWIFTLET_PIXEL(12, 13, w0, w1, x, 2) SWIFTLET_PIXEL(14, 15, w0, w1, x, 3)
#define SWIFTLET_FIRST_LOW SWIFTLET_LOW(16, 17, 24) SWIFTLET_LOW(18, 19, 25)
#define SWIFTLET_FIRST_HIGH SWIFTLET_HIGH(16, 17, 28) SWIFTLET_HIGH(18, 19, 29)
#define SWIFTLET_SECOND_LOW SWIFTLET_LOW(20, 21, 26) SWIFTLET_LOW(22, 23, 27)
#define SWIFTLET_SECOND_HIGH SWIFTLET_HIGH(20, 21, 30) SWIFTLET_HIGH(22, 23, 31)

// One panel by the first `valid` of the 8 pixels of a packed tile. `isWhole`: quads is a multiple of sixteen.
SWIFTLET_DOTPROD_INLINE void gemm_tile(
    int32_t quads, const int isWhole, const int8_t *x, const int8_t *w, int8_t *output, intptr_t stride,
    const int32_t *pixelBias, int32_t channels, int32_t valid, int isClamped,
    const panel_constants *constants) {
    SWIFTLET_DECLARE_SUMS;
    SWIFTLET_BEGIN_SUMS(constants->bias);
    const int32_t sixteens = quads >> 4, fours = isWhole ? 0 : quads >> 2 & 3, rest = isWhole ? 0 : quads & 3;
    if (isWhole || sixteens) {
        SWIFTLET_ADD_QUADS("// MCA gemmpacked_s8_8x8__dotprod 4096\n", SWIFTLET_SIXTEEN_QUADS, sixteens, x, w);
    }
    if (fours) SWIFTLET_ADD_QUADS("", SWIFTLET_FIRST_LOADS SWIFTLET_FOUR_QUADS, fours, x, w);
    int32x4_t sum[16] = {s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15};
    for (int32_t q = rest; q > 0; q--) {
        const int8x16_t w0 = vld1q_s8(w), w1 = vld1q_s8(w + 16);
        w += 32;
        add_quad(sum, 4, w0, w1, vld1q_s8(x));
        add_quad(sum + 8, 4, w0, w1, vld1q_s8(x + 64));
        x += 16;
    }
    if (pixelBias) {
        SWIFTLET_UNROLL for (int p = 0; p < 8; p++) {
            const int32x4_t addend = vdupq_n_s32(p < valid ? pixelBias[p] : 0);
            sum[2 * p] = vaddq_s32(sum[2 * p], addend);
            sum[2 * p + 1] = vaddq_s32(sum[2 * p + 1], addend);
        }
    }
    finish_tile(output, stride, channels, sum, 8, valid, isClamped, constants);
}

// One panel by the first `tile` pixels, 1 or 4, of a packed tile.
SWIFTLET_DOTPROD_INLINE void gemm_part(
    const swiftlet_gemm_tiles_arguments *a, const int8_t *x, const int8_t *w, int8_t *output, const int32_t *pixelBias,
    int32_t channels, const int tile, int32_t valid, int isClamped, const panel_constants *constants) {
    int32x4_t sum[8];
    const int32x4_t bias0 = vld1q_s32(constants->bias), bias1 = vld1q_s32(constants->bias + 4);
    SWIFTLET_UNROLL for (int p = 0; p < tile; p++) {
        const int32x4_t addend = vdupq_n_s32(pixelBias && p < valid ? pixelBias[p] : 0);
        sum[2 * p] = vaddq_s32(bias0, addend);
        sum[2 * p + 1] = vaddq_s32(bias1, addend);
    }
    int32_t q = a->quads;
    for (; q >= 4; q -= 4) {
        const int8x16x4_t w0 = vld1q_s8_x4(w);
        w += 64;
        SWIFTLET_STEPPED(w);
        const int8x16x4_t w1 = vld1q_s8_x4(w), v = vld1q_s8_x4(x);
        w += 64;
        SWIFTLET_STEPPED(w);
        x += 128;
        add_quad(sum, tile, w0.val[0], w0.val[1], v.val[0]);
        add_quad(sum, tile, w0.val[2], w0.val[3], v.val[1]);
        add_quad(sum, tile, w1.val[0], w1.val[1], v.val[2]);
        add_quad(sum, tile, w1.val[2], w1.val[3], v.val[3]);
    }
    for (; q > 0; q--) {
        add_quad(sum, tile, vld1q_s8(w), vld1q_s8(w + 16), vld1q_s8(x));
        w += 32;
        x += 16;
    }
    finish_tile(output, a->outputPixelStride, channels, sum, tile, valid, isClamped, constants);
}

// A tile of 8 pixels is packed as [four quads][four pixels, twice][quad 0..<4][pixel 0..<4][input 0..<4]: SDOT by element
// multiplies a quad of four channels with one pixel's.
SWIFTLET_DOTPROD void swiftlet_gemmpacked_s8_8x8__dotprod(const swiftlet_gemm_tiles_arguments *a) {
    panel_constants constants;
    constants.range = output_range(a->zeroPoint, a->lowest, a->highest);
    const int isClamped = clamps(a);
    const int32_t quads = a->quads;
    const int isWhole = quads % 16 == 0;
    const intptr_t tileBytes = (intptr_t)((quads + 3) / 4) * 128, stride = a->outputPixelStride;
    const int8_t *w = a->weights;
    for (int32_t o = 0; o < a->channels; o += 8, w += (intptr_t)32 * a->quads) {
        memcpy(constants.bias, a->bias + o, 32);
        memcpy(constants.bias + 8, a->bias + o, 32);
        memcpy(constants.scale, a->scales + o, 32);
        const int32_t channels = a->channels - o;
        const int8_t *x = a->activations;
        const int32_t *pixelBias = a->pixelBias;
        int8_t *output = a->output + o;
        int32_t left = a->pixels;
        // Most tiles, without a look at what the others need.
        if (channels >= 8 && !pixelBias && !isClamped) {
            for (; left >= 8 && isWhole; left -= 8) {
                gemm_tile(quads, 1, x, w, output, stride, 0, 8, 8, 0, &constants);
                x += tileBytes;
                output += 8 * stride;
            }
            for (; left >= 8; left -= 8) {
                gemm_tile(quads, 0, x, w, output, stride, 0, 8, 8, 0, &constants);
                x += tileBytes;
                output += 8 * stride;
            }
        }
        for (; left > 4; left -= 8) {
            gemm_tile(
                quads, 0, x, w, output, stride, pixelBias, channels, left < 8 ? left : 8, isClamped, &constants);
            x += tileBytes;
            output += 8 * stride;
            if (pixelBias) pixelBias += 8;
        }
        if (left > 1) {
            gemm_part(a, x, w, output, pixelBias, channels, 4, left, isClamped, &constants);
        } else if (left > 0) {
            gemm_part(a, x, w, output, pixelBias, channels, 1, 1, isClamped, &constants);
        }
    }
}
#endif
