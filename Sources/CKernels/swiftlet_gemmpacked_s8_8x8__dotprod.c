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

// Scales and rounds eight channels of two times `pairs` pixels, two a register.
SWIFTLET_DOTPROD_INLINE void finish_sums(
    int8x16_t *values, const int32x4_t *sum, const int pairs, const panel_constants *constants) {
    const float32x4_t scale0 = vld1q_f32(constants->scale), scale1 = vld1q_f32(constants->scale + 4);
    SWIFTLET_UNROLL for (int p = 0; p < pairs; p++) {
        const int32x4_t *s = sum + 4 * p;
        values[p] = narrowed16(
            scaled(s[0], scale0), scaled(s[1], scale1), scaled(s[2], scale0), scaled(s[3], scale1), constants->range);
    }
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

// The quads of a run, as the loops take them.
typedef struct {
    int32_t parts;
    int32_t sixteens;
    int32_t fours;
    int32_t rest;
    int isWhole;           // one part, a multiple of sixteen
    intptr_t skipped;      // bytes of weights from the end of a part to the next one
    intptr_t tileBytes;    // of a packed tile
} run_quads;

// The sums of one panel by the 8 pixels of a packed tile. `isWhole`: quads are one part, a multiple of sixteen; then the
// end of the tile is returned.
SWIFTLET_DOTPROD_INLINE const int8_t *sum_tile(
    int32x4_t *sum, run_quads quads, const int isWhole, const int8_t *x, const int8_t *w,
    const panel_constants *constants) {
    SWIFTLET_DECLARE_SUMS;
    SWIFTLET_BEGIN_SUMS(constants->bias);
    int32_t parts = quads.parts;
    do {
        if (isWhole || quads.sixteens) {
            SWIFTLET_ADD_QUADS(
                "// MCA gemmpacked_s8_8x8__dotprod 4096\n", SWIFTLET_SIXTEEN_QUADS, quads.sixteens, x, w);
        }
        if (isWhole) break;
        if (quads.fours) SWIFTLET_ADD_QUADS("", SWIFTLET_FIRST_LOADS SWIFTLET_FOUR_QUADS, quads.fours, x, w);
        w += quads.skipped;
    } while (--parts);
    const int32x4_t sums[16] = {s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15};
    SWIFTLET_UNROLL for (int i = 0; i < 16; i++) sum[i] = sums[i];
    for (int32_t q = isWhole ? 0 : quads.rest; q > 0; q--) {
        const int8x16_t w0 = vld1q_s8(w), w1 = vld1q_s8(w + 16);
        w += 32;
        add_quad(sum, 4, w0, w1, vld1q_s8(x));
        add_quad(sum + 8, 4, w0, w1, vld1q_s8(x + 64));
        x += 16;
    }
    return x;
}

// Four quads by `low` pixels of the first half of a tile and `high` of the second one; steps both pointers.
// `step` is 128.
SWIFTLET_DOTPROD_INLINE void add_four_quads(
    int32x4_t *sum, const int low, const int high, const int8_t **x, const int8_t **w, intptr_t step) {
    const int8x16x4_t first = vld1q_s8_x4(*x);
    *x += high ? 64 : step;
    SWIFTLET_STEPPED(*x);
    const int8x16x4_t second = high ? vld1q_s8_x4(*x) : first;
    if (high) *x += 64;
    SWIFTLET_UNROLL for (int i = 0; i < 4; i += 2) {
        const int8x16x4_t v = vld1q_s8_x4(*w);
        *w += 64;
        SWIFTLET_STEPPED(*w);
        SWIFTLET_UNROLL for (int j = 0; j < 2; j++) {
            add_quad(sum, low, v.val[2 * j], v.val[2 * j + 1], first.val[i + j]);
            add_quad(sum + 8, high, v.val[2 * j], v.val[2 * j + 1], second.val[i + j]);
        }
    }
}

// The sums of one panel by the first `pixels`, fewer than 8, of a packed tile.
SWIFTLET_DOTPROD_INLINE void sum_part(
    int32x4_t *sums, run_quads quads, const int pixels, const int8_t *x, const int8_t *w,
    const panel_constants *constants) {
    enum { most = 14 };
    const int low = pixels < 4 ? pixels : 4, high = pixels - low;
    int32x4_t sum[most];
    SWIFTLET_UNROLL for (int i = 0; i < 2 * pixels; i++) sum[i] = vld1q_s32(constants->bias + 4 * (i % 2));
    const int32_t fours = 4 * quads.sixteens + quads.fours;
    // Hidden, so that loads step by a register.
    intptr_t step = 128;
    SWIFTLET_STEPPED(step);
    for (int32_t part = quads.parts; part > 0; part--, w += quads.skipped) {
        // Short ones twice at a time.
        int32_t pairs = high ? 0 : fours >> 1, left = high ? fours : fours & 1;
        if (pairs > 0) {
            do {
                add_four_quads(sum, low, high, &x, &w, step);
                add_four_quads(sum, low, high, &x, &w, step);
                pairs--;
            } while (pairs);
        }
        if (left > 0) {
            do {
                add_four_quads(sum, low, high, &x, &w, step);
                left--;
            } while (left);
        }
    }
    for (int32_t q = quads.rest; q > 0; q--, x += 16, w += 32) {
        const int8x16_t w0 = vld1q_s8(w), w1 = vld1q_s8(w + 16);
        add_quad(sum, low, w0, w1, vld1q_s8(x));
        if (high) add_quad(sum + 8, high, w0, w1, vld1q_s8(x + 64));
    }
    SWIFTLET_UNROLL for (int i = 0; i < 2 * pixels; i++) sums[i] = sum[i];
}

SWIFTLET_DOTPROD_INLINE run_quads quads_of_run(const swiftlet_tile_run *run) {
    const int32_t quads = run->quads;
    return (run_quads){
        run->parts,
        quads >> 4,
        quads >> 2 & 3,
        quads & 3,
        run->parts == 1 && quads % 16 == 0,
        run->parts > 1 ? run->weightStride - 32 * (intptr_t)quads : 0,
        (intptr_t)run->parts * ((quads + 3) >> 2) * 128,
    };
}

// A tile of up to 8 pixels, whatever its place, channels and range. Not inlined: most tiles are others.
SWIFTLET_DOTPROD __attribute__((noinline)) static void finish_any(
    run_cursor *cursor, int32x4_t *sum, const int32_t *pixelBias, int32_t pixels, int32_t channels, int isClamped,
    const panel_constants *constants) {
    for (int32_t p = 0; pixelBias && p < pixels; p++) {
        const int32x4_t addend = vdupq_n_s32(pixelBias[p]);
        sum[2 * p] = vaddq_s32(sum[2 * p], addend);
        sum[2 * p + 1] = vaddq_s32(sum[2 * p + 1], addend);
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

// `tiles` whole tiles that do not end their row.
SWIFTLET_DOTPROD_INLINE void gemm_row(
    run_cursor *cursor, run_quads quads, const int isWhole, int32_t tiles, const int8_t *x, const int8_t *w,
    const panel_constants *constants) {
    // Not in memory.
    run_cursor next = *cursor;
    if (tiles == 0) return;
    do {
        int32x4_t sum[16];
        int8x16_t values[4];
        const int8_t *end = sum_tile(sum, quads, isWhole, x, w, constants);
        x = isWhole ? end : x + quads.tileBytes;
        finish_sums(values, sum, 4, constants);
        store_eight_pixels(&next, values, 1);
    } while (--tiles);
    cursor->output = next.output;
}

// The tiles of one panel in one run; returns the first after them.
SWIFTLET_DOTPROD_INLINE const int8_t *gemm_run(
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
            if (quads.isWhole) {
                gemm_row(&cursor, quads, 1, tiles, x, w, constants);
            } else {
                gemm_row(&cursor, quads, 0, tiles, x, w, constants);
            }
            x += tiles * quads.tileBytes;
            left -= 8 * tiles;
            cursor.left -= 8 * tiles;
            if (left == 0) break;
        }
        const int32_t pixels = left < 8 ? left : 8;
        if (pixels == 8) {
            int32x4_t sum[16];
            sum_tile(sum, quads, 0, x, w, constants);
            if (isPlain) {
                int8x16_t values[4];
                finish_sums(values, sum, 4, constants);
                store_eight_pixels(&cursor, values, 0);
            } else {
                finish_any(&cursor, sum, pixelBias, 8, channels, isClamped, constants);
            }
        } else {
            int32x4_t sum[16] = {{0}};
            switch (pixels) {
            case 1: sum_part(sum, quads, 1, x, w, constants); break;
            case 2: sum_part(sum, quads, 2, x, w, constants); break;
            case 3: sum_part(sum, quads, 3, x, w, constants); break;
            case 4: sum_part(sum, quads, 4, x, w, constants); break;
            case 5: sum_part(sum, quads, 5, x, w, constants); break;
            case 6: sum_part(sum, quads, 6, x, w, constants); break;
            default: sum_part(sum, quads, 7, x, w, constants); break;
            }
            finish_any(&cursor, sum, pixelBias, pixels, channels, isClamped, constants);
        }
        x += quads.tileBytes;
        left -= pixels;
        if (pixelBias) pixelBias += pixels;
    }
    return x;
}

// A tile of 8 pixels is packed as [four quads][four pixels, twice][quad 0..<4][pixel 0..<4][input 0..<4]: SDOT by element
// multiplies a quad of four channels with one pixel's.
SWIFTLET_DOTPROD void swiftlet_gemmpacked_s8_8x8__dotprod(const swiftlet_gemm_tiles_arguments *a) {
    panel_constants constants;
    constants.range = output_range(a->zeroPoint, a->lowest, a->highest);
    const int isClamped = clamps(a);
    run_quads quads[SWIFTLET_TILE_RUNS];
    for (int32_t i = 0; i < a->runCount; i++) quads[i] = quads_of_run(a->runs + i);
    const int8_t *w = a->weights;
    for (int32_t o = 0; o < a->channels; o += 8, w += (intptr_t)32 * a->quads) {
        memcpy(constants.scale, a->scales + o, 32);
        const int8_t *x = a->activations;
        for (int32_t i = 0; i < a->runCount; i++) {
            const swiftlet_tile_run *run = a->runs + i;
            begin_run(constants.bias, a, run, o);
            memcpy(constants.bias + 8, constants.bias, 32);
            x = gemm_run(
                a, run, quads[i], x, w + run->weights, a->output + o, a->channels - o, isClamped, &constants);
        }
    }
}
#endif
