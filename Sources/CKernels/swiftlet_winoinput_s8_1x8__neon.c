#if defined(__aarch64__)
#include "gemm_tiles_neon.h"

// The transform of inputs along one axis; every factor is an integer.
SWIFTLET_INLINE void transform(int16x8_t *v, int16x8_t d0, int16x8_t d1, int16x8_t d2, int16x8_t d3, int16x8_t d4, int16x8_t d5) {
    const int16x8_t a = vsubq_s16(d4, vshlq_n_s16(d2, 2)), b = vsubq_s16(d3, vshlq_n_s16(d1, 2));
    const int16x8_t c = vsubq_s16(d4, d2), e = vshlq_n_s16(vsubq_s16(d3, d1), 1);
    v[0] = vaddq_s16(c, vshlq_n_s16(vsubq_s16(d0, d2), 2));
    v[1] = vaddq_s16(a, b);
    v[2] = vsubq_s16(a, b);
    v[3] = vaddq_s16(c, e);
    v[4] = vsubq_s16(c, e);
    v[5] = vsubq_s16(vsubq_s16(d5, d3), vshlq_n_s16(e, 1));
}

// At most 128 * 10 * 10 in absolute value, which fits 16 bits.
void swiftlet_winoinput_s8_1x8__neon(const swiftlet_winoinput_s8_arguments *a) {
    const intptr_t strideBytes = 2 * a->positionStride;
    for (int32_t c = 0; c < a->channels; c += 8) {
        int16x8_t columns[6][6];
        SWIFTLET_UNROLL for (int x = 0; x < 6; x++) {
            int16x8_t d[6], v[6];
            SWIFTLET_UNROLL for (int y = 0; y < 6; y++) d[y] = vmovl_s8(vld1_s8(a->rows[6 * y + x] + c));
            transform(v, d[0], d[1], d[2], d[3], d[4], d[5]);
            SWIFTLET_UNROLL for (int y = 0; y < 6; y++) columns[y][x] = v[y];
        }
        int16_t *output = a->output + c * 8;
        SWIFTLET_UNROLL for (int y = 0; y < 6; y++) {
            int16x8_t v[6];
            transform(v, columns[y][0], columns[y][1], columns[y][2], columns[y][3], columns[y][4], columns[y][5]);
            SWIFTLET_UNROLL for (int x = 0; x < 6; x++) {
                store16_stepping(&output, v[x], strideBytes);
            }
        }
    }
}
#endif
