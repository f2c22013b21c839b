#if defined(__aarch64__)
#include "gemm_tiles_neon.h"

#define SWIFTLET_I8MM __attribute__((target("i8mm")))
#define SWIFTLET_I8MM_INLINE static inline __attribute__((target("i8mm"), always_inline))

// Two quads of eight channels as [two channels, four times][channel][input 0..<8], 64 bytes.
SWIFTLET_I8MM_INLINE void zip_quads(const int8_t *w, int8_t *panel, const int count) {
    const int8x16_t zero = vdupq_n_s8(0);
    SWIFTLET_UNROLL for (int half = 0; half < 2; half++) {
        const int32x4x2_t both = {{
            vreinterpretq_s32_s8(vld1q_s8(w + 16 * half)),
            vreinterpretq_s32_s8(count > 1 ? vld1q_s8(w + 16 * half + 32) : zero),
        }};
        vst2q_s32((int32_t *)(panel + 32 * half), both);
    }
}

// Copies a panel of weights into the order of SMMLA, zeros behind it up to a multiple of four quads.
SWIFTLET_I8MM_INLINE void zip_panel(const int8_t *w, int8_t *panel, int32_t quads) {
    for (int32_t q = quads; q > 1; q -= 2) {
        zip_quads(w, panel, 2);
        w += 64;
        panel += 64;
        SWIFTLET_STEPPED(w);
        SWIFTLET_STEPPED(panel);
    }
    if (quads & 1) {
        zip_quads(w, panel, 1);
        panel += 64;
    }
    if ((quads + 1) & 2) memset(panel, 0, 64);
}

// What the tiles of a panel share: bias and scale of two channels, twice, four times.
typedef struct {
    int32_t bias[16];
    float scale[16];
    output_range_neon range;
    uint8x16_t order;
    int isClamped;
} panel_constants;

// One panel by the first `tile` pixels, 2, 4 or 8, of a packed tile. An accumulator has two pixels of two channels.
SWIFTLET_I8MM_INLINE void gemm_tile(
    const swiftlet_gemm_tiles_arguments *a, const int8_t *x, int8_t *output, const int32_t *pixelBias, int32_t channels,
    const int tile, int32_t valid, const panel_constants *constants) {
    const int pairs = tile / 2;
    const int8_t *w = a->panel;
    int32x4_t sum[4][4];
    SWIFTLET_UNROLL for (int j = 0; j < 4; j++) {
        const int32x4_t bias = vld1q_s32(constants->bias + 4 * j);
        SWIFTLET_UNROLL for (int p = 0; p < pairs; p++) sum[p][j] = bias;
    }
    if (pixelBias) {
        SWIFTLET_UNROLL for (int p = 0; p < pairs; p++) {
            const int32_t first = 2 * p < valid ? pixelBias[2 * p] : 0;
            const int32_t second = 2 * p + 1 < valid ? pixelBias[2 * p + 1] : 0;
            const int32x4_t addend = vcombine_s32(vdup_n_s32(first), vdup_n_s32(second));
            SWIFTLET_UNROLL for (int j = 0; j < 4; j++) sum[p][j] = vaddq_s32(sum[p][j], addend);
        }
    }
    int32_t q = (a->quads + 3) >> 2;
    do {
        if (tile == 8) SWIFTLET_LOOP("gemmpacked_s8_8x8__i8mm", "1024");
        const int8x16x4_t w0 = vld1q_s8_x4(w);
        w += 64;
        SWIFTLET_STEPPED(w);
        const int8x16x4_t w1 = vld1q_s8_x4(w);
        w += 64;
        SWIFTLET_STEPPED(w);
        SWIFTLET_UNROLL for (int g = 0; g < pairs; g += 2) {
            const int8x16x4_t v = vld1q_s8_x4(x);
            x += pairs <= 2 ? 128 : 64;
            SWIFTLET_STEPPED(x);
            SWIFTLET_UNROLL for (int i = 0; i < 2 && g + i < pairs; i++) {
                SWIFTLET_UNROLL for (int j = 0; j < 4; j++) {
                    sum[g + i][j] = vmmlaq_s32(sum[g + i][j], v.val[2 * i], w0.val[j]);
                }
            }
            SWIFTLET_UNROLL for (int i = 0; i < 2 && g + i < pairs; i++) {
                SWIFTLET_UNROLL for (int j = 0; j < 4; j++) {
                    sum[g + i][j] = vmmlaq_s32(sum[g + i][j], v.val[2 * i + 1], w1.val[j]);
                }
            }
        }
        q--;
    } while (q);
    SWIFTLET_AFTER_LOOP();

    float32x4_t scale[4];
    SWIFTLET_UNROLL for (int j = 0; j < 4; j++) scale[j] = vld1q_f32(constants->scale + 4 * j);
    const output_range_neon *range = &constants->range;
    const uint8x16_t order = constants->order;
    int8x16_t values[4];
    SWIFTLET_UNROLL for (int p = 0; p < pairs; p++) {
        values[p] = vqtbl1q_s8(
            narrowed16(
                scaled(sum[p][0], scale[0]), scaled(sum[p][1], scale[1]), scaled(sum[p][2], scale[2]),
                scaled(sum[p][3], scale[3]), *range),
            order);
    }
    if (constants->isClamped) {
        SWIFTLET_UNROLL for (int p = 0; p < pairs; p++) values[p] = clamped16(values[p], *range);
    }
    store_pixels(output, a->outputPixelStride, values, tile, valid, channels);
}

// A tile of 8 pixels is packed as [four quads][two pixels, four times][two quads, twice][pixel 0..<2][input 0..<8].
SWIFTLET_I8MM void swiftlet_gemmpacked_s8_8x8__i8mm(const swiftlet_gemm_tiles_arguments *a) {
    // From two channels of two pixels, four times, to eight channels of a pixel, twice.
    static const uint8_t orderBytes[16] = {0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15};
    panel_constants constants;
    constants.range = output_range(a->zeroPoint, a->lowest, a->highest);
    constants.order = vld1q_u8(orderBytes);
    constants.isClamped = clamps(a);
    const intptr_t tileBytes = (intptr_t)((a->quads + 3) / 4) * 128;
    const int8_t *w = a->weights;
    for (int32_t o = 0; o < a->channels; o += 8, w += (intptr_t)32 * a->quads) {
        zip_panel(w, a->panel, a->quads);
        for (int i = 0; i < 16; i++) {
            constants.bias[i] = a->bias[o + i / 4 * 2 + i % 2];
            constants.scale[i] = a->scales[o + i / 4 * 2 + i % 2];
        }
        const int32_t channels = a->channels - o;
        const int8_t *x = a->activations;
        const int32_t *pixelBias = a->pixelBias;
        int8_t *output = a->output + o;
        int32_t left = a->pixels;
        for (; left >= 8; left -= 8) {
            gemm_tile(a, x, output, pixelBias, channels, 8, 8, &constants);
            x += tileBytes;
            output += 8 * a->outputPixelStride;
            if (pixelBias) pixelBias += 8;
        }
        if (left > 4) {
            gemm_tile(a, x, output, pixelBias, channels, 8, left, &constants);
        } else if (left > 2) {
            gemm_tile(a, x, output, pixelBias, channels, 4, left, &constants);
        } else if (left > 0) {
            gemm_tile(a, x, output, pixelBias, channels, 2, left, &constants);
        }
    }
}
#endif
