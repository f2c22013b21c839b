#if defined(__aarch64__)
#include "gemm_tiles_neon.h"

// The transform of weights along one axis, each of its rows scaled to the smallest integers.
SWIFTLET_INLINE void transform(int16x8_t *u, int16x8_t g0, int16x8_t g1, int16x8_t g2) {
    const int16x8_t ends = vaddq_s16(g0, g2), far = vaddq_s16(g0, vshlq_n_s16(g2, 2)), twice = vshlq_n_s16(g1, 1);
    u[0] = g0;
    u[1] = vaddq_s16(ends, g1);
    u[2] = vsubq_s16(ends, g1);
    u[3] = vaddq_s16(far, twice);
    u[4] = vsubq_s16(far, twice);
    u[5] = g2;
}

// One of the four input channels of a quad: eight output channels.
SWIFTLET_INLINE void transform_channel(
    const int8_t *w, intptr_t tapStride, const int channel, int16_t *output, intptr_t positionStride) {
    const intptr_t strideBytes = 2 * positionStride;
    int16x8_t g[9], columns[6][3];
    SWIFTLET_UNROLL for (int tap = 0; tap < 9; tap++) {
        g[tap] = vmovl_s8(vld4_s8(w).val[channel]);
        w += tapStride;
        // One tap after the other: the registers of the other three channels are free again.
        __asm__ volatile("" : "+r"(w), "+w"(g[tap]));
    }
    SWIFTLET_UNROLL for (int x = 0; x < 3; x++) {
        int16x8_t u[6];
        transform(u, g[x], g[3 + x], g[6 + x]);
        SWIFTLET_UNROLL for (int y = 0; y < 6; y++) columns[y][x] = u[y];
    }
    SWIFTLET_UNROLL for (int y = 0; y < 6; y++) {
        int16x8_t u[6];
        transform(u, columns[y][0], columns[y][1], columns[y][2]);
        SWIFTLET_UNROLL for (int x = 0; x < 6; x++) {
            store16_stepping(&output, u[x], strideBytes);
        }
    }
}

// At most 128 * 7 * 7 in absolute value. Every channel takes its quads apart again: four would not stay in registers.
void swiftlet_winoweights_s8_1x8__neon(const swiftlet_winoweights_s8_arguments *a) {
    const intptr_t tapStride = (intptr_t)32 * a->quads;
    const int32_t paddedQuads = (a->quads + 1) & ~1;
    const intptr_t positionStride = (intptr_t)32 * paddedQuads;    // elements
    int16_t *output = a->output;
    for (int32_t quad = 0; quad < a->quads; quad++, output += 32) {
        const int8_t *w = a->weights + 32 * quad;
        transform_channel(w, tapStride, 0, output, positionStride);
        transform_channel(w, tapStride, 1, output + 8, positionStride);
        transform_channel(w, tapStride, 2, output + 16, positionStride);
        transform_channel(w, tapStride, 3, output + 24, positionStride);
    }
    if (paddedQuads > a->quads) {
        for (int position = 0; position < 36; position++) memset(output + position * positionStride, 0, 64);
    }
}
#endif
