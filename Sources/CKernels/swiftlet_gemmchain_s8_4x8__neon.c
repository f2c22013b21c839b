#if defined(__aarch64__)
#include "gemm_tiles_neon.h"

// Adds one half of `length` quads of weights (low: two channels, high: the next two) times one pixel's quads.
SWIFTLET_INLINE int32x4_t add_chain(
    int32x4_t sum, const int8x16_t *w, const int8x16_t *x, const int length, const int isHigh) {
    int16x8_t products = isHigh ? vmull_high_s8(w[0], x[0]) : vmull_s8(vget_low_s8(w[0]), vget_low_s8(x[0]));
    SWIFTLET_UNROLL for (int i = 1; i < length; i++) {
        products = isHigh ? vmlal_high_s8(products, w[2 * i], x[i])
                          : vmlal_s8(products, vget_low_s8(w[2 * i]), vget_low_s8(x[i]));
    }
    return vpadalq_s16(sum, products);
}

// Four quads of eight channels by `tile` pixels, `length` of them summed in 16 bits.
SWIFTLET_INLINE void add_quads(
    int32x4_t (*sum)[4], const int8_t **x, const int8_t **weights, const int length, const int tile) {
    const int8_t *w = *weights;
    const int8x16x4_t w0 = vld1q_s8_x4(w);
    w += 64;
    SWIFTLET_STEPPED(w);
    const int8x16x4_t w1 = vld1q_s8_x4(w);
    w += 64;
    SWIFTLET_STEPPED(w);
    *weights = w;
    const int8x16_t ws[8] = {w0.val[0], w0.val[1], w0.val[2], w0.val[3], w1.val[0], w1.val[1], w1.val[2], w1.val[3]};
    SWIFTLET_UNROLL for (int p = 0; p < tile; p++) {
        const int32x4x4_t v = vld4q_dup_s32((const int32_t *)x[p]);
        x[p] += 16;
        SWIFTLET_STEPPED(x[p]);
        const int8x16_t xs[4] = {
            vreinterpretq_s8_s32(v.val[0]), vreinterpretq_s8_s32(v.val[1]), vreinterpretq_s8_s32(v.val[2]),
            vreinterpretq_s8_s32(v.val[3])};
        SWIFTLET_UNROLL for (int i = 0; i < 4; i += length) {
            sum[p][0] = add_chain(sum[p][0], ws + 2 * i, xs + i, length, 0);
            sum[p][1] = add_chain(sum[p][1], ws + 2 * i, xs + i, length, 1);
            sum[p][2] = add_chain(sum[p][2], ws + 2 * i + 1, xs + i, length, 0);
            sum[p][3] = add_chain(sum[p][3], ws + 2 * i + 1, xs + i, length, 1);
            // All 32 registers are in use: what follows waits for these sums.
            if (length < 4) __asm__("" : "+w"(sum[p][0]), "+w"(sum[p][1]), "+w"(sum[p][2]), "+w"(sum[p][3]));
        }
        if (p + 1 < tile) {
            __asm__("" : "+r"(x[p + 1]), "+w"(sum[p][0]), "+w"(sum[p][1]), "+w"(sum[p][2]), "+w"(sum[p][3]));
        }
    }
}

// All panels by `tile` pixels, 1 or 4, whose rows are `tile` of every four pointers.
SWIFTLET_INLINE void gemm_tile(
    const swiftlet_gemm_tiles_arguments *a, const int8_t *const *rows, const int8_t *w, const uint8_t **panelSteps,
    int8_t *output, const int32_t *pixelBias, int32_t o, const int tile, const output_range_neon *range) {
    const uint8_t *steps = *panelSteps;
    const int32x4_t zero = vdupq_n_s32(0);
    const int32x4_t bias0 = vld1q_s32(a->bias + o), bias1 = vld1q_s32(a->bias + o + 4);
    // Each accumulator holds two partial sums of two channels.
    int32x4_t sum[4][4];
    SWIFTLET_UNROLL for (int p = 0; p < tile; p++) {
        sum[p][0] = vzip1q_s32(bias0, zero);
        sum[p][1] = vzip2q_s32(bias0, zero);
        sum[p][2] = vzip1q_s32(bias1, zero);
        sum[p][3] = vzip2q_s32(bias1, zero);
    }
    if (pixelBias) {
        SWIFTLET_UNROLL for (int p = 0; p < tile; p++) {
            const int32x4_t addend = vreinterpretq_s32_u64(vdupq_n_u64((uint32_t)pixelBias[p]));
            SWIFTLET_UNROLL for (int i = 0; i < 4; i++) sum[p][i] = vaddq_s32(sum[p][i], addend);
        }
    }
    for (int32_t tap = a->taps; tap > 0; tap--, rows += 4) {
        const int8_t *x[4];
        SWIFTLET_UNROLL for (int p = 0; p < tile; p++) x[p] = rows[p];
        int step = *steps++;
        do {
            while (step == SWIFTLET_STEP_FOUR) {
                if (tile == 4) SWIFTLET_LOOP("gemmchain_s8_4x8__neon/four", "512");
                add_quads(sum, x, &w, 4, tile);
                step = *steps++;
            }
            while (step == SWIFTLET_STEP_TWO) {
                if (tile == 4) SWIFTLET_LOOP("gemmchain_s8_4x8__neon/two", "512");
                add_quads(sum, x, &w, 2, tile);
                step = *steps++;
            }
            while (step == SWIFTLET_STEP_ONE) {
                add_quads(sum, x, &w, 1, tile);
                step = *steps++;
            }
        } while (step != SWIFTLET_STEP_END);
        for (int32_t q = a->quads & 3; q > 0; q--) {
            const int8x16_t ws[2] = {vld1q_s8(w), vld1q_s8(w + 16)};
            w += 32;
            SWIFTLET_UNROLL for (int p = 0; p < tile; p++) {
                const int8x16_t v = vreinterpretq_s8_s32(vld1q_dup_s32((const int32_t *)x[p]));
                x[p] += 4;
                sum[p][0] = add_chain(sum[p][0], ws, &v, 1, 0);
                sum[p][1] = add_chain(sum[p][1], ws, &v, 1, 1);
                sum[p][2] = add_chain(sum[p][2], ws + 1, &v, 1, 0);
                sum[p][3] = add_chain(sum[p][3], ws + 1, &v, 1, 1);
            }
        }
    }
    *panelSteps = steps;

    const float32x4_t scale0 = vld1q_f32(a->scales + o), scale1 = vld1q_f32(a->scales + o + 4);
    int8x16_t values[2];
    SWIFTLET_UNROLL for (int p = 0; p < tile; p += 2) {
        const int next = p + 1 < tile ? p + 1 : p;
        values[p / 2] = narrowed16(
            scaled(vpaddq_s32(sum[p][0], sum[p][1]), scale0), scaled(vpaddq_s32(sum[p][2], sum[p][3]), scale1),
            scaled(vpaddq_s32(sum[next][0], sum[next][1]), scale0),
            scaled(vpaddq_s32(sum[next][2], sum[next][3]), scale1), *range);
    }
    if (clamps(a)) {
        SWIFTLET_UNROLL for (int p = 0; p < tile; p += 2) values[p / 2] = clamped16(values[p / 2], *range);
    }
    store_pixels(output, a->outputPixelStride, values, tile, tile, a->channels - o);
}

// Products of 8 bits are summed in 16 bits (SMULL, SMLAL) as far as the weights keep that exact for any inputs, then
// pairwise added to 32 bits (SADALP). Inputs are read where they lie: LD4R spreads four quads over four registers.
void swiftlet_gemmchain_s8_4x8__neon(const swiftlet_gemm_tiles_arguments *a) {
    const output_range_neon range = output_range(a->zeroPoint, a->lowest, a->highest);
    const int8_t *w = a->weights;
    const uint8_t *panelSteps = a->steps;
    for (int32_t o = 0; o < a->channels; o += 8, w += (intptr_t)32 * a->taps * a->quads) {
        const int8_t *const *rows = a->rows;
        const int32_t *pixelBias = a->pixelBias;
        int8_t *output = a->output + o;
        const uint8_t *steps = panelSteps;
        int32_t left = a->pixels;
        for (; left >= 4; left -= 4) {
            steps = panelSteps;
            gemm_tile(a, rows, w, &steps, output, pixelBias, o, 4, &range);
            rows += 4 * a->taps;
            output += 4 * a->outputPixelStride;
            if (pixelBias) pixelBias += 4;
        }
        for (; left > 0; left--) {
            steps = panelSteps;
            gemm_tile(a, rows, w, &steps, output, pixelBias, o, 1, &range);
            rows++;
            output += a->outputPixelStride;
            if (pixelBias) pixelBias++;
        }
        panelSteps = steps;
    }
}
#endif
