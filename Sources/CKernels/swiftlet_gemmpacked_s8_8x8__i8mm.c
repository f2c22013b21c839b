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

// Scales and rounds eight channels of two times `pairs` pixels, two a register; a sum has two channels of both.
SWIFTLET_I8MM_INLINE void finish_sums(
    int8x16_t *values, const int32x4_t *sum, const int pairs, const panel_constants *constants) {
    float32x4_t scale[4];
    SWIFTLET_UNROLL for (int j = 0; j < 4; j++) scale[j] = vld1q_f32(constants->scale + 4 * j);
    const output_range_neon range = constants->range;
    const uint8x16_t order = constants->order;
    SWIFTLET_UNROLL for (int p = 0; p < pairs; p++) {
        const int32x4_t *s = sum + 4 * p;
        values[p] = vqtbl1q_s8(
            narrowed16(
                scaled(s[0], scale[0]), scaled(s[1], scale[1]), scaled(s[2], scale[2]), scaled(s[3], scale[3]), range),
            order);
    }
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

// The quads of a run, as the loops take them.
typedef struct {
    int32_t parts;
    int32_t sixteens;
    int32_t fours;         // the last one filled up
    intptr_t skipped;      // bytes of weights from the end of a part to the next one
    intptr_t tileBytes;    // of a packed tile
} run_quads;

// The sums of one panel by the 8 pixels of a packed tile.
SWIFTLET_I8MM_INLINE void sum_tile(
    int32x4_t *sum, run_quads quads, const int8_t *x, const int8_t *w, const panel_constants *constants) {
    SWIFTLET_DECLARE_SUMS;
    SWIFTLET_BEGIN_SUMS(constants->bias);
    int32_t parts = quads.parts;
    do {
        if (quads.sixteens) {
            SWIFTLET_ADD_QUADS("// MCA gemmpacked_s8_8x8__i8mm 4096\n", SWIFTLET_SIXTEEN_QUADS, quads.sixteens, x, w);
        }
        if (quads.fours) SWIFTLET_ADD_QUADS("", SWIFTLET_FIRST_LOADS SWIFTLET_FOUR_QUADS, quads.fours, x, w);
        w += quads.skipped;
    } while (--parts);
    const int32x4_t sums[16] = {s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15};
    SWIFTLET_UNROLL for (int i = 0; i < 16; i++) sum[i] = sums[i];
}

// The sums of one panel by the first `pairs`, 1 to 3, of two pixels of a packed tile.
SWIFTLET_I8MM_INLINE void sum_part(
    int32x4_t *sums, run_quads quads, const int pairs, const int8_t *x, const int8_t *w,
    const panel_constants *constants) {
    int32x4_t sum[12];
    SWIFTLET_UNROLL for (int i = 0; i < 4 * pairs; i++) sum[i] = vld1q_s32(constants->bias + i % 4 * 4);
    for (int32_t part = quads.parts; part > 0; part--, w += quads.skipped) {
        int32_t four = 4 * quads.sixteens + quads.fours;
        do {
            const int8x16x4_t low = vld1q_s8_x4(x);
            x += pairs > 2 ? 64 : 128;
            SWIFTLET_STEPPED(x);
            const int8x16x4_t high = pairs > 2 ? vld1q_s8_x4(x) : low;
            if (pairs > 2) x += 64;
            SWIFTLET_UNROLL for (int half = 0; half < 2; half++) {
                const int8x16x4_t v = vld1q_s8_x4(w);
                w += 64;
                SWIFTLET_STEPPED(w);
                SWIFTLET_UNROLL for (int i = 0; i < 4 * pairs; i++) {
                    const int8x16_t pair = i < 8 ? low.val[2 * half + i / 4] : high.val[2 * half];
                    sum[i] = vmmlaq_s32(sum[i], pair, v.val[i % 4]);
                }
            }
            four--;
        } while (four);
    }
    SWIFTLET_UNROLL for (int i = 0; i < 4 * pairs; i++) sums[i] = sum[i];
}

SWIFTLET_I8MM_INLINE run_quads quads_of_run(const swiftlet_tile_run *run) {
    const int32_t quads = run->quads;
    return (run_quads){
        run->parts,
        quads >> 4,
        ((quads & 15) + 3) >> 2,
        run->parts > 1 ? run->weightStride - 32 * (intptr_t)quads : 0,
        (intptr_t)run->parts * ((quads + 3) >> 2) * 128,
    };
}

// A tile of up to 8 pixels, whatever its place, channels and range. Not inlined: most tiles are others.
SWIFTLET_I8MM __attribute__((noinline)) static void finish_any(
    run_cursor *cursor, int32x4_t *sum, const int32_t *pixelBias, int32_t pixels, int32_t channels, int isClamped,
    const panel_constants *constants) {
    for (int32_t p = 0; pixelBias && p < pixels; p += 2) {
        const int32_t second = p + 1 < pixels ? pixelBias[p + 1] : 0;
        const int32x4_t addend = vcombine_s32(vdup_n_s32(pixelBias[p]), vdup_n_s32(second));
        for (int j = 0; j < 4; j++) sum[2 * p + j] = vaddq_s32(sum[2 * p + j], addend);
    }
    for (; pixels > 0; pixels -= 4, sum += 8) {
        int8x16_t values[2];
        finish_sums(values, sum, 2, constants);
        if (isClamped) {
            SWIFTLET_UNROLL for (int p = 0; p < 2; p++) values[p] = clamped16(values[p], constants->range);
        }
        store_some_pixels(cursor, values, pixels < 4 ? pixels : 4, channels);
    }
}

// The tiles of one panel in one run; returns the first after them.
SWIFTLET_I8MM_INLINE const int8_t *gemm_run(
    const swiftlet_gemm_tiles_arguments *a, const swiftlet_tile_run *run, const run_quads quads, const int8_t *x,
    const int8_t *w, int8_t *output, int32_t channels, int isClamped, const panel_constants *constants) {
    const int32_t *pixelBias = a->pixelBias;
    run_cursor cursor = first_of_run(run, output);
    int32_t left = run->pixels;
    const int isPlain = channels >= 8 && !pixelBias && !isClamped;
    while (left > 0) {
        // Most tiles, without a look at what the others need.
        if (isPlain) {
            const int32_t tiles = tiles_in_row(&cursor, left);
            // Not in memory.
            run_cursor next = cursor;
            for (int32_t tile = tiles; tile > 0; tile--, x += quads.tileBytes) {
                int32x4_t sum[16];
                int8x16_t values[4];
                sum_tile(sum, quads, x, w, constants);
                finish_sums(values, sum, 4, constants);
                store_eight_pixels(&next, values, 1);
            }
            cursor.output = next.output;
            left -= 8 * tiles;
            cursor.left -= 8 * tiles;
            if (left == 0) break;
        }
        const int32_t pixels = left < 8 ? left : 8;
        if (pixels > 6) {
            int32x4_t sum[16];
            sum_tile(sum, quads, x, w, constants);
            if (isPlain && pixels == 8) {
                int8x16_t values[4];
                finish_sums(values, sum, 4, constants);
                store_eight_pixels(&cursor, values, 0);
            } else {
                finish_any(&cursor, sum, pixelBias, pixels, channels, isClamped, constants);
            }
        } else {
            int32x4_t sum[16] = {{0}};
            switch ((pixels + 1) / 2) {
            case 1: sum_part(sum, quads, 1, x, w, constants); break;
            case 2: sum_part(sum, quads, 2, x, w, constants); break;
            default: sum_part(sum, quads, 3, x, w, constants); break;
            }
            finish_any(&cursor, sum, pixelBias, pixels, channels, isClamped, constants);
        }
        x += quads.tileBytes;
        left -= pixels;
        if (pixelBias) pixelBias += pixels;
    }
    return x;
}

// A tile of 8 pixels is packed as [four quads][four pixels, twice][two quads, twice][pixel 0..<4][input 0..<8].
SWIFTLET_I8MM void swiftlet_gemmpacked_s8_8x8__i8mm(const swiftlet_gemm_tiles_arguments *a) {
    // From channels j and j + 4 of two pixels, four times, to eight channels of a pixel, twice.
    static const uint8_t orderBytes[16] = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
    panel_constants constants;
    constants.range = output_range(a->zeroPoint, a->lowest, a->highest);
    constants.order = vld1q_u8(orderBytes);
    const int isClamped = clamps(a);
    run_quads quads[SWIFTLET_TILE_RUNS];
    for (int32_t i = 0; i < a->runCount; i++) quads[i] = quads_of_run(a->runs + i);
    const int8_t *w = a->weights;
    for (int32_t o = 0; o < a->channels; o += 8, w += (intptr_t)32 * a->quads) {
        zip_panel(w, a->panel, a->quads);
        for (int i = 0; i < 16; i++) constants.scale[i] = a->scales[o + i / 4 + i % 2 * 4];
        const int8_t *x = a->activations;
        for (int32_t i = 0; i < a->runCount; i++) {
            const swiftlet_tile_run *run = a->runs + i;
            int32_t bias[8];
            begin_run(bias, a, run, o);
            for (int j = 0; j < 16; j++) constants.bias[j] = bias[j / 4 + j % 2 * 4];
            x = gemm_run(
                a, run, quads[i], x, a->panel + run->weights, a->output + o, a->channels - o, isClamped, &constants);
        }
    }
}
#endif
