#if defined(__aarch64__)
#include "gemm_tiles_neon.h"

// The transforms of inputs along one axis, to six values for four outputs and to five for three; every factor is an
// integer. The values are those at 0, 1, -1, 2, -2 and infinity; three outputs do without -2.
SWIFTLET_INLINE void transform(int16x8_t *v, const int16x8_t *d, const int outputs) {
    if (outputs == 4) {
        const int16x8_t a = vsubq_s16(d[4], vshlq_n_s16(d[2], 2)), b = vsubq_s16(d[3], vshlq_n_s16(d[1], 2));
        const int16x8_t c = vsubq_s16(d[4], d[2]), e = vshlq_n_s16(vsubq_s16(d[3], d[1]), 1);
        v[0] = vaddq_s16(c, vshlq_n_s16(vsubq_s16(d[0], d[2]), 2));
        v[1] = vaddq_s16(a, b);
        v[2] = vsubq_s16(a, b);
        v[3] = vaddq_s16(c, e);
        v[4] = vsubq_s16(c, e);
        v[5] = vsubq_s16(vsubq_s16(d[5], d[3]), vshlq_n_s16(e, 1));
        return;
    }
    // 2 (d0 - d2) + d3 - d1, d3 - d2 - 2 d1, d3 - 3 d2 + 2 d1, d3 - d1, d4 - d2 - 2 (d3 - d1)
    const int16x8_t a = vsubq_s16(d[3], d[1]), b = vsubq_s16(d[3], d[2]);
    const int16x8_t c = vshlq_n_s16(vsubq_s16(d[1], d[2]), 1);
    v[0] = vaddq_s16(a, vshlq_n_s16(vsubq_s16(d[0], d[2]), 1));
    v[1] = vsubq_s16(b, vshlq_n_s16(d[1], 1));
    v[2] = vaddq_s16(b, c);
    v[3] = a;
    v[5] = vsubq_s16(vsubq_s16(d[4], d[2]), vshlq_n_s16(a, 1));
}

// At most 128 * 10 * 10 in absolute value, which fits 16 bits.
SWIFTLET_INLINE void transform_tile(const swiftlet_winoinput_s8_arguments *a, const int height, const int width) {
    intptr_t strideBytes = 2 * a->positionStride;
    for (int32_t c = 0; c < a->channels; c += 8) {
        int16x8_t columns[6][6];
        SWIFTLET_UNROLL for (int x = 0; x < width + 2; x++) {
            int16x8_t d[6], v[6];
            SWIFTLET_UNROLL for (int y = 0; y < height + 2; y++) d[y] = vmovl_s8(vld1_s8(a->rows[6 * y + x] + c));
            transform(v, d, height);
            SWIFTLET_UNROLL for (int y = 0; y < 6; y++) {
                if (height == 4 || y != 4) columns[y][x] = v[y];
            }
        }
        int16_t *output = a->output + c * 8;
        SWIFTLET_UNROLL for (int y = 0; y < 6; y++) {
            if (height < 4 && y == 4) {
                output += 6 * a->positionStride;
                continue;
            }
            int16x8_t v[6];
            transform(v, columns[y], width);
            SWIFTLET_UNROLL for (int x = 0; x < 6; x++) {
                if (width == 4 || x != 4) {
                    store16_stepping(&output, v[x], strideBytes);
                } else {
                    output += a->positionStride;
                }
            }
        }
    }
}

void swiftlet_winoinput_s8_1x8__neon(const swiftlet_winoinput_s8_arguments *a) {
    if (a->tileRows == 4) {
        if (a->tileColumns == 4) {
            transform_tile(a, 4, 4);
        } else {
            transform_tile(a, 4, 3);
        }
    } else {
        if (a->tileColumns == 4) {
            transform_tile(a, 3, 4);
        } else {
            transform_tile(a, 3, 3);
        }
    }
}
#endif
