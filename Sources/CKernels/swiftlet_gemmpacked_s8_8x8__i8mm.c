#if defined(__aarch64__)
#include "gemm_tiles_neon.h"

#define SWIFTLET_I8MM __attribute__((target("i8mm")))
#define SWIFTLET_I8MM_INLINE static inline __attribute__((target("i8mm"), always_inline))

// Two quads of eight channels as [channels 0 4 1 5 2 6 3 7][input 0..<8], 64 bytes.
SWIFTLET_I8MM_INLINE void zip_quads(const int8_t *w, int8_t *panel, const int count) {
    const int32x4_t zero = vdupq_n_s32(0);
    const int32_t *quads = (const int32_t *)w;
    const int32x4x4_t v = {{
        vld1q_s32(quads),
        count > 1 ? vld1q_s32(quads + 8) : zero,
        vld1q_s32(quads + 4),
        count > 1 ? vld1q_s32(quads + 12) : zero,
    }};
    vst4q_s32((int32_t *)panel, v);
}

// Copies a panel of weights into the order of SMMLA, zeros behind it up to a multiple of four quads.
SWIFTLET_I8MM_INLINE void zip_panel(const int8_t *w, int8_t *panel, int32_t quads) {
    for (; quads >= 8; quads -= 8) {
        SWIFTLET_UNROLL for (int i = 0; i < 4; i++) {
            zip_quads(w + 64 * i, panel, 2);
            panel += 64;
            SWIFTLET_STEPPED(panel);
        }
        w += 256;
    }
    for (; quads > 1; quads -= 2) {
        zip_quads(w, panel, 2);
        w += 64;
        panel += 64;
    }
    if (quads > 0) {
        zip_quads(w, panel, 1);
        panel += 64;
    }
    // At most three quads are missing.
    memset(panel, 0, 64);
}

// What the tiles of a panel share: bias and scale of channels j and j + 4, twice, for j in 0..<4.
typedef struct {
    int32_t bias[16];
    float scale[16];
    output_range_neon range;
    uint8x16_t order;
} panel_constants;

// Scales, rounds and stores eight channels of `pairs` times two pixels; an accumulator has two channels of both.
SWIFTLET_I8MM_INLINE void finish_tile(
    const swiftlet_gemm_tiles_arguments *a, int8_t *output, const int32_t *pixelBias, int32_t channels, int32x4_t *sum,
    const int pairs, int32_t valid, int isClamped, const panel_constants *constants) {
    if (pixelBias) {
        SWIFTLET_UNROLL for (int p = 0; p < pairs; p++) {
            const int32_t first = 2 * p < valid ? pixelBias[2 * p] : 0;
            const int32_t second = 2 * p + 1 < valid ? pixelBias[2 * p + 1] : 0;
            const int32x4_t addend = vcombine_s32(vdup_n_s32(first), vdup_n_s32(second));
            SWIFTLET_UNROLL for (int j = 0; j < 4; j++) sum[4 * p + j] = vaddq_s32(sum[4 * p + j], addend);
        }
    }
    float32x4_t scale[4];
    SWIFTLET_UNROLL for (int j = 0; j < 4; j++) scale[j] = vld1q_f32(constants->scale + 4 * j);
    const output_range_neon *range = &constants->range;
    const uint8x16_t order = constants->order;
    int8x16_t values[4];
    SWIFTLET_UNROLL for (int p = 0; p < pairs; p++) {
        values[p] = vqtbl1q_s8(
            narrowed16(
                scaled(sum[4 * p], scale[0]), scaled(sum[4 * p + 1], scale[1]), scaled(sum[4 * p + 2], scale[2]),
                scaled(sum[4 * p + 3], scale[3]), *range),
            order);
    }
    if (isClamped) {
        SWIFTLET_UNROLL for (int p = 0; p < pairs; p++) values[p] = clamped16(values[p], *range);
    }
    store_pixels(output, a->outputPixelStride, values, 2 * pairs, valid, channels);
}

// Two pixels by eight channels, by the numbers of the registers.
#define SWIFTLET_PAIR(sum0, sum1, sum2, sum3, w0, w1, w2, w3, x)                              \
    "smmla v" #sum0 ".4s, v" #x ".16b, v" #w0 ".16b\n smmla v" #sum1 ".4s, v" #x ".16b, v" #w1 ".16b\n" \
    "smmla v" #sum2 ".4s, v" #x ".16b, v" #w2 ".16b\n smmla v" #sum3 ".4s, v" #x ".16b, v" #w3 ".16b\n"
#define SWIFTLET_LOW(w0, w1, w2, w3, x0, x1)                                                  \
    SWIFTLET_PAIR(0, 1, 2, 3, w0, w1, w2, w3, x0) SWIFTLET_PAIR(4, 5, 6, 7, w0, w1, w2, w3, x1)
#define SWIFTLET_HIGH(w0, w1, w2, w3, x0, x1)                                                 \
    SWIFTLET_PAIR(8, 9, 10, 11, w0, w1, w2, w3, x0) SWIFTLET_PAIR(12, 13, 14, 15, w0, w1, w2, w3, x1)
#define SWIFTLET_FIRST_LOW SWIFTLET_LOW(16, 17, 18, 19, 24, 25)
#define SWIFTLET_FIRST_HIGH SWIFTLET_HIGH(16, 17, 18, 19, 28, 29)
#define SWIFTLET_SECOND_LOW SWIFTLET_LOW(20, 21, 22, 23, 26, 27)
#define SWIFTLET_SECOND_HIGH SWIFTLET_HIGH(20, 21, 22, 23, 30, 31)

// One panel by the first `valid` of the 8 pixels of a packed tile.
SWIFTLET_I8MM_INLINE void gemm_tile(
    const swiftlet_gemm_tiles_arguments *a, int32_t quads, const int8_t *x, const int8_t *w, int8_t *output,
    const int32_t *pixelBias, int32_t channels, int32_t valid, int isClamped, const panel_constants *constants) {
    SWIFTLET_DECLARE_SUMS;
    SWIFTLET_BEGIN_SUMS(constants->bias);
    const int32_t sixteens = quads >> 4, fours = ((quads & 15) + 3) >> 2;
    if (sixteens) {
        SWIFTLET_ADD_QUADS("// MCA gemmpacked_s8_8x8__i8mm 4096\n", SWIFTLET_SIXTEEN_QUADS, sixteens, x, w);
    }
    if (fours) SWIFTLET_ADD_QUADS("", SWIFTLET_FIRST_LOADS SWIFTLET_FOUR_QUADS, fours, x, w);
    int32x4_t sum[16] = {s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15};
    finish_tile(a, output, pixelBias, channels, sum, 4, valid, isClamped, constants);
}

// One panel by the first `pairs` of two pixels, 1 or 2, of a packed tile.
SWIFTLET_I8MM_INLINE void gemm_part(
    const swiftlet_gemm_tiles_arguments *a, const int8_t *x, int8_t *output, const int32_t *pixelBias, int32_t channels,
    const int pairs, int32_t valid, int isClamped, const panel_constants *constants) {
    const int8_t *w = a->panel;
    int32x4_t sum[8];
    SWIFTLET_UNROLL for (int i = 0; i < 4 * pairs; i++) sum[i] = vld1q_s32(constants->bias + i % 4 * 4);
    for (int32_t q = a->quads; q > 0; q -= 4) {
        const int8x16x4_t w0 = vld1q_s8_x4(w);
        w += 64;
        SWIFTLET_STEPPED(w);
        const int8x16x4_t w1 = vld1q_s8_x4(w), v = vld1q_s8_x4(x);
        w += 64;
        SWIFTLET_STEPPED(w);
        x += 128;
        SWIFTLET_UNROLL for (int i = 0; i < 4 * pairs; i++) {
            sum[i] = vmmlaq_s32(sum[i], v.val[i / 4], w0.val[i % 4]);
            sum[i] = vmmlaq_s32(sum[i], v.val[2 + i / 4], w1.val[i % 4]);
        }
    }
    finish_tile(a, output, pixelBias, channels, sum, pairs, valid, isClamped, constants);
}

// A tile of 8 pixels is packed as [four quads][four pixels, twice][two quads, twice][pixel 0..<4][input 0..<8].
SWIFTLET_I8MM void swiftlet_gemmpacked_s8_8x8__i8mm(const swiftlet_gemm_tiles_arguments *a) {
    // From channels j and j + 4 of two pixels, four times, to eight channels of a pixel, twice.
    static const uint8_t orderBytes[16] = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
    panel_constants constants;
    constants.range = output_range(a->zeroPoint, a->lowest, a->highest);
    constants.order = vld1q_u8(orderBytes);
    const int isClamped = clamps(a);
    const int32_t quads = a->quads;
    const intptr_t tileBytes = (intptr_t)((quads + 3) / 4) * 128, tileStride = 8 * a->outputPixelStride;
    const int8_t *w = a->weights;
    for (int32_t o = 0; o < a->channels; o += 8, w += (intptr_t)32 * a->quads) {
        zip_panel(w, a->panel, a->quads);
        for (int i = 0; i < 16; i++) {
            constants.bias[i] = a->bias[o + i / 4 + i % 2 * 4];
            constants.scale[i] = a->scales[o + i / 4 + i % 2 * 4];
        }
        const int32_t channels = a->channels - o;
        const int8_t *x = a->activations;
        const int32_t *pixelBias = a->pixelBias;
        int8_t *output = a->output + o;
        int32_t left = a->pixels;
        // Most tiles, without a look at what the others need.
        if (channels >= 8 && !pixelBias && !isClamped) {
            for (; left >= 8; left -= 8) {
                gemm_tile(a, quads, x, a->panel, output, 0, 8, 8, 0, &constants);
                x += tileBytes;
                output += tileStride;
            }
        }
        for (; left > 4; left -= 8) {
            gemm_tile(a, quads, x, a->panel, output, pixelBias, channels, left < 8 ? left : 8, isClamped, &constants);
            x += tileBytes;
            output += tileStride;
            if (pixelBias) pixelBias += 8;
        }
        if (left > 2) {
            gemm_part(a, x, output, pixelBias, channels, 2, left, isClamped, &constants);
        } else if (left > 0) {
            gemm_part(a, x, output, pixelBias, channels, 1, left, isClamped, &constants);
        }
    }
}
#endif
