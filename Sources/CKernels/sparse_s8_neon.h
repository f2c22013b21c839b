// The bodies of the sparse kernels of aarch64, exact for weights of -127 to 127. SWIFTLET_SPARSE_TARGET: their attribute;
// SWIFTLET_SPARSE_DOTPROD: 1 with SDOT, 0 without.
//
// Pixels lie in the lanes: a tile is some vectors of 8 pixels, packed as [tap][quad][vector][pixel 0..<8][input 0..<4],
// and one block of four weights, repeated, meets all vectors of its quad.
#pragma once
#include "neon.h"

enum { lanes = 8, channel_group = 16, row_bytes = 64 };

#define SPARSE_INLINE static inline SWIFTLET_SPARSE_TARGET __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

// Four quads of four pixels.
SPARSE_INLINE void pack_quads(const int8_t *const rows[4], intptr_t offset, int8_t *output, intptr_t step, intptr_t quads) {
    int32x4_t r[4];
    UNROLL
    for (int i = 0; i < 4; i++) r[i] = vreinterpretq_s32_s8(vld1q_s8(rows[i] + offset));
    const int64x2_t a = vreinterpretq_s64_s32(vtrn1q_s32(r[0], r[1])), b = vreinterpretq_s64_s32(vtrn2q_s32(r[0], r[1]));
    const int64x2_t c = vreinterpretq_s64_s32(vtrn1q_s32(r[2], r[3])), d = vreinterpretq_s64_s32(vtrn2q_s32(r[2], r[3]));
    vst1q_s8(output, vreinterpretq_s8_s64(vtrn1q_s64(a, c)));
    if (quads > 1) vst1q_s8(output + step, vreinterpretq_s8_s64(vtrn1q_s64(b, d)));
    if (quads > 2) vst1q_s8(output + 2 * step, vreinterpretq_s8_s64(vtrn2q_s64(a, c)));
    if (quads > 3) vst1q_s8(output + 3 * step, vreinterpretq_s8_s64(vtrn2q_s64(b, d)));
}

SPARSE_INLINE void pack(const swiftlet_sparse_s8_arguments *a, int vectors) {
    const intptr_t step = 4 * lanes * (intptr_t)vectors;
    for (int32_t tap = 0; tap < a->taps; tap++) {
        for (int half = 0; half < 2 * vectors; half++) {
            const int8_t *rows[4];
            for (int i = 0; i < 4; i++) {
                const int32_t pixel = 4 * half + i;
                rows[i] = a->rows[tap * a->pixels + (pixel < a->pixels ? pixel : a->pixels - 1)];
            }
            int8_t *output = (int8_t *)a->packed + (intptr_t)tap * a->quads * step + 16 * half;
            for (intptr_t q = 0; q < a->quads; q += 4) pack_quads(rows, 4 * q, output + q * step, step, a->quads - q);
        }
    }
}

// The four weights of a block, four times.
SPARSE_INLINE int8x16_t spread(const int8_t *weights) {
    int32_t block;
    memcpy(&block, weights, 4);
    return vreinterpretq_s8_s32(vdupq_n_s32(block));
}

// Adds one block, or two where `count` is 2, to the sums of `vectors` vectors: two sums of each.
#if SWIFTLET_SPARSE_DOTPROD
enum { sums_per_vector = 2 };    // four pixels each

SPARSE_INLINE void add_blocks(
    const int8_t *x0, const int8_t *x1, const int8_t *weights, int32x4_t *sums, const int vectors, const int count) {
    const int8x16_t w0 = spread(weights), w1 = count > 1 ? spread(weights + 4) : w0;
    UNROLL
    for (int v = 0; v < 2 * vectors; v++) {
        sums[v] = vdotq_s32(sums[v], vld1q_s8(x0 + 16 * v), w0);
        if (count > 1) sums[v] = vdotq_s32(sums[v], vld1q_s8(x1 + 16 * v), w1);
    }
}

SPARSE_INLINE int32x4_t pixel_sums(const int32x4_t *sums, int half) { return sums[half]; }
#else
enum { sums_per_vector = 4 };    // two pixels each, every pixel in two lanes

SPARSE_INLINE void add_blocks(
    const int8_t *x0, const int8_t *x1, const int8_t *weights, int32x4_t *sums, const int vectors, const int count) {
    const int8x16_t w0 = spread(weights), w1 = count > 1 ? spread(weights + 4) : w0;
    UNROLL
    for (int v = 0; v < 2 * vectors; v++) {
        // Two products of at most 128 * 127 fit 16 bits.
        const int8x16_t a = vld1q_s8(x0 + 16 * v);
        int16x8_t low = vmull_s8(vget_low_s8(a), vget_low_s8(w0)), high = vmull_high_s8(a, w0);
        if (count > 1) {
            const int8x16_t b = vld1q_s8(x1 + 16 * v);
            low = vmlal_s8(low, vget_low_s8(b), vget_low_s8(w1));
            high = vmlal_high_s8(high, b, w1);
        }
        sums[2 * v] = vpadalq_s16(sums[2 * v], low);
        sums[2 * v + 1] = vpadalq_s16(sums[2 * v + 1], high);
    }
}

SPARSE_INLINE int32x4_t pixel_sums(const int32x4_t *sums, int half) {
    return vpaddq_s32(sums[2 * half], sums[2 * half + 1]);
}
#endif

// 16 channels of 16 pixels become 16 pixels of 16 channels.
SPARSE_INLINE void transpose(const int8_t *input, int8_t *output, intptr_t stride, int32_t pixels, int32_t channels) {
    int8x16_t a[16], b[16];
    UNROLL
    for (int i = 0; i < 16; i++) a[i] = vld1q_s8(input + i * row_bytes);
    UNROLL
    for (int round = 0; round < 4; round++) {
        UNROLL
        for (int i = 0; i < 8; i++) {
            b[2 * i] = vzip1q_s8(a[i], a[i + 8]);
            b[2 * i + 1] = vzip2q_s8(a[i], a[i + 8]);
        }
        UNROLL
        for (int i = 0; i < 16; i++) a[i] = b[i];
    }
    if (channels == 16 && pixels >= 16) {
        UNROLL
        for (int i = 0; i < 16; i++) vst1q_s8(output + i * stride, a[i]);
        return;
    }
    int8_t bytes[16 * 16];
    UNROLL
    for (int i = 0; i < 16; i++) vst1q_s8(bytes + 16 * i, a[i]);
    for (int32_t i = 0; i < 16 && i < pixels; i++) memcpy(output + i * stride, bytes + 16 * i, (size_t)channels);
}

SPARSE_INLINE void run(const swiftlet_sparse_s8_arguments *a, const int vectors) {
    const output_range_neon range = output_range(a->zeroPoint, a->lowest, a->highest);
    const uintptr_t step = 4 * lanes * (uintptr_t)vectors;
    const int8_t *weights = a->weights;
    const uint8_t *gaps = a->gaps;
    int8_t group[channel_group * row_bytes + 16];
    for (int32_t first = 0; first < a->channels; first += channel_group) {
        const int32_t channels = a->channels - first < channel_group ? a->channels - first : channel_group;
        for (int32_t c = 0; c < channels; c++) {
            int32x4_t sums[sums_per_vector * 8];
            UNROLL
            for (int v = 0; v < sums_per_vector * vectors; v++) sums[v] = vdupq_n_s32(0);
            const int8_t *x = (const int8_t *)a->packed;
            const int32_t count = a->counts[first + c];
            for (int32_t i = 0; i + 2 <= count; i += 2) {
                const uintptr_t two = *gaps++;
                const int8_t *x0 = x + (two & 15) * step;
                x = x0 + (two >> 4) * step;
                add_blocks(x0, x, weights, sums, vectors, 2);
                weights += 8;
            }
            if (count & 1) {
                x += (uintptr_t)(*gaps++ & 15) * step;
                add_blocks(x, x, weights, sums, vectors, 1);
                weights += 4;
            }
            const int32x4_t bias = vdupq_n_s32(a->bias[first + c]);
            const float32x4_t scale = vdupq_n_f32(a->scales[first + c]);
            UNROLL
            for (int v = 0; v < vectors; v++) {
                const int32x4_t low = scaled(vaddq_s32(pixel_sums(sums, 2 * v), bias), scale);
                const int32x4_t high = scaled(vaddq_s32(pixel_sums(sums, 2 * v + 1), bias), scale);
                vst1_s8(group + c * row_bytes + lanes * v, clamped8(narrowed(low, high, range), range));
            }
        }
        int8_t *output = a->output + first;
        for (int32_t p = 0; p < a->pixels; p += 16) {
            transpose(group + p, output + p * a->outputPixelStride, a->outputPixelStride, a->pixels - p, channels);
        }
    }
}
