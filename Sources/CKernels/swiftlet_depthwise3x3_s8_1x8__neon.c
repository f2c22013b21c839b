#if defined(__aarch64__) || defined(__ARM_NEON)
#include "depthwise_rows_neon.h"

// Eight channels of an output row at a time. The columns under an output stay in registers until no output reads them.

// How products are summed.
enum {
    paired,    // two in 16 bits, then in 32: exact where no weight is -128 and there is no weight offset
    wide,      // in 32 bits, inputs widened once a column
};

// The rows of a column, in the form that the way of summing reads.
typedef struct {
    int8x8_t narrow[3];
    int16x8_t wide[3];
} column;

typedef struct {
    int8x8_t narrow[9];
    int16x8_t wide[9];    // weight offset added
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

SWIFTLET_INLINE column column_of(const int8x8_t *rows, const int sums) {
    column made;
    SWIFTLET_UNROLL
    for (int r = 0; r < 3; r++) {
        made.narrow[r] = rows[r];
        if (sums == wide) made.wide[r] = vmovl_s8(rows[r]);
    }
    return made;
}

SWIFTLET_INLINE column next_column(cursor *c, const int sums) {
    int8x8_t rows[3];
    SWIFTLET_UNROLL
    for (int r = 0; r < 3; r++) rows[r] = load8_stepping(&c->at[r], c->step[r]);
    return column_of(rows, sums);
}

// As next_column where the column may lie outside of the input.
SWIFTLET_INLINE column any_column(const block *b, cursor *c, const int sums, int isInside) {
    if (isInside) return next_column(c, sums);
    SWIFTLET_UNROLL
    for (int r = 0; r < 3; r++) c->at[r] += c->step[r];
    const int8x8_t padding[3] = {b->padding, b->padding, b->padding};
    return column_of(padding, sums);
}

SWIFTLET_INLINE void add16(int32x4_t *sums, int16x8_t products) {
    sums[0] = vaddw_s16(sums[0], vget_low_s16(products));
    sums[1] = vaddw_s16(sums[1], vget_high_s16(products));
}

SWIFTLET_INLINE int16x8_t products2(int8x8_t x0, int8x8_t w0, int8x8_t x1, int8x8_t w1) {
    return vmlal_s8(vmull_s8(x0, w0), x1, w1);
}

SWIFTLET_INLINE void add_pairs(int32x4_t *sums, const block *b, const column *c0, const column *c1, const column *c2) {
    const int8x8_t *w = b->narrow;
    add16(sums, products2(c0->narrow[0], w[0], c0->narrow[1], w[3]));
    add16(sums, products2(c1->narrow[0], w[1], c1->narrow[1], w[4]));
    add16(sums, products2(c0->narrow[2], w[6], c1->narrow[2], w[7]));
    add16(sums, products2(c2->narrow[0], w[2], c2->narrow[1], w[5]));
    add16(sums, vmull_s8(c2->narrow[2], w[8]));
}

SWIFTLET_INLINE void add_wide(int32x4_t *sums, const column *c, const int16x8_t *weights) {
    SWIFTLET_UNROLL
    for (int r = 0; r < 3; r++) {
        const int16x8_t w = weights[3 * r];
        sums[0] = vmlal_s16(sums[0], vget_low_s16(c->wide[r]), vget_low_s16(w));
        sums[1] = vmlal_s16(sums[1], vget_high_s16(c->wide[r]), vget_high_s16(w));
    }
}

// One output, from three columns.
SWIFTLET_INLINE void step(
    const block *b, const column *c0, const column *c1, const column *c2, int8_t **output, intptr_t outputStep,
    const int sums, const int isPlain) {
    int32x4_t totals[2] = {b->bias[0], b->bias[1]};
    if (sums == paired) {
        add_pairs(totals, b, c0, c1, c2);
    } else {
        add_wide(totals, c0, b->wide);
        add_wide(totals, c1, b->wide + 1);
        add_wide(totals, c2, b->wide + 2);
    }
    int8x8_t values = vqmovn_s16(requantized16(totals, b->scale, b->range, isPlain));
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
    const int stride, const int sums, const int isPlain) {
    cursor at;
    SWIFTLET_UNROLL
    for (int r = 0; r < 3; r++) {
        at.step[r] = rows->step[r];
        at.at[r] = rows->start[r] - a->padLeft * at.step[r];
    }
    const intptr_t begin = a->padLeft, end = (intptr_t)a->padLeft + a->inputWidth;
    // Columns, counted from the first of padding.
    intptr_t x = 0;
#define SWIFTLET_ANY_COLUMN() (x++, any_column(b, &at, sums, x > begin && x <= end))
    column c0 = SWIFTLET_ANY_COLUMN(), c1, c2;
    if (stride == 1) c1 = SWIFTLET_ANY_COLUMN();
    const intptr_t outputStep = a->outputPixelStride;
    const int unroll = stride == 1 ? 3 : 2;
    intptr_t left = a->outputWidth;
    while (left > 0) {
        if (x >= begin && x < end) {
            intptr_t rounds = (end - x) / (unroll * stride);
            if (rounds > left / unroll) rounds = left / unroll;
            left -= unroll * rounds;
            x += unroll * stride * rounds;
            for (; rounds > 0; rounds--) {
                if (stride == 1) {
                    c2 = next_column(&at, sums);
                    step(b, &c0, &c1, &c2, &output, outputStep, sums, isPlain);
                    c0 = next_column(&at, sums);
                    step(b, &c1, &c2, &c0, &output, outputStep, sums, isPlain);
                    c1 = next_column(&at, sums);
                    step(b, &c2, &c0, &c1, &output, outputStep, sums, isPlain);
                } else {
                    c1 = next_column(&at, sums);
                    c2 = next_column(&at, sums);
                    step(b, &c0, &c1, &c2, &output, outputStep, sums, isPlain);
                    c1 = next_column(&at, sums);
                    c0 = next_column(&at, sums);
                    step(b, &c2, &c1, &c0, &output, outputStep, sums, isPlain);
                }
            }
            if (left == 0) break;
        }
        if (stride == 2) c1 = SWIFTLET_ANY_COLUMN();
        c2 = SWIFTLET_ANY_COLUMN();
        step(b, &c0, &c1, &c2, &output, outputStep, sums, isPlain);
        c0 = stride == 1 ? c1 : c2;
        c1 = c2;
        left--;
    }
#undef SWIFTLET_ANY_COLUMN
}

SWIFTLET_INLINE void all_rows(
    const swiftlet_depthwise_rows_s8_arguments *a, const block *common, int32_t channel, const int stride,
    const int sums, const int isPlain) {
    // Copied from where the compiler doesn't know it, so that each way gets registers of its own for it.
    __asm__ volatile("" : "+r"(common) : : "memory");
    const block copy = *common;
    for (int32_t y = 0; y < a->rows; y++) {
        const input_rows rows = rows_under(a, a->firstRow + y, channel, 3);
        one_row(a, &copy, &rows, a->output + y * a->outputRowStride + channel, stride, sums, isPlain);
    }
}

SWIFTLET_INLINE void depthwise3x3(const swiftlet_depthwise_rows_s8_arguments *a, const int stride) {
    block b;
    b.range = output_range(a->zeroPoint, a->lowest, a->highest);
    b.padding = vld1_s8(a->padding);
    const int16x8_t offset = vdupq_n_s16((int16_t)a->weightOffset);
    for (int32_t channel = 0; channel < a->channels; channel += 8) {
        const int8_t *weights = a->weights + channel / 16 * (16 * 9) + channel % 16;
        int8x8_t lowest = vdup_n_s8(127);
        SWIFTLET_UNROLL
        for (int tap = 0; tap < 9; tap++) {
            b.narrow[tap] = vld1_s8(weights + 16 * tap);
            b.wide[tap] = vaddw_s8(offset, b.narrow[tap]);
            lowest = vmin_s8(lowest, b.narrow[tap]);
        }
        SWIFTLET_UNROLL
        for (int half = 0; half < 2; half++) {
            b.bias[half] = vld1q_s32(a->bias + channel + 4 * half);
            b.scale[half] = vld1q_f32(a->scales + channel + 4 * half);
        }
        b.channels = a->channels - channel;
        const int isPlain = a->lowest == -128 && a->highest == 127 && b.channels >= 8
            && fits16(weights, 9, a->weightOffset, a->bias + channel, a->scales + channel);
        if (!isPlain) {
            all_rows(a, &b, channel, stride, wide, 0);
        } else if (a->weightOffset == 0 && !contains(lowest, -128)) {
            all_rows(a, &b, channel, stride, paired, 1);
        } else {
            all_rows(a, &b, channel, stride, wide, 1);
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
