#if defined(__aarch64__)
#include "gemm_tiles_neon.h"

SWIFTLET_INLINE int16_t *store_stepping(int16_t *output, int16x8x4_t values, intptr_t stride) {
    vst1q_s16_x4(output, values);
    output += stride;
    SWIFTLET_STEPPED(output);
    return output;
}

// The transform of weights along one axis, each of its rows scaled to the smallest integers:
//   g0, g0 + g1 + g2, g0 - g1 + g2, g0 + 2 g1 + 4 g2, g0 - 2 g1 + 4 g2, g2

// Of one column of the kernel, for the four input channels of a quad: eight output channels each.
// Writes the six rows `stride` elements apart.
SWIFTLET_INLINE void transform_column(
    const int8_t *w, intptr_t rowStride, int16_t *columns, intptr_t stride, int8x8_t two, int8x8_t four) {
    const int8x8x4_t g0 = vld4_s8(w), g1 = vld4_s8(w + rowStride), g2 = vld4_s8(w + 2 * rowStride);
    int16x8x4_t sum, difference;
    SWIFTLET_UNROLL for (int i = 0; i < 4; i++) sum.val[i] = vmovl_s8(g0.val[i]);
    columns = store_stepping(columns, sum, stride);
    SWIFTLET_UNROLL for (int i = 0; i < 4; i++) {
        const int16x8_t ends = vaddl_s8(g0.val[i], g2.val[i]);
        sum.val[i] = vaddw_s8(ends, g1.val[i]);
        difference.val[i] = vsubw_s8(ends, g1.val[i]);
    }
    columns = store_stepping(columns, sum, stride);
    columns = store_stepping(columns, difference, stride);
    SWIFTLET_UNROLL for (int i = 0; i < 4; i++) {
        sum.val[i] = vmlal_s8(vaddw_s8(vshll_n_s8(g2.val[i], 2), g0.val[i]), g1.val[i], two);
    }
    columns = store_stepping(columns, sum, stride);
    SWIFTLET_UNROLL for (int i = 0; i < 4; i++) sum.val[i] = vmlsl_s8(sum.val[i], g1.val[i], four);
    columns = store_stepping(columns, sum, stride);
    SWIFTLET_UNROLL for (int i = 0; i < 4; i++) sum.val[i] = vmovl_s8(g2.val[i]);
    columns = store_stepping(columns, sum, stride);
}

// Of one transformed row: six positions `stride` elements apart.
SWIFTLET_INLINE int16_t *transform_row(
    const int16_t **columns, int16_t *output, intptr_t stride, int16x8_t two, int16x8_t four) {
    int16x8x4_t g[3];
    SWIFTLET_UNROLL for (int x = 0; x < 3; x++) {
        g[x] = vld1q_s16_x4(*columns);
        *columns += 32;
        SWIFTLET_STEPPED(*columns);
    }
    const int16x8x4_t g0 = g[0], g1 = g[1], g2 = g[2];
    int16x8x4_t sum, difference;
    output = store_stepping(output, g0, stride);
    SWIFTLET_UNROLL for (int i = 0; i < 4; i++) {
        const int16x8_t ends = vaddq_s16(g0.val[i], g2.val[i]);
        sum.val[i] = vaddq_s16(ends, g1.val[i]);
        difference.val[i] = vsubq_s16(ends, g1.val[i]);
    }
    output = store_stepping(output, sum, stride);
    output = store_stepping(output, difference, stride);
    SWIFTLET_UNROLL for (int i = 0; i < 4; i++) {
        sum.val[i] = vmlaq_s16(vmlaq_s16(g0.val[i], g2.val[i], four), g1.val[i], two);
    }
    output = store_stepping(output, sum, stride);
    SWIFTLET_UNROLL for (int i = 0; i < 4; i++) sum.val[i] = vmlsq_s16(sum.val[i], g1.val[i], four);
    output = store_stepping(output, sum, stride);
    return store_stepping(output, g2, stride);
}

// At most 128 * 7 * 7 in absolute value.
void swiftlet_winoweights_s8_1x8__neon(const swiftlet_winoweights_s8_arguments *a) {
    const intptr_t tapStride = (intptr_t)32 * a->quads;
    const int32_t paddedQuads = (a->quads + 1) & ~1;
    const intptr_t positionStride = (intptr_t)32 * paddedQuads;    // elements
    int16_t *output = a->output;
    const int8_t *w = a->weights;
    // Hidden, so that stores step by a register and no shift replaces the multiplication.
    intptr_t columnStride = 96;
    int16x8_t two = vdupq_n_s16(2), four = vdupq_n_s16(4);
    int8x8_t byteTwo = vdup_n_s8(2), byteFour = vdup_n_s8(4);
    __asm__("" : "+r"(columnStride), "+w"(two), "+w"(four), "+w"(byteTwo), "+w"(byteFour));
    for (int32_t quad = a->quads; quad > 0; quad--, output += 32, w += 32) {
        int16_t columns[6 * 3 * 32];    // [row][column][input channel][output channel]
        for (int x = 0; x < 3; x++) {
            transform_column(w + x * tapStride, 3 * tapStride, columns + 32 * x, columnStride, byteTwo, byteFour);
        }
        const int16_t *row = columns;
        int16_t *position = output;
        for (int y = 0; y < 6; y++) position = transform_row(&row, position, positionStride, two, four);
    }
    if (paddedQuads > a->quads) {
        for (int position = 0; position < 36; position++) memset(output + position * positionStride, 0, 64);
    }
}
#endif
