#if defined(__x86_64__)
#include "depthwise_rows_avx2.h"

// A step takes as many columns as the stride and completes one output: the sums of the outputs that still lack columns
// stay in registers, so each input value is loaded, widened and interleaved once for all columns of the kernel.

typedef struct {
    tap_pair upper[3];    // rows 0 and 1, by column
    tap_pair lower[2];    // row 2: columns 0 and 1; column 2
    __m256i biasLow, biasHigh;
    __m256 scaleLow, scaleHigh;
    __m256i zeroPoint;
} block_weights;

typedef struct {
    __m256i low[2], high[2];    // sums of the outputs begun one and two steps ago
    __m256i previous;           // row 2 of the last column
} row_state;

// Keeps the compiler from mixing one step with the next, which would take more registers than there are.
#define SWIFTLET_FENCE __asm__ volatile("" ::: "memory")

SWIFTLET_AVX2_INLINE __m256i plus(__m256i sum, __m256i values, const __m256i *weights) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(values, *weights));
}

// Stride 1: one column. Returns the output whose last column it is.
SWIFTLET_AVX2_INLINE __m256i step1(const block_weights *w, row_state *s, const int8_t *const *rows) {
    SWIFTLET_FENCE;
    const __m256i last = widened(rows[2]);
    const tap_pair upper = pair_of(widened(rows[0]), widened(rows[1])), lower = pair_of(s->previous, last);
    s->previous = last;
    const __m256i low = plus(plus(s->low[1], upper.low, &w->upper[2].low), lower.low, &w->lower[1].low);
    s->low[1] = plus(plus(s->low[0], upper.low, &w->upper[1].low), lower.low, &w->lower[0].low);
    s->low[0] = plus(w->biasLow, upper.low, &w->upper[0].low);
    const __m256i high = plus(plus(s->high[1], upper.high, &w->upper[2].high), lower.high, &w->lower[1].high);
    s->high[1] = plus(plus(s->high[0], upper.high, &w->upper[1].high), lower.high, &w->lower[0].high);
    s->high[0] = plus(w->biasHigh, upper.high, &w->upper[0].high);
    return requantized(low, high, &w->scaleLow, &w->scaleHigh, w->zeroPoint);
}

// Stride 2: two columns. Returns the output whose last column is the first of them.
SWIFTLET_AVX2_INLINE __m256i step2(
    const block_weights *w, row_state *s, const int8_t *const *rows, const int8_t *const *nextRows) {
    SWIFTLET_FENCE;
    const tap_pair upper = pair_of(widened(rows[0]), widened(rows[1]));
    const tap_pair next = pair_of(widened(nextRows[0]), widened(nextRows[1]));
    const tap_pair lower = pair_of(widened(rows[2]), widened(nextRows[2]));
    const __m256i low = plus(plus(s->low[0], upper.low, &w->upper[2].low), lower.low, &w->lower[1].low);
    s->low[0] = plus(
        plus(plus(w->biasLow, upper.low, &w->upper[0].low), next.low, &w->upper[1].low), lower.low, &w->lower[0].low);
    const __m256i high = plus(plus(s->high[0], upper.high, &w->upper[2].high), lower.high, &w->lower[1].high);
    s->high[0] = plus(
        plus(plus(w->biasHigh, upper.high, &w->upper[0].high), next.high, &w->upper[1].high), lower.high,
        &w->lower[0].high);
    return requantized(low, high, &w->scaleLow, &w->scaleHigh, w->zeroPoint);
}

SWIFTLET_AVX2_INLINE void depthwise3x3(const swiftlet_depthwise_rows_s8_arguments *a, const int stride) {
    const output_range_avx2 range = output_range(a->zeroPoint, a->lowest, a->highest);
    const __m256i offset = _mm256_set1_epi16((int16_t)a->weightOffset);
    const int delay = stride == 1 ? 2 : 1;    // steps before the first complete output
    const intptr_t steps = (intptr_t)a->outputWidth + delay;
    // Steps in [inside, end) read columns of the input only and complete an output.
    const intptr_t border = (a->padLeft + stride - 1) / stride;
    const intptr_t inside = border > delay ? border : delay;
    const intptr_t whole = ((intptr_t)a->inputWidth + a->padLeft) / stride;
    const intptr_t end = whole < steps ? whole : steps;

    block_weights storage;
    storage.zeroPoint = range.zeroPoint;
    const int8_t *taps = a->weights;
    for (int32_t c = 0; c < a->channels; c += 16, taps += 16 * 9) {
        SWIFTLET_UNROLL
        for (int x = 0; x < 3; x++) storage.upper[x] = weight_pair(taps, x, 3 + x, offset);
        storage.lower[0] = weight_pair(taps, 6, 7, offset);
        storage.lower[1] = stride == 1 ? weight_pair(taps, -1, 8, offset) : weight_pair(taps, 8, -1, offset);
        storage.biasLow = quarters(a->bias + c);
        storage.biasHigh = quarters(a->bias + c + 4);
        storage.scaleLow = _mm256_castsi256_ps(quarters(a->scales + c));
        storage.scaleHigh = _mm256_castsi256_ps(quarters(a->scales + c + 4));
        // Weights stay in memory: there are more of them than registers.
        const block_weights *w = &storage;
        __asm__ volatile("" : "+r"(w)::"memory");

        const int32_t channels = a->channels - c;
        for (int32_t y = 0; y < a->rows; y++) {
            const input_rows rows = rows_under(a, a->firstRow + y, c, 3);
            const int8_t *at[3];
            SWIFTLET_UNROLL
            for (int r = 0; r < 3; r++) at[r] = rows.start[r] - a->padLeft * rows.step[r];
            int8_t *output = a->output + y * a->outputRowStride + c;
            const __m256i zero = _mm256_setzero_si256();
            row_state state = {{zero, zero}, {zero, zero}, zero};
            intptr_t t = 0;
            while (t < steps) {
                if (t >= inside) {
                    for (; t + 2 <= end; t += 2) {
                        __m256i values[2];
                        SWIFTLET_UNROLL
                        for (int p = 0; p < 2; p++) {
                            const int8_t *next[3];
                            SWIFTLET_UNROLL
                            for (int r = 0; r < 3; r++) next[r] = at[r] + rows.step[r];
                            values[p] = stride == 1 ? step1(w, &state, at) : step2(w, &state, at, next);
                            SWIFTLET_UNROLL
                            for (int r = 0; r < 3; r++) at[r] += stride * rows.step[r];
                        }
                        const pixel_pair pixels = two_pixels(values[0], values[1], &range);
                        store_channels(output, pixels.first, channels);
                        store_channels(output + a->outputPixelStride, pixels.second, channels);
                        output += 2 * a->outputPixelStride;
                    }
                    if (t == steps) break;
                }
                // A step with columns beside the input, or one that completes nothing.
                const intptr_t column = t * stride - a->padLeft;
                const int isInside = column >= 0 && column < a->inputWidth;
                const int isNextInside = column >= -1 && column + 1 < a->inputWidth;
                const int8_t *current[3], *next[3];
                SWIFTLET_UNROLL
                for (int r = 0; r < 3; r++) {
                    current[r] = isInside ? at[r] : a->padding;
                    next[r] = isNextInside ? at[r] + rows.step[r] : a->padding;
                    at[r] += stride * rows.step[r];
                }
                const __m256i value = stride == 1 ? step1(w, &state, current) : step2(w, &state, current, next);
                if (t++ < delay) continue;
                store_channels(output, two_pixels(value, value, &range).first, channels);
                output += a->outputPixelStride;
            }
        }
    }
}

SWIFTLET_AVX2 void swiftlet_depthwise3x3_s8_2x16__avx2(const swiftlet_depthwise_rows_s8_arguments *a) {
    if (a->strideX == 1) {
        depthwise3x3(a, 1);
    } else {
        depthwise3x3(a, 2);
    }
}
#endif
