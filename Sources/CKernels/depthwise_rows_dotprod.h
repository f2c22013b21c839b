// The body of the SDOT kernels of whole rows of a depthwise convolution, 3 x 3 and 5 x 5. Included only by them.
//
// Eight channels of two output rows at a time: a column of the input is permuted into quads, one a channel, of the
// values of up to four rows. One SDOT multiplies and adds them for four channels. Sums of the outputs that still lack
// columns stay in registers, so each quad is made once for all columns of the kernel that read it.
//
// With a stride of 1, output rows that lie one row of the kernel apart are a pair; they read the same rows of input but
// for one each (`shared`) and take the same quads, with weights (w0, w1, w2, 0) and (0, w0, w1, w2). With a stride of 2
// each row of a pair has quads of its own.
#pragma once
#include "depthwise_rows_neon.h"
#include "gemm_tiles_neon.h"

#define SWIFTLET_DOTPROD __attribute__((target("dotprod")))
#define SWIFTLET_DOTPROD_INLINE static inline __attribute__((target("dotprod"), always_inline))

enum {
    largest_size = 5,
    largest_quads = 2,    // of a column: rows 0-3 and the rest
    largest_parts = 3,    // of a weight offset, all int8
};

// How outputs are computed. Plain ways have eight channels whose rounded values fit in 16 bits, and clamping that does
// nothing; their number is how many parts of a weight offset there are.
enum { general = -1, plain = 0, plain_offset = 1 };

// Four quads each: by output row, half of the eight channels.
typedef struct {
    int8x16_t values[2][2];
} quad_block;

typedef struct {
    quad_block quads[largest_quads];
} column;

typedef struct {
    int32x4_t sums[2][2];    // by output row, half of the channels
} output_pair;

// What eight channels have in common.
typedef struct {
    const column *weights;
    const column *offset;    // `parts` of them, to add to the weights of every column
    int32_t parts;
    const int32_t *bias;
    float32x4_t scale[2];
    uint8x16_t order[2];
    int8x16_t padding;
    output_range_neon range;
    int32_t channels;
} block;

// Where the next column of the input rows lies: of all rows of both output rows, or of those of one and then the other.
typedef struct {
    const int8_t *at[2 * largest_size];
    intptr_t step[2 * largest_size];
} cursor;

typedef struct {
    int8_t *at[2];
    intptr_t step[2];
} output_rows;

SWIFTLET_DOTPROD_INLINE int row_count(const int size, const int shared) { return shared ? size + 1 : 2 * size; }

// Eight values of one row, stepped, and of the next, if there is one, else zeros.
SWIFTLET_DOTPROD_INLINE int8x16_t load_rows(cursor *c, const int row, const int count) {
    int8x16_t values;
    if (count > 1) {
        __asm__("ld1 {%0.8b}, [%1], %3\n\tld1 {%0.d}[1], [%2], %4"
                : "=&w"(values), "+r"(c->at[row]), "+r"(c->at[row + 1])
                : "r"(c->step[row]), "r"(c->step[row + 1]));
    } else {
        __asm__("ld1 {%0.8b}, [%1], %2" : "=w"(values), "+r"(c->at[row]) : "r"(c->step[row]));
    }
    return values;
}

// Quads of up to four rows, two in a register.
SWIFTLET_DOTPROD_INLINE void permute(
    int8x16_t *quads, int8x16_t upper, int8x16_t lower, const int count, const uint8x16_t *order) {
    const int8x16x2_t rows = {{upper, lower}};
    SWIFTLET_UNROLL
    for (int half = 0; half < 2; half++) {
        quads[half] = count > 2 ? vqtbl2q_s8(rows, order[half]) : vqtbl1q_s8(upper, order[half]);
    }
}

SWIFTLET_DOTPROD_INLINE column next_column(const block *b, cursor *c, const int size, const int shared) {
    column made;
    const int rows = shared ? size + 1 : size;
    SWIFTLET_UNROLL
    for (int row = 0; row < 2; row++) {
        SWIFTLET_UNROLL
        for (int first = 0; first < size; first += 4) {
            int8x16_t *quads = made.quads[first / 4].values[row];
            if (row == 1 && shared) {
                quads[0] = made.quads[first / 4].values[0][0];
                quads[1] = made.quads[first / 4].values[0][1];
                continue;
            }
            const int count = rows - first < 4 ? rows - first : 4;
            const int8x16_t upper = load_rows(c, row * size + first, count);
            const int8x16_t lower = count > 2 ? load_rows(c, row * size + first + 2, count - 2) : upper;
            permute(quads, upper, lower, count, b->order);
        }
    }
    return made;
}

// As next_column where the column may lie outside of the input.
SWIFTLET_DOTPROD_INLINE column any_column(const block *b, cursor *c, const int size, const int shared, int isInside) {
    if (isInside) return next_column(b, c, size, shared);
    SWIFTLET_UNROLL
    for (int r = 0; r < row_count(size, shared); r++) c->at[r] += c->step[r];
    const quad_block padding = {{{b->padding, b->padding}, {b->padding, b->padding}}};
    const column made = {{padding, padding}};
    return made;
}

SWIFTLET_DOTPROD_INLINE output_pair begun(const block *b) {
    // Loaded each time: copies of registers would be more instructions.
    output_pair outputs;
    SWIFTLET_UNROLL
    for (int row = 0; row < 2; row++) {
        __asm__ volatile("ldp %q0, %q1, [%2]"
                         : "=w"(outputs.sums[row][0]), "=w"(outputs.sums[row][1])
                         : "r"(b->bias));
    }
    return outputs;
}

SWIFTLET_DOTPROD_INLINE void add_products(
    output_pair *outputs, const column *c, const column *weights, const int size) {
    SWIFTLET_UNROLL
    for (int i = 0; i < (size + 3) / 4; i++) {
        SWIFTLET_UNROLL
        for (int row = 0; row < 2; row++) {
            SWIFTLET_UNROLL
            for (int half = 0; half < 2; half++) {
                int32x4_t *sum = &outputs->sums[row][half];
                *sum = vdotq_s32(*sum, c->quads[i].values[row][half], weights->quads[i].values[row][half]);
            }
        }
    }
}

// As add_products with column `kernelColumn` of weights in memory: there are more of them than registers, and the
// compiler would load them early and spill them.
SWIFTLET_DOTPROD_INLINE void add_products_from_memory(
    output_pair *outputs, const column *c, const column *weights, const int kernelColumn) {
    SWIFTLET_UNROLL
    for (int i = 0; i < largest_quads; i++) {
        int8x16_t w0, w1, w2, w3;
        __asm__ volatile(
            "ldp %q4, %q5, [%8, %9]\n\t"
            "ldp %q6, %q7, [%8, %9 + 32]\n\t"
            "sdot %0.4s, %10.16b, %4.16b\n\t"
            "sdot %1.4s, %11.16b, %5.16b\n\t"
            "sdot %2.4s, %12.16b, %6.16b\n\t"
            "sdot %3.4s, %13.16b, %7.16b"
            : "+w"(outputs->sums[0][0]), "+w"(outputs->sums[0][1]), "+w"(outputs->sums[1][0]),
              "+w"(outputs->sums[1][1]), "=&w"(w0), "=&w"(w1), "=&w"(w2), "=&w"(w3)
            : "r"(weights), "i"(sizeof(column) * kernelColumn + sizeof(quad_block) * i), "w"(c->quads[i].values[0][0]),
              "w"(c->quads[i].values[0][1]), "w"(c->quads[i].values[1][0]), "w"(c->quads[i].values[1][1]));
    }
}

// Adds column `kernelColumn` of the kernel.
SWIFTLET_DOTPROD_INLINE void add_column(
    const block *b, output_pair *outputs, const column *c, const int kernelColumn, const int size, const int way) {
    if (size == 5) {
        add_products_from_memory(outputs, c, b->weights, kernelColumn);
    } else {
        add_products(outputs, c, &b->weights[kernelColumn], size);
    }
    const int32_t parts = way == general ? b->parts : way;
    for (int32_t i = 0; i < parts; i++) add_products(outputs, c, &b->offset[i], size);
}

// The int8 values of eight channels of both rows.
SWIFTLET_DOTPROD_INLINE int8x16_t requantized(const block *b, const output_pair *outputs, const int way) {
    int16x8_t narrow[2];
    SWIFTLET_UNROLL
    for (int row = 0; row < 2; row++) {
        narrow[row] = requantized16(outputs->sums[row], b->scale, b->range, way != general);
    }
    const int8x16_t values = vqmovn_high_s16(vqmovn_s16(narrow[0]), narrow[1]);
    return way == general ? clamped16(values, b->range) : values;
}

SWIFTLET_DOTPROD_INLINE void store_pair(const block *b, output_rows *rows, int8x16_t values, const int way) {
    if (way != general || b->channels >= 8) {
        store_low_stepping(&rows->at[0], values, rows->step[0]);
        store_high_stepping(&rows->at[1], values, rows->step[1]);
        return;
    }
    int8_t bytes[16];
    vst1q_s8(bytes, values);
    SWIFTLET_UNROLL
    for (int row = 0; row < 2; row++) {
        memcpy(rows->at[row], bytes + 8 * row, (size_t)b->channels);
        rows->at[row] += rows->step[row];
    }
}

// Output pairs that lack columns between two steps, a power of two of them.
SWIFTLET_DOTPROD_INLINE int waiting_count(const int size, const int stride) { return (size - 1) / stride; }

// Adds a column that all waiting pairs read; `turn` is the place of the oldest, which the column completes, and where a
// new one begins. Stride 2: and a column that completes none.
SWIFTLET_DOTPROD_INLINE void step(
    const block *b, output_pair *waiting, const int turn, const column *c, const column *next, output_rows *rows,
    const int size, const int stride, const int way) {
    const int count = waiting_count(size, stride);
    output_pair *oldest = &waiting[turn % count];
    add_column(b, oldest, c, size - 1, size, way);
    store_pair(b, rows, requantized(b, oldest, way), way);
    *oldest = begun(b);
    SWIFTLET_UNROLL
    for (int age = count; age > 0; age--) {
        output_pair *outputs = &waiting[(turn + count - age + 1) % count];
        add_column(b, outputs, c, (age - 1) * stride, size, way);
        if (stride == 2) add_column(b, outputs, next, (age - 1) * stride + 1, size, way);
    }
}

// Two output rows.
SWIFTLET_DOTPROD_INLINE void two_rows(
    const swiftlet_depthwise_rows_s8_arguments *a, const block *b, cursor at, output_rows rows, const int size,
    const int stride, const int shared, const int way) {
    SWIFTLET_UNROLL
    for (int r = 0; r < row_count(size, shared); r++) at.at[r] -= a->padLeft * at.step[r];
    const intptr_t begin = a->padLeft, end = (intptr_t)a->padLeft + a->inputWidth;
    // Columns, counted from the first of padding.
    intptr_t x = 0;
#define SWIFTLET_ANY_COLUMN() (x++, any_column(b, &at, size, shared, x > begin && x <= end))
    const int count = waiting_count(size, stride);
    output_pair waiting[4];
    SWIFTLET_UNROLL
    for (int i = 0; i < count; i++) waiting[i] = begun(b);
    SWIFTLET_UNROLL
    for (int i = 0; i < size - 1; i++) {
        const column c = SWIFTLET_ANY_COLUMN();
        SWIFTLET_UNROLL
        for (int p = 0; p < count; p++) {
            if (p * stride <= i) add_column(b, &waiting[p], &c, i - p * stride, size, way);
        }
    }
    column c, next;
    intptr_t left = a->outputWidth;
    const int unroll = count > 1 ? count : 2;
    while (left > 0) {
        if (x >= begin && x < end) {
            intptr_t rounds = (end - x) / (unroll * stride);
            if (rounds > left / unroll) rounds = left / unroll;
            left -= unroll * rounds;
            x += unroll * stride * rounds;
            for (; rounds > 0; rounds--) {
                SWIFTLET_UNROLL
                for (int turn = 0; turn < unroll; turn++) {
                    c = next_column(b, &at, size, shared);
                    if (stride == 2) next = next_column(b, &at, size, shared);
                    step(b, waiting, turn, &c, &next, &rows, size, stride, way);
                }
            }
            if (left == 0) break;
        }
        c = SWIFTLET_ANY_COLUMN();
        if (stride == 2) next = SWIFTLET_ANY_COLUMN();
        step(b, waiting, 0, &c, &next, &rows, size, stride, way);
        const output_pair newest = waiting[0];
        // No loop: the compiler would move memory.
        if (count > 1) waiting[0] = waiting[1];
        if (count > 2) {
            waiting[1] = waiting[2];
            waiting[2] = waiting[3];
        }
        waiting[count - 1] = newest;
        left--;
    }
#undef SWIFTLET_ANY_COLUMN
}

SWIFTLET_DOTPROD_INLINE void all_rows(
    const swiftlet_depthwise_rows_s8_arguments *a, const block *common, int32_t channel, const int size,
    const int stride, const int shared, const int way) {
    // Copied from where the compiler doesn't know it, so that each way gets registers of its own for it.
    __asm__ volatile("" : "+r"(common) : : "memory");
    block copy = *common;
    column weights[largest_size];
    if (size < 5) {
        SWIFTLET_UNROLL
        for (int x = 0; x < size; x++) weights[x] = common->weights[x];
        copy.weights = weights;
    }
    // Between the output rows of a pair; without pairs, all of them.
    const int32_t distance = !shared ? 1 : a->dilationY % a->strideY == 0 ? a->dilationY / a->strideY : a->rows;
    for (int32_t y = 0; y < a->rows; y++) {
        if (y / distance % 2 == 1) continue;
        const int32_t second = y + distance < a->rows ? y + distance : y;
        const input_rows upper = rows_under(a, a->firstRow + y, channel, shared ? size + 1 : size);
        const input_rows lower = rows_under(a, a->firstRow + second, channel, size);
        cursor at;
        SWIFTLET_UNROLL
        for (int r = 0; r < row_count(size, shared); r++) {
            at.at[r] = shared || r < size ? upper.start[r] : lower.start[r - size];
            at.step[r] = shared || r < size ? upper.step[r] : lower.step[r - size];
        }
        int8_t unused[8];
        int8_t *output = a->output + channel;
        const output_rows rows = {
            {output + y * a->outputRowStride, second > y ? output + second * a->outputRowStride : unused},
            {a->outputPixelStride, second > y ? a->outputPixelStride : 0},
        };
        two_rows(a, &copy, at, rows, size, stride, shared, way);
    }
}

// The weights of a column of the kernel for eight channels, in the order of the quads.
SWIFTLET_DOTPROD_INLINE column weights_of(
    const block *b, const int8_t *block_taps, const int x, const int size, const int shared) {
    column made;
    SWIFTLET_UNROLL
    for (int row = 0; row < 2; row++) {
        SWIFTLET_UNROLL
        for (int first = 0; first < size; first += 4) {
            int8x8_t taps[4];
            SWIFTLET_UNROLL
            for (int r = 0; r < 4; r++) {
                const int y = first + r - (shared ? row : 0);
                taps[r] = y < 0 || y >= size ? vdup_n_s8(0) : vld1_s8(block_taps + 16 * (y * size + x));
            }
            permute(
                made.quads[first / 4].values[row], vcombine_s8(taps[0], taps[1]), vcombine_s8(taps[2], taps[3]), 4,
                b->order);
        }
    }
    return made;
}

// A part of the weight offset where there are weights.
SWIFTLET_DOTPROD_INLINE column offset_of(int8_t part, const int size, const int shared) {
    column made;
    SWIFTLET_UNROLL
    for (int row = 0; row < 2; row++) {
        SWIFTLET_UNROLL
        for (int first = 0; first < size; first += 4) {
            uint32_t quad = 0;
            for (int r = 0; r < 4; r++) {
                const int y = first + r - (shared ? row : 0);
                if (y >= 0 && y < size) quad |= (uint32_t)(uint8_t)part << 8 * r;
            }
            int8x16_t *values = made.quads[first / 4].values[row];
            values[0] = values[1] = vreinterpretq_s8_u32(vdupq_n_u32(quad));
        }
    }
    return made;
}

SWIFTLET_DOTPROD_INLINE void depthwise(
    const swiftlet_depthwise_rows_s8_arguments *a, const int size, const int stride, const int shared) {
    // The bytes 8 * row + channel of a channel behind each other.
    static const uint8_t order[32] = {
        0, 8,  16, 24, 1, 9,  17, 25, 2, 10, 18, 26, 3, 11, 19, 27,
        4, 12, 20, 28, 5, 13, 21, 29, 6, 14, 22, 30, 7, 15, 23, 31,
    };
    block b;
    column weights[largest_size], offsets[largest_parts];
    b.weights = weights;
    b.offset = offsets;
    b.range = output_range(a->zeroPoint, a->lowest, a->highest);
    b.padding = vld1q_s8(a->padding);
    for (int half = 0; half < 2; half++) b.order[half] = vld1q_u8(order + 16 * half);
    int32_t offset = a->weightOffset;
    for (b.parts = 0; offset != 0; b.parts++) {
        const int32_t part = offset < -128 ? -128 : offset > 127 ? 127 : offset;
        offsets[b.parts] = offset_of((int8_t)part, size, shared);
        offset -= part;
    }
    for (int32_t channel = 0; channel < a->channels; channel += 8) {
        const int8_t *taps = a->weights + channel / 16 * (16 * size * size) + channel % 16;
        SWIFTLET_UNROLL
        for (int x = 0; x < size; x++) weights[x] = weights_of(&b, taps, x, size, shared);
        b.bias = a->bias + channel;
        for (int half = 0; half < 2; half++) b.scale[half] = vld1q_f32(a->scales + channel + 4 * half);
        b.channels = a->channels - channel;
        const int isPlain = a->lowest == -128 && a->highest == 127 && b.channels >= 8
            && fits16(taps, size * size, a->weightOffset, b.bias, a->scales + channel);
        if (isPlain && b.parts == plain) {
            all_rows(a, &b, channel, size, stride, shared, plain);
        } else if (isPlain && b.parts == plain_offset && size == 3) {
            all_rows(a, &b, channel, size, stride, shared, plain_offset);
        } else {
            all_rows(a, &b, channel, size, stride, shared, general);
        }
    }
}

SWIFTLET_DOTPROD_INLINE void depthwise_any_stride(const swiftlet_depthwise_rows_s8_arguments *a, const int size) {
    if (a->strideX == 1) {
        depthwise(a, size, 1, 1);
    } else {
        depthwise(a, size, 2, 0);
    }
}
