#if defined(__aarch64__)
#include "gemm_tiles_neon.h"

// Four quads of eight channels by four pixels, in assembly: all registers are in use. Sums are in v0...v15, four a
// pixel: of channels 0 and 1, 2 and 3, 4 and 5, 6 and 7, two partial sums of each. Weights are in v16...v23, LD4R spreads
// four quads of a pixel over v24...v27, products are summed in v28...v31.
#define SWIFTLET_PRODUCTS(op0, op1, op2, op3, low, high, x)                                      \
    op0 " v28.8h, v" #low ".8b, v" #x ".8b\n" op1 "2 v29.8h, v" #low ".16b, v" #x ".16b\n"       \
    op2 " v30.8h, v" #high ".8b, v" #x ".8b\n" op3 "2 v31.8h, v" #high ".16b, v" #x ".16b\n"
#define SWIFTLET_START(low, high, x) SWIFTLET_PRODUCTS("smull", "smull", "smull", "smull", low, high, x)
#define SWIFTLET_CONTINUE(low, high, x) SWIFTLET_PRODUCTS("smlal", "smlal", "smlal", "smlal", low, high, x)
#define SWIFTLET_TAKE(sum, products) "sadalp v" #sum ".4s, v" #products ".8h\n"
#define SWIFTLET_TAKE_ALL(s0, s1, s2, s3)                                                        \
    SWIFTLET_TAKE(s0, 28) SWIFTLET_TAKE(s1, 29) SWIFTLET_TAKE(s2, 30) SWIFTLET_TAKE(s3, 31)
#define SWIFTLET_SPREAD(x) "ld4r {v24.4s-v27.4s}, [%[" #x "]], #16\n"

// The products of a sum go on after two quads, or are taken out and start again.
#define SWIFTLET_WHOLE_TAKE(sum, products) ""
#define SWIFTLET_WHOLE_NEXT "smlal"
#define SWIFTLET_HALVES_TAKE(sum, products) SWIFTLET_TAKE(sum, products)
#define SWIFTLET_HALVES_NEXT "smull"

#define SWIFTLET_PIXEL(x, s0, s1, s2, s3, m0, m1, m2, m3)                                        \
    SWIFTLET_SPREAD(x) SWIFTLET_START(16, 17, 24) SWIFTLET_CONTINUE(18, 19, 25)                  \
    SWIFTLET_##m0##_TAKE(s0, 28) SWIFTLET_##m1##_TAKE(s1, 29)                                    \
    SWIFTLET_##m2##_TAKE(s2, 30) SWIFTLET_##m3##_TAKE(s3, 31)                                    \
    SWIFTLET_PRODUCTS(                                                                           \
        SWIFTLET_##m0##_NEXT, SWIFTLET_##m1##_NEXT, SWIFTLET_##m2##_NEXT, SWIFTLET_##m3##_NEXT, 20, 21, 26) \
    SWIFTLET_CONTINUE(22, 23, 27) SWIFTLET_TAKE_ALL(s0, s1, s2, s3)
#define SWIFTLET_PIXEL_BY_QUADS(x, s0, s1, s2, s3)                                               \
    SWIFTLET_SPREAD(x) SWIFTLET_START(16, 17, 24) SWIFTLET_TAKE_ALL(s0, s1, s2, s3)              \
    SWIFTLET_START(18, 19, 25) SWIFTLET_TAKE_ALL(s0, s1, s2, s3)                                 \
    SWIFTLET_START(20, 21, 26) SWIFTLET_TAKE_ALL(s0, s1, s2, s3)                                 \
    SWIFTLET_START(22, 23, 27) SWIFTLET_TAKE_ALL(s0, s1, s2, s3)

// The code of step k lies 512 k bytes behind that of step 0.
#define SWIFTLET_GO_ON "ldrb w16, [%[steps]], #1\n add x16, x17, x16, lsl #9\n br x16\n"
#define SWIFTLET_STEP(k, mark)                                                                   \
    ".org .Lsteps%=+512*" #k "\n .Lstep" #k "x%=:\n" mark                                        \
    "ld1 {v16.16b-v19.16b}, [%[w]], #64\n ld1 {v20.16b-v23.16b}, [%[w]], #64\n"
#define SWIFTLET_CHAIN(k, m0, m1, m2, m3, mark)                                                  \
    SWIFTLET_STEP(k, mark) SWIFTLET_PIXEL(x0, 0, 1, 2, 3, m0, m1, m2, m3)                        \
    SWIFTLET_PIXEL(x1, 4, 5, 6, 7, m0, m1, m2, m3) SWIFTLET_PIXEL(x2, 8, 9, 10, 11, m0, m1, m2, m3) \
    SWIFTLET_PIXEL(x3, 12, 13, 14, 15, m0, m1, m2, m3) SWIFTLET_GO_ON
#define SWIFTLET_QUADS(k)                                                                        \
    SWIFTLET_STEP(k, "") SWIFTLET_PIXEL_BY_QUADS(x0, 0, 1, 2, 3) SWIFTLET_PIXEL_BY_QUADS(x1, 4, 5, 6, 7) \
    SWIFTLET_PIXEL_BY_QUADS(x2, 8, 9, 10, 11) SWIFTLET_PIXEL_BY_QUADS(x3, 12, 13, 14, 15) SWIFTLET_GO_ON

#define SWIFTLET_CHAINS                                                                          \
    SWIFTLET_CHAIN(0, WHOLE, WHOLE, WHOLE, WHOLE, "// MCA gemmchain_s8_4x8__neon/four 512\n")    \
    SWIFTLET_CHAIN(1, HALVES, WHOLE, WHOLE, WHOLE, "")                                           \
    SWIFTLET_CHAIN(2, WHOLE, HALVES, WHOLE, WHOLE, "")                                           \
    SWIFTLET_CHAIN(3, HALVES, HALVES, WHOLE, WHOLE, "")                                          \
    SWIFTLET_CHAIN(4, WHOLE, WHOLE, HALVES, WHOLE, "")                                           \
    SWIFTLET_CHAIN(5, HALVES, WHOLE, HALVES, WHOLE, "")                                          \
    SWIFTLET_CHAIN(6, WHOLE, HALVES, HALVES, WHOLE, "")                                          \
    SWIFTLET_CHAIN(7, HALVES, HALVES, HALVES, WHOLE, "")                                         \
    SWIFTLET_CHAIN(8, WHOLE, WHOLE, WHOLE, HALVES, "")                                           \
    SWIFTLET_CHAIN(9, HALVES, WHOLE, WHOLE, HALVES, "")                                          \
    SWIFTLET_CHAIN(10, WHOLE, HALVES, WHOLE, HALVES, "")                                         \
    SWIFTLET_CHAIN(11, HALVES, HALVES, WHOLE, HALVES, "")                                        \
    SWIFTLET_CHAIN(12, WHOLE, WHOLE, HALVES, HALVES, "")                                         \
    SWIFTLET_CHAIN(13, HALVES, WHOLE, HALVES, HALVES, "")                                        \
    SWIFTLET_CHAIN(14, WHOLE, HALVES, HALVES, HALVES, "")                                        \
    SWIFTLET_CHAIN(15, HALVES, HALVES, HALVES, HALVES, "// MCA gemmchain_s8_4x8__neon/two 512\n")\
    SWIFTLET_QUADS(16) ".org .Lsteps%=+512*18\n"
_Static_assert(SWIFTLET_STEP_QUADS == 16 && SWIFTLET_STEP_END == 18, "SWIFTLET_CHAINS lays out the steps");

// What the tiles of a panel share: bias as the four sums of a pixel begin.
typedef struct {
    int32_t bias[16];
    float scale[8];
    output_range_neon range;
    int isClamped;
} panel_constants;

// Eight channels by `tile` pixels, 1 or 4.
SWIFTLET_INLINE void finish_tile(
    const swiftlet_gemm_tiles_arguments *a, int8_t *output, const int32_t *pixelBias, int32_t channels, int32x4_t *sum,
    const int tile, const panel_constants *constants) {
    if (pixelBias) {
        SWIFTLET_UNROLL for (int p = 0; p < tile; p++) {
            const int32x4_t addend = vreinterpretq_s32_u64(vdupq_n_u64((uint32_t)pixelBias[p]));
            SWIFTLET_UNROLL for (int i = 0; i < 4; i++) sum[4 * p + i] = vaddq_s32(sum[4 * p + i], addend);
        }
    }
    const float32x4_t scale0 = vld1q_f32(constants->scale), scale1 = vld1q_f32(constants->scale + 4);
    const output_range_neon *range = &constants->range;
    int8x16_t values[2];
    SWIFTLET_UNROLL for (int p = 0; p < tile; p += 2) {
        const int32x4_t *first = sum + 4 * p, *next = p + 1 < tile ? first + 4 : first;
        values[p / 2] = narrowed16(
            scaled(vpaddq_s32(first[0], first[1]), scale0), scaled(vpaddq_s32(first[2], first[3]), scale1),
            scaled(vpaddq_s32(next[0], next[1]), scale0), scaled(vpaddq_s32(next[2], next[3]), scale1), *range);
    }
    if (constants->isClamped) {
        SWIFTLET_UNROLL for (int p = 0; p < tile; p += 2) values[p / 2] = clamped16(values[p / 2], *range);
    }
    store_pixels(output, a->outputPixelStride, values, tile, tile, channels);
}

// Adds `length` quads of weights, eight channels each, times one pixel's, summed in 16 bits.
SWIFTLET_INLINE void add_chain(int32x4_t *sum, const int8_t *w, const int8_t *x, const int length) {
    int16x8_t products[4];
    SWIFTLET_UNROLL for (int i = 0; i < length; i++) {
        const int8x16_t quad = vreinterpretq_s8_s32(vld1q_dup_s32((const int32_t *)(x + 4 * i)));
        const int8x16_t low = vld1q_s8(w + 32 * i), high = vld1q_s8(w + 32 * i + 16);
        if (i == 0) {
            products[0] = vmull_s8(vget_low_s8(low), vget_low_s8(quad));
            products[1] = vmull_high_s8(low, quad);
            products[2] = vmull_s8(vget_low_s8(high), vget_low_s8(quad));
            products[3] = vmull_high_s8(high, quad);
        } else {
            products[0] = vmlal_s8(products[0], vget_low_s8(low), vget_low_s8(quad));
            products[1] = vmlal_high_s8(products[1], low, quad);
            products[2] = vmlal_s8(products[2], vget_low_s8(high), vget_low_s8(quad));
            products[3] = vmlal_high_s8(products[3], high, quad);
        }
    }
    SWIFTLET_UNROLL for (int i = 0; i < 4; i++) sum[i] = vpadalq_s16(sum[i], products[i]);
}

// Four pixels, whose rows are four of every four pointers. Returns the steps of the next panel.
SWIFTLET_INLINE const uint8_t *gemm_tile(
    const swiftlet_gemm_tiles_arguments *a, const int8_t *const *rows, const int8_t *w, const uint8_t *steps,
    int8_t *output, const int32_t *pixelBias, int32_t channels, const panel_constants *constants) {
    const int8_t *x0, *x1, *x2, *x3;
    SWIFTLET_DECLARE_SUMS;
    SWIFTLET_BEGIN_SUMS(constants->bias);
    for (int32_t tap = a->taps; tap > 0; tap--, rows += 4) {
        x0 = rows[0];
        x1 = rows[1];
        x2 = rows[2];
        x3 = rows[3];
        __asm__ volatile(
            "adr x17, .Lsteps%=\n" SWIFTLET_GO_ON ".Lsteps%=:\n" SWIFTLET_CHAINS
            : SWIFTLET_EACH_SUM("+w"), [x0] "+r"(x0), [x1] "+r"(x1), [x2] "+r"(x2), [x3] "+r"(x3), [w] "+r"(w),
              [steps] "+r"(steps)
            :
            : "x16", "x17", SWIFTLET_OPERANDS);
    }
    int32x4_t sum[16] = {s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15};
    // Taps that are several hold whole fours of quads.
    for (int32_t q = a->quads & 3; q > 0; q--, w += 32) {
        const int8_t **x[4] = {&x0, &x1, &x2, &x3};
        SWIFTLET_UNROLL for (int p = 0; p < 4; p++) {
            add_chain(sum + 4 * p, w, *x[p], 1);
            *x[p] += 4;
        }
    }
    finish_tile(a, output, pixelBias, channels, sum, 4, constants);
    return steps;
}

// One pixel, whose rows are the first of every four pointers.
SWIFTLET_INLINE const uint8_t *gemm_pixel(
    const swiftlet_gemm_tiles_arguments *a, const int8_t *const *rows, const int8_t *w, const uint8_t *steps,
    int8_t *output, const int32_t *pixelBias, int32_t channels, const panel_constants *constants) {
    int32x4_t sum[4];
    SWIFTLET_UNROLL for (int i = 0; i < 4; i++) sum[i] = vld1q_s32(constants->bias + 4 * i);
    for (int32_t tap = a->taps; tap > 0; tap--, rows += 4) {
        const int8_t *x = rows[0];
        for (int step = *steps++; step != SWIFTLET_STEP_END; step = *steps++, w += 128, x += 16) {
            if (step == 0) {
                add_chain(sum, w, x, 4);
            } else if (step != SWIFTLET_STEP_QUADS) {
                add_chain(sum, w, x, 2);
                add_chain(sum, w + 64, x + 8, 2);
            } else {
                SWIFTLET_UNROLL for (int i = 0; i < 4; i++) add_chain(sum, w + 32 * i, x + 4 * i, 1);
            }
        }
        for (int32_t q = a->quads & 3; q > 0; q--, w += 32, x += 4) add_chain(sum, w, x, 1);
    }
    finish_tile(a, output, pixelBias, channels, sum, 1, constants);
    return steps;
}

// Products of 8 bits are summed in 16 bits (SMULL, SMLAL) as far as the weights keep that exact for any inputs, then
// pairwise added to 32 bits (SADALP). Inputs are read where they lie.
void swiftlet_gemmchain_s8_4x8__neon(const swiftlet_gemm_tiles_arguments *a) {
    panel_constants constants;
    constants.range = output_range(a->zeroPoint, a->lowest, a->highest);
    constants.isClamped = clamps(a);
    const int8_t *w = a->weights;
    const uint8_t *panelSteps = a->steps;
    for (int32_t o = 0; o < a->channels; o += 8, w += (intptr_t)32 * a->taps * a->quads) {
        for (int i = 0; i < 16; i++) constants.bias[i] = i % 2 ? 0 : a->bias[o + i / 2];
        memcpy(constants.scale, a->scales + o, 32);
        const int32_t channels = a->channels - o;
        const int8_t *const *rows = a->rows;
        const int32_t *pixelBias = a->pixelBias;
        int8_t *output = a->output + a->runs->output + o;
        const uint8_t *next = panelSteps;
        int32_t left = a->runs->pixels;
        for (; left >= 4; left -= 4) {
            next = gemm_tile(a, rows, w, panelSteps, output, pixelBias, channels, &constants);
            rows += 4 * a->taps;
            output += 4 * a->outputPixelStride;
            if (pixelBias) pixelBias += 4;
        }
        for (; left > 0; left--) {
            next = gemm_pixel(a, rows, w, panelSteps, output, pixelBias, channels, &constants);
            rows++;
            output += a->outputPixelStride;
            if (pixelBias) pixelBias++;
        }
        panelSteps = next;
    }
}
#endif
