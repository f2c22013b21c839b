#if defined(__aarch64__)
#include "gemm_tiles_neon.h"

// Sums of one position: eight channels by `tile` tiles.
SWIFTLET_INLINE void multiply(const int16_t *x, const int16_t *w, int32_t *sums, int32_t eights, const int tile) {
    int32x4_t low[8], high[8];
    SWIFTLET_UNROLL for (int t = 0; t < tile; t++) low[t] = high[t] = vdupq_n_s32(0);
    do {
        if (tile == 8) SWIFTLET_LOOP("winogemm_s8_8x8__neon", "512");
        int16x8_t v[8];
        if (tile < 4) {
            SWIFTLET_UNROLL for (int t = 0; t < tile; t++) v[t] = vld1q_s16(x + 8 * t);
            x += 64;
            SWIFTLET_STEPPED(x);
        } else {
            SWIFTLET_UNROLL for (int t = 0; t < tile; t += 4) {
                const int16x8x4_t four = vld1q_s16_x4(x);
                x += tile < 8 ? 64 : 32;
                SWIFTLET_STEPPED(x);
                SWIFTLET_UNROLL for (int i = 0; i < 4; i++) v[t + i] = four.val[i];
            }
        }
#define SWIFTLET_CHANNEL(i, lane)                                                              \
    SWIFTLET_UNROLL for (int t = 0; t < tile; t++) {                                           \
        low[t] = vmlal_laneq_s16(low[t], vget_low_s16(ws.val[i]), v[t], lane);                 \
        high[t] = vmlal_high_laneq_s16(high[t], ws.val[i], v[t], lane);                        \
    }
        int16x8x4_t ws = vld1q_s16_x4(w);
        w += 32;
        SWIFTLET_STEPPED(w);
        SWIFTLET_CHANNEL(0, 0)
        SWIFTLET_CHANNEL(1, 1)
        SWIFTLET_CHANNEL(2, 2)
        SWIFTLET_CHANNEL(3, 3)
        ws = vld1q_s16_x4(w);
        w += 32;
        SWIFTLET_STEPPED(w);
        SWIFTLET_CHANNEL(0, 4)
        SWIFTLET_CHANNEL(1, 5)
        SWIFTLET_CHANNEL(2, 6)
        SWIFTLET_CHANNEL(3, 7)
        eights--;
    } while (eights);
    SWIFTLET_UNROLL for (int t = 0; t < tile; t++) {
        vst1q_s32(sums + 8 * t, low[t]);
        vst1q_s32(sums + 8 * t + 4, high[t]);
    }
}

// Some of the tiles of a group: those that have a position.
typedef struct {
    int first;
    int count;
} tile_range;

// Tiles whose extent along an axis is four, which alone have values at -2; they follow each other.
SWIFTLET_INLINE tile_range tiles_of_four(const uint8_t *extents, int tiles) {
    tile_range range = {0, 0};
    for (int t = tiles - 1; t >= 0; t--) {
        if (extents[t] < 4) continue;
        range.first = t;
        range.count++;
    }
    return range;
}

SWIFTLET_INLINE tile_range both(tile_range a, tile_range b) {
    const int first = a.first > b.first ? a.first : b.first;
    const int aEnd = a.first + a.count, bEnd = b.first + b.count, end = aEnd < bEnd ? aEnd : bEnd;
    return (tile_range){first, end > first ? end - first : 0};
}

SWIFTLET_INLINE void multiply_tiles(
    const int16_t *x, const int16_t *w, int32_t *sums, int32_t eights, tile_range tiles) {
    if (tiles.count == 0) return;
    const int first = tiles.count > 4 ? 0 : tiles.count > 2 && tiles.first > 4 ? 4 : tiles.first;
    x += 8 * first;
    sums += 8 * first;
    if (tiles.count > 4) {
        multiply(x, w, sums, eights, 8);
    } else if (tiles.count > 2) {
        multiply(x, w, sums, eights, 4);
    } else if (tiles.count > 1) {
        multiply(x, w, sums, eights, 2);
    } else {
        multiply(x, w, sums, eights, 1);
    }
}

// The transforms of sums along one axis: 24 times four outputs, or 6 times three.
SWIFTLET_INLINE void transform(int32x4_t *y, const int32x4_t *m, const int outputs) {
    if (outputs == 4) {
        const int32x4_t a = vshlq_n_s32(vaddq_s32(m[1], m[2]), 2), b = vshlq_n_s32(vsubq_s32(m[1], m[2]), 2);
        const int32x4_t c = vaddq_s32(m[3], m[4]), d = vsubq_s32(m[3], m[4]);
        y[0] = vmlaq_n_s32(vsubq_s32(c, a), m[0], 6);
        y[1] = vsubq_s32(vshlq_n_s32(d, 1), b);
        y[2] = vsubq_s32(vshlq_n_s32(c, 2), a);
        y[3] = vmlaq_n_s32(vsubq_s32(vshlq_n_s32(d, 3), b), m[5], 24);
        return;
    }
    const int32x4_t a = vmulq_n_s32(m[1], -3), b = vsubq_s32(a, m[2]);
    y[0] = vmlaq_n_s32(vaddq_s32(b, m[3]), m[0], 3);
    y[1] = vmlaq_n_s32(vaddq_s32(a, m[2]), m[3], 2);
    y[2] = vmlaq_n_s32(vmlaq_n_s32(b, m[3], 4), m[5], 6);
}

// The outputs of one tile of `height` by `width`; sums[position * 64 + channel].
SWIFTLET_INLINE void finish_tile(
    const swiftlet_winogemm_s8_arguments *a, const int32_t *sums, int t, const output_range_neon *range, int isClamped,
    const int height, const int width) {
    // [pixel][four channels] of each row, channels 0..<4 and 4..<8.
    int8x16_t bytes[2][4];
    // One after the other: together they need more registers than there are.
    _Pragma("clang loop unroll(disable)") for (int half = 0; half < 2; half++, sums += 4) {
        int32x4_t rows[4][6];
        SWIFTLET_UNROLL for (int x = 0; x < 6; x++) {
            if (width < 4 && x == 4) continue;
            int32x4_t m[6], y[4];
            SWIFTLET_UNROLL for (int i = 0; i < 6; i++) {
                if (height == 4 || i != 4) m[i] = vld1q_s32(sums + (6 * i + x) * 64);
            }
            transform(y, m, height);
            SWIFTLET_UNROLL for (int i = 0; i < height; i++) rows[i][x] = y[i];
        }
        const int32x4_t bias = vld1q_s32(a->bias + 4 * half);
        const float32x4_t scale = vld1q_f32(a->scales + 4 * half);
        SWIFTLET_UNROLL for (int i = 0; i < height; i++) {
            int32x4_t y[4], values[4];
            transform(y, rows[i], width);
            SWIFTLET_UNROLL for (int x = 0; x < width; x++) {
                // 24 * 24 = 9 * 64, 24 * 6 = 9 * 16 or 6 * 6 = 9 * 4: times 1 / 9 modulo 2^32, then shifted.
                const int32x4_t ninth = vmulq_n_s32(y[x], 0x38E38E39);
                const int32x4_t sum = height + width == 8 ? vsraq_n_s32(bias, ninth, 6)
                    : height + width == 7                 ? vsraq_n_s32(bias, ninth, 4)
                                                          : vsraq_n_s32(bias, ninth, 2);
                values[x] = scaled(sum, scale);
            }
            bytes[half][i] = narrowed16(values[0], values[1], values[2], values[width - 1], *range);
        }
    }
    int8_t *output = a->output[t];
    SWIFTLET_UNROLL for (int i = 0; i < height; i++) {
        if (i >= a->rows[t]) break;
        const int32x4_t low = vreinterpretq_s32_s8(bytes[0][i]), high = vreinterpretq_s32_s8(bytes[1][i]);
        int8x16_t pixels[2] = {
            vreinterpretq_s8_s32(vzip1q_s32(low, high)), vreinterpretq_s8_s32(vzip2q_s32(low, high))};
        if (isClamped) {
            SWIFTLET_UNROLL for (int x = 0; x < 2; x++) pixels[x] = clamped16(pixels[x], *range);
        }
        store_pixels(output, a->outputPixelStride, pixels, width, a->columns[t], a->channels);
        output += a->outputRowStride;
    }
}

// Winograd's F(4x4, 3x3) and, where three outputs of a row or column are wanted, F(3, 3), with transforms scaled to
// integers. Sums and products wrap at 32 bits; what comes out is 576, 144 or 36 times the convolution modulo 2^32, from
// which the convolution follows where 64 times it fits 32 bits.
void swiftlet_winogemm_s8_8x8__neon(const swiftlet_winogemm_s8_arguments *a) {
    const output_range_neon range = output_range(a->zeroPoint, a->lowest, a->highest);
    const int isClamped = a->lowest > -128 || a->highest < 127;
    const tile_range all = {0, a->tiles}, high = tiles_of_four(a->tileRows, a->tiles);
    const tile_range wide = tiles_of_four(a->tileColumns, a->tiles), square = both(high, wide);
    const int16_t *x = a->inputs, *w = a->weights;
    int32_t *sums = a->products;
    for (int row = 0; row < 6; row++) {
        for (int column = 0; column < 6; column++) {
            multiply_tiles(
                x, w, sums, a->eights, row == 4 ? (column == 4 ? square : high) : column == 4 ? wide : all);
            x += (intptr_t)64 * a->eights;
            w += (intptr_t)64 * a->eights;
            sums += 64;
        }
    }
    for (int t = 0; t < a->tiles; t++) {
        const int32_t *tile = a->products + 8 * t;
        if (a->tileRows[t] == 4) {
            if (a->tileColumns[t] == 4) {
                finish_tile(a, tile, t, &range, isClamped, 4, 4);
            } else {
                finish_tile(a, tile, t, &range, isClamped, 4, 3);
            }
        } else {
            if (a->tileColumns[t] == 4) {
                finish_tile(a, tile, t, &range, isClamped, 3, 4);
            } else {
                finish_tile(a, tile, t, &range, isClamped, 3, 3);
            }
        }
    }
}
#endif
