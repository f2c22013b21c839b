// What the GEMM kernels of aarch64 that run over tiles share.
#pragma once
#include "neon.h"

#define SWIFTLET_UNROLL _Pragma("clang loop unroll(full)")

// Hides how a pointer came about, so that loads step it (post-index) instead of computing addresses.
#define SWIFTLET_STEPPED(pointer) __asm__("" : "+r"(pointer))

// Stores that step the pointer by a register, which the compiler splits in two.
SWIFTLET_INLINE void store16_stepping(int16_t **output, int16x8_t values, intptr_t strideBytes) {
    __asm__ volatile("st1 {%1.8h}, [%0], %2" : "+r"(*output) : "w"(values), "r"(strideBytes) : "memory");
}

SWIFTLET_INLINE void store_low_stepping(int8_t **output, int8x16_t values, intptr_t stride) {
    __asm__ volatile("st1 {%1.8b}, [%0], %2" : "+r"(*output) : "w"(values), "r"(stride) : "memory");
}

SWIFTLET_INLINE void store_high_stepping(int8_t **output, int8x16_t values, intptr_t stride) {
    __asm__ volatile("st1 {%1.d}[1], [%0], %2" : "+r"(*output) : "w"(values), "r"(stride) : "memory");
}

// Marks an inner loop for tools/bench/arm: name and multiply-accumulates.
#define SWIFTLET_LOOP(name, work) __asm__ volatile("// MCA " name " " work)

// The loops over tiles of 8 pixels by 8 channels keep sixteen sums in v0...v15 and operands in v16...v31: all there are;
// the compiler, left to allocate them, spills. Weights of four quads are in v16...v23, packed pixels 0..<4 in v24...v27
// and 4..<8 in v28...v31. A kernel defines what multiplies them, as text:
//   SWIFTLET_FIRST_LOW     v0...v7 += what it is of v16...v19 and v24...v27
//   SWIFTLET_FIRST_HIGH    v8...v15 += the same of v16...v19 and v28...v31
//   SWIFTLET_SECOND_LOW, SWIFTLET_SECOND_HIGH    with v20...v23
#define SWIFTLET_LOAD(first, last, from) "ld1 {v" first ".16b-v" last ".16b}, [%[" from "]], #64\n"

// Loads of the next four quads stand where their registers get free, well before they are needed.
#define SWIFTLET_FOUR_QUADS_BEFORE_OTHERS                                                                  \
    SWIFTLET_FIRST_LOW SWIFTLET_FIRST_HIGH SWIFTLET_LOAD("16", "19", "w")                                  \
    SWIFTLET_SECOND_LOW SWIFTLET_LOAD("24", "27", "x")                                                     \
    SWIFTLET_SECOND_HIGH SWIFTLET_LOAD("28", "31", "x") SWIFTLET_LOAD("20", "23", "w")
#define SWIFTLET_FIRST_LOADS                                                                               \
    SWIFTLET_LOAD("16", "19", "w") SWIFTLET_LOAD("24", "27", "x")                                          \
    SWIFTLET_LOAD("28", "31", "x") SWIFTLET_LOAD("20", "23", "w")
#define SWIFTLET_FOUR_QUADS SWIFTLET_FIRST_LOW SWIFTLET_FIRST_HIGH SWIFTLET_SECOND_LOW SWIFTLET_SECOND_HIGH
#define SWIFTLET_SIXTEEN_QUADS                                                                             \
    SWIFTLET_FIRST_LOADS SWIFTLET_FOUR_QUADS_BEFORE_OTHERS SWIFTLET_FOUR_QUADS_BEFORE_OTHERS               \
    SWIFTLET_FOUR_QUADS_BEFORE_OTHERS SWIFTLET_FOUR_QUADS

#define SWIFTLET_DECLARE_SUMS                                                                              \
    register int32x4_t s0 __asm__("v0"), s1 __asm__("v1"), s2 __asm__("v2"), s3 __asm__("v3");             \
    register int32x4_t s4 __asm__("v4"), s5 __asm__("v5"), s6 __asm__("v6"), s7 __asm__("v7");             \
    register int32x4_t s8 __asm__("v8"), s9 __asm__("v9"), s10 __asm__("v10"), s11 __asm__("v11");         \
    register int32x4_t s12 __asm__("v12"), s13 __asm__("v13"), s14 __asm__("v14"), s15 __asm__("v15")
#define SWIFTLET_EACH_SUM(mode)                                                                            \
    mode(s0), mode(s1), mode(s2), mode(s3), mode(s4), mode(s5), mode(s6), mode(s7), mode(s8), mode(s9),    \
        mode(s10), mode(s11), mode(s12), mode(s13), mode(s14), mode(s15)
#define SWIFTLET_OPERANDS "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", \
    "v29", "v30", "v31", "cc", "memory"

// All sums from the same sixteen values.
#define SWIFTLET_BEGIN_SUMS(values)                                                                        \
    __asm__ volatile(                                                                                      \
        "ld1 {v0.4s-v3.4s}, [%[from]]\n ld1 {v4.4s-v7.4s}, [%[from]]\n"                                   \
        "ld1 {v8.4s-v11.4s}, [%[from]]\n ld1 {v12.4s-v15.4s}, [%[from]]"                                  \
        : SWIFTLET_EACH_SUM("=w") : [from] "r"(values) : "memory")

// `count`, at least one, times the quads that `body` loads and multiplies; steps both pointers.
#define SWIFTLET_ADD_QUADS(mark, body, count, x, w)                                                        \
    do {                                                                                                   \
        int32_t left = count;                                                                              \
        __asm__ volatile(                                                                                  \
            ".Lquads%=:\n" mark body "subs %w[left], %w[left], #1\n b.ne .Lquads%="                       \
            : SWIFTLET_EACH_SUM("+w"), [x] "+r"(x), [w] "+r"(w), [left] "+r"(left) : : SWIFTLET_OPERANDS); \
    } while (0)

// Sixteen rounded values plus zero point, saturated to int8 but not yet clamped.
SWIFTLET_INLINE int8x16_t narrowed16(int32x4_t a, int32x4_t b, int32x4_t c, int32x4_t d, output_range_neon range) {
    const int16x8_t low = vqaddq_s16(vqmovn_high_s32(vqmovn_s32(a), b), range.zeroPoint);
    const int16x8_t high = vqaddq_s16(vqmovn_high_s32(vqmovn_s32(c), d), range.zeroPoint);
    return vqmovn_high_s16(vqmovn_s16(low), high);
}

// Whether clamping does anything that saturation does not.
SWIFTLET_INLINE int clamps(const swiftlet_gemm_tiles_arguments *a) { return a->lowest > -128 || a->highest < 127; }

// Stores eight channels, or as many as there are, of `valid` of the `tile` pixels; two pixels a register.
SWIFTLET_INLINE void store_pixels(
    int8_t *output, intptr_t stride, const int8x16_t *values, const int tile, int32_t valid, int32_t channels) {
    if (channels >= 8 && valid == tile) {
        SWIFTLET_UNROLL for (int p = 0; p < tile; p += 2) {
            store_low_stepping(&output, values[p / 2], stride);
            if (p + 1 < tile) store_high_stepping(&output, values[p / 2], stride);
        }
        return;
    }
    int8_t tail[64];
    SWIFTLET_UNROLL for (int p = 0; p < tile; p += 2) vst1q_s8(tail + 8 * p, values[p / 2]);
    for (int p = 0; p < valid; p++) memcpy(output + p * stride, tail + 8 * p, (size_t)(channels < 8 ? channels : 8));
}

// Where the outputs of a run go next.
typedef struct {
    int8_t *output;
    intptr_t pixelStride;
    intptr_t rowStride;
    int32_t width;
    int32_t left;    // pixels of the row
} run_cursor;

SWIFTLET_INLINE run_cursor first_of_run(const swiftlet_tile_run *run, int8_t *output) {
    return (run_cursor){output + run->output, run->pixelStride, run->rowStride, run->width, run->width - run->column};
}

SWIFTLET_INLINE void end_pixel(run_cursor *cursor) {
    if (--cursor->left > 0) return;
    cursor->output += cursor->rowStride - cursor->pixelStride;
    cursor->left = cursor->width;
}

// Whole tiles of `pixels` pixels that do not end their row, and are thus stored without a look at it.
SWIFTLET_INLINE int32_t tiles_in_row(const run_cursor *cursor, int32_t pixels) {
    return (pixels < cursor->left ? pixels : cursor->left - 1) >> 3;
}

// Stores eight channels of eight pixels, two a register: `isInRow` where they do not end their row, whose pixels the
// caller then counts.
SWIFTLET_INLINE void store_eight_pixels(run_cursor *cursor, const int8x16_t *values, const int isInRow) {
    SWIFTLET_UNROLL for (int p = 0; p < 4; p++) {
        store_low_stepping(&cursor->output, values[p], cursor->pixelStride);
        if (!isInRow) end_pixel(cursor);
        store_high_stepping(&cursor->output, values[p], cursor->pixelStride);
        if (!isInRow) end_pixel(cursor);
    }
}

// Stores `channels`, eight at most, of `pixels`, four at most, anywhere in their row.
SWIFTLET_INLINE void store_some_pixels(
    run_cursor *cursor, const int8x16_t *values, int32_t pixels, int32_t channels) {
    int8_t bytes[32];
    vst1q_s8(bytes, values[0]);
    vst1q_s8(bytes + 16, values[1]);
    for (const int8_t *from = bytes; pixels > 0; pixels--, from += 8) {
        if (channels >= 8) {
            memcpy(cursor->output, from, 8);
        } else {
            for (int32_t c = 0; c < channels; c++) cursor->output[c] = from[c];
        }
        cursor->output += cursor->pixelStride;
        end_pixel(cursor);
    }
}

// The bias of eight channels, from channel `o` on, in a run.
SWIFTLET_INLINE void begin_run(
    int32_t *bias, const swiftlet_gemm_tiles_arguments *a, const swiftlet_tile_run *run, int32_t o) {
    int32x4_t low = vld1q_s32(a->bias + o), high = vld1q_s32(a->bias + o + 4);
    if (run->skippedSums) {
        low = vmlaq_n_s32(low, vld1q_s32(run->skippedSums + o), a->inputZeroPoint);
        high = vmlaq_n_s32(high, vld1q_s32(run->skippedSums + o + 4), a->inputZeroPoint);
    }
    vst1q_s32(bias, low);
    vst1q_s32(bias + 4, high);
}
