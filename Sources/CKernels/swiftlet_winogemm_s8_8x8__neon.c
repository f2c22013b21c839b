#if defined(__aarch64__)
#include "gemm_tiles_neon.h"

// Sums of one position: eight channels by `tile` tiles.
SWIFTLET_INLINE void multiply(const int16_t *x, const int16_t *w, int32_t *sums, int32_t eights, const int tile) {
    int32x4_t low[8], high[8];
    SWIFTLET_UNROLL for (int t = 0; t < tile; t++) low[t] = high[t] = vdupq_n_s32(0);
    do {
        if (tile == 8) SWIFTLET_LOOP("winogemm_s8_8x8__neon", "512");
        int16x8_t v[8];
        SWIFTLET_UNROLL for (int t = 0; t < tile; t += 4) {
            const int16x8x4_t four = vld1q_s16_x4(x);
            x += tile < 8 ? 64 : 32;
            SWIFTLET_STEPPED(x);
            SWIFTLET_UNROLL for (int i = 0; i < 4; i++) v[t + i] = four.val[i];
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

// The transform of sums along one axis: 24 times four outputs.
SWIFTLET_INLINE void transform(
    int32x4_t *y, int32x4_t m0, int32x4_t m1, int32x4_t m2, int32x4_t m3, int32x4_t m4, int32x4_t m5) {
    const int32x4_t a = vshlq_n_s32(vaddq_s32(m1, m2), 2), b = vshlq_n_s32(vsubq_s32(m1, m2), 2);
    const int32x4_t c = vaddq_s32(m3, m4), d = vsubq_s32(m3, m4);
    y[0] = vmlaq_n_s32(vsubq_s32(c, a), m0, 6);
    y[1] = vsubq_s32(vshlq_n_s32(d, 1), b);
    y[2] = vsubq_s32(vshlq_n_s32(c, 2), a);
    y[3] = vmlaq_n_s32(vsubq_s32(vshlq_n_s32(d, 3), b), m5, 24);
}

// The outputs of one tile; sums[position * 64 + channel].
SWIFTLET_INLINE void finish_tile(
    const swiftlet_winogemm_s8_arguments *a, const int32_t *sums, int t, const output_range_neon *range, int isClamped) {
    int32x4_t rows[2][4][6];
    SWIFTLET_UNROLL for (int half = 0; half < 2; half++) {
        SWIFTLET_UNROLL for (int x = 0; x < 6; x++) {
            int32x4_t m[6], y[4];
            SWIFTLET_UNROLL for (int i = 0; i < 6; i++) m[i] = vld1q_s32(sums + (6 * i + x) * 64 + 4 * half);
            transform(y, m[0], m[1], m[2], m[3], m[4], m[5]);
            SWIFTLET_UNROLL for (int i = 0; i < 4; i++) rows[half][i][x] = y[i];
        }
    }
    const int32_t channels = a->channels;
    int8_t *output = a->output[t];
    SWIFTLET_UNROLL for (int i = 0; i < 4; i++) {
        if (i >= a->rows[t]) break;
        int32x4_t values[2][4];
        SWIFTLET_UNROLL for (int half = 0; half < 2; half++) {
            const int32x4_t *m = rows[half][i];
            const int32x4_t bias = vld1q_s32(a->bias + 4 * half);
            const float32x4_t scale = vld1q_f32(a->scales + 4 * half);
            int32x4_t y[4];
            transform(y, m[0], m[1], m[2], m[3], m[4], m[5]);
            SWIFTLET_UNROLL for (int x = 0; x < 4; x++) {
                // 576 = 9 * 64: times 1 / 9 modulo 2^32, then shifted.
                values[half][x] = scaled(vsraq_n_s32(bias, vmulq_n_s32(y[x], 0x38E38E39), 6), scale);
            }
        }
        int8x16_t bytes[2];
        SWIFTLET_UNROLL for (int x = 0; x < 2; x++) {
            bytes[x] = narrowed16(
                values[0][2 * x], values[1][2 * x], values[0][2 * x + 1], values[1][2 * x + 1], *range);
            if (isClamped) bytes[x] = clamped16(bytes[x], *range);
        }
        store_pixels(output, a->outputPixelStride, bytes, 4, a->columns[t], channels);
        output += a->outputRowStride;
    }
}

// Winograd's F(4x4, 3x3) with transforms scaled to integers. Sums and products wrap at 32 bits; what comes out is 576
// times the convolution modulo 2^32, from which the convolution follows where 64 times it fits 32 bits.
void swiftlet_winogemm_s8_8x8__neon(const swiftlet_winogemm_s8_arguments *a) {
    const output_range_neon range = output_range(a->zeroPoint, a->lowest, a->highest);
    const int isClamped = a->lowest > -128 || a->highest < 127;
    const int16_t *x = a->inputs, *w = a->weights;
    for (int p = 0; p < 36; p++, x += (intptr_t)64 * a->eights, w += (intptr_t)64 * a->eights) {
        int32_t *sums = a->products + 64 * p;
        if (a->tiles > 4) {
            multiply(x, w, sums, a->eights, 8);
        } else if (a->tiles > 1) {
            multiply(x, w, sums, a->eights, 4);
        } else {
            multiply(x, w, sums, a->eights, 1);
        }
    }
    for (int t = 0; t < a->tiles; t++) finish_tile(a, a->products + 8 * t, t, &range, isClamped);
}
#endif
