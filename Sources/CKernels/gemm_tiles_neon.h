// What the GEMM kernels of aarch64 that run over tiles share.
#pragma once
#include "neon.h"

#define SWIFTLET_UNROLL _Pragma("clang loop unroll(full)")

// Hides how a pointer came about, so that loads step it (post-index) instead of computing addresses.
#define SWIFTLET_STEPPED(pointer) __asm__("" : "+r"(pointer))

// Keeps what follows a loop out of it: all registers are in use there.
#define SWIFTLET_AFTER_LOOP() __asm__ volatile("" : : : "memory")

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
