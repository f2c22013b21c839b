#if defined(__aarch64__) || defined(__ARM_NEON)
#include "depthwise_rows_neon.h"

// Eight channels of an output row at a time. The columns under an output stay in registers until no output reads them.
// Taps go in pairs whose products are summed in 16 bits, which is exact where no weight is -128.

typedef struct {
    int8x8_t rows[3];
} column;

typedef struct {
    int8x8_t weights[9];
    int32x4_t bias[2];
    float32x4_t scale[2];
    int8x8_t padding;
    output_range_neon range;
    int32_t channels;
} block;

typedef struct {
    const int8_t *at[3];
    intptr_t step[3];
} cursor;

SWIFTLET_INLINE column next_column(cursor *c) {
    column made;
    SWIFTLET_UNROLL
    for (int r = 0; r < 3; r++) made.rows[r] = load8_stepping(&c->at[r], c->step[r]);
    return made;
}

// As next_column where the column may lie outside of the input.
SWIFTLET_INLINE column any_column(const block *b, cursor *c, int isInside) {
    if (isInside) return next_column(c);
    SWIFTLET_UNROLL
    for (int r = 0; r < 3; r++) c->at[r] += c->step[r];
    const column padding = {{b->padding, b->padding, b->padding}};
    return padding;
}

SWIFTLET_INLINE void add16(int32x4_t *sums, int16x8_t products) {
    sums[0] = vaddw_s16(sums[0], vget_low_s16(products));
    sums[1] = vaddw_s16(sums[1], vget_high_s16(products));
}

SWIFTLET_INLINE int16x8_t products2(int8x8_t x0, int8x8_t w0, int8x8_t x1, int8x8_t w1) {
    return vmlal_s8(vmull_s8(x0, w0), x1, w1);
}

// One output, from three columns.
SWIFTLET_INLINE void step(
    const block *b, const column *c0, const column *c1, const column *c2, int8_t **output, intptr_t outputStep,
    const int isPlain) {
    const int8x8_t *w = b->weights;
    int32x4_t sums[2] = {b->bias[0], b->bias[1]};
    add16(sums, products2(c0->rows[0], w[0], c0->rows[1], w[3]));
    add16(sums, products2(c1->rows[0], w[1], c1->rows[1], w[4]));
    add16(sums, products2(c0->rows[2], w[6], c1->rows[2], w[7]));
    add16(sums, products2(c2->rows[0], w[2], c2->rows[1], w[5]));
    add16(sums, vmull_s8(c2->rows[2], w[8]));
    int8x8_t values = vqmovn_s16(rounded16(sums, b->scale, b->range, isPlain));
    if (!isPlain) values = clamped8(values, b->range);
    if (isPlain || b->channels >= 8) {
        store8_stepping(output, values, outputStep);
        return;
    }
    int8_t bytes[8];
    vst1_s8(bytes, values);
    memcpy(*output, bytes, (size_t)b->channels);
    *output += outputStep;
}

// An output row; `isPlain` where there are eight channels, rounded values fit in 16 bits and clamping does nothing.
SWIFTLET_INLINE void one_row(
    const swiftlet_depthwise_rows_s8_arguments *a, const block *b, const input_rows *rows, int8_t *output,
    const int stride, const int isPlain) {
    cursor at;
    SWIFTLET_UNROLL
    for (int r = 0; r < 3; r++) {
        at.step[r] = rows->step[r];
        at.at[r] = rows->start[r] - a->padLeft * at.step[r];
    }
    const intptr_t begin = a->padLeft, end = (intptr_t)a->padLeft + a->inputWidth;
    // Columns, counted from the first of padding.
    intptr_t x = 0;
#define SWIFTLET_ANY_COLUMN() (x++, any_column(b, &at, x > begin && x <= end))
    column c0 = SWIFTLET_ANY_COLUMN(), c1, c2;
    if (stride == 1) c1 = SWIFTLET_ANY_COLUMN();
    const intptr_t outputStep = a->outputPixelStride;
    const int unroll = stride == 1 ? 3 : 2;
    intptr_t left = a->outputWidth;
    while (left > 0) {
        if (isPlain && x >= begin && x < end) {
            intptr_t rounds = (end - x) / (unroll * stride);
            if (rounds > left / unroll) rounds = left / unroll;
            left -= unroll * rounds;
            x += unroll * stride * rounds;
            for (; rounds > 0; rounds--) {
                if (stride == 1) {
                    c2 = next_column(&at);
                    step(b, &c0, &c1, &c2, &output, outputStep, isPlain);
                    c0 = next_column(&at);
                    step(b, &c1, &c2, &c0, &output, outputStep, isPlain);
                    c1 = next_column(&at);
                    step(b, &c2, &c0, &c1, &output, outputStep, isPlain);
                } else {
                    c1 = next_column(&at);
                    c2 = next_column(&at);
                    step(b, &c0, &c1, &c2, &output, outputStep, isPlain);
                    c1 = next_column(&at);
                    c0 = next_column(&at);
                    step(b, &c2, &c1, &c0, &output, outputStep, isPlain);
                }
            }
            if (left == 0) break;
        }
        if (stride == 2) c1 = SWIFTLET_ANY_COLUMN();
        c2 = SWIFTLET_ANY_COLUMN();
        step(b, &c0, &c1, &c2, &output, outputStep, isPlain);
        c0 = stride == 1 ? c1 : c2;
        c1 = c2;
        left--;
    }
#undef SWIFTLET_ANY_COLUMN
}

SWIFTLET_INLINE void depthwise3x3(const swiftlet_depthwise_rows_s8_arguments *a, const int stride) {
    block b;
    b.range = output_range(a->zeroPoint, a->lowest, a->highest);
    b.padding = vld1_s8(a->padding);
    for (int32_t channel = 0; channel < a->channels; channel += 8) {
        const int8_t *weights = a->weights + channel / 16 * (16 * 9) + channel % 16;
        SWIFTLET_UNROLL
        for (int tap = 0; tap < 9; tap++) b.weights[tap] = vld1_s8(weights + 16 * tap);
        SWIFTLET_UNROLL
        for (int half = 0; half < 2; half++) {
            b.bias[half] = vld1q_s32(a->bias + channel + 4 * half);
            b.scale[half] = vld1q_f32(a->scales + channel + 4 * half);
        }
        b.channels = a->channels - channel;
        const int isPlain = a->lowest == -128 && a->highest == 127 && b.channels >= 8
            && fits16(weights, 9, a->bias + channel, a->scales + channel);
        for (int32_t y = 0; y < a->rows; y++) {
            const input_rows rows = rows_under(a, a->firstRow + y, channel, 3);
            int8_t *output = a->output + y * a->outputRowStride + channel;
            if (isPlain) {
                one_row(a, &b, &rows, output, stride, 1);
            } else {
                one_row(a, &b, &rows, output, stride, 0);
            }
        }
    }
}

void swiftlet_depthwise3x3_s8_1x8__neon(const swiftlet_depthwise_rows_s8_arguments *a) {
    if (a->strideX == 1) {
        depthwise3x3(a, 1);
    } else {
        depthwise3x3(a, 2);
    }
}
#endif
