#if defined(__x86_64__)
#include "depthwise_rows_avx2.h"

// There are too many sums in flight for registers. So a stretch of each row is first widened and interleaved into memory
// close by, padding included; then four outputs at a time read it.

enum {
    tile = 4,
    stretch_columns = 72,    // columns of a stretch, with those that only unused outputs of its last tile read
};

typedef struct {
    tap_pair vertical[stretch_columns][2];    // rows 0 and 1, rows 2 and 3
    // Row 4. Stride 1: columns x and x + 1 at x; stride 2: columns 2x and 2x + 1.
    tap_pair horizontal[stretch_columns];
} stretch;

// Fills columns 0..<columns; those in [begin, end) come from the input, at rows.start + (first + column) * step, the
// others are padding.
SWIFTLET_AVX2_INLINE void fill_stretch(
    stretch *s, const input_rows *rows, intptr_t first, intptr_t columns, intptr_t begin, intptr_t end,
    const int8_t *paddingBytes, const int stride) {
    const __m256i padding = widened(paddingBytes);
    const tap_pair padded = pair_of(padding, padding);
    for (intptr_t x = 0; x < begin; x++) s->vertical[x][0] = s->vertical[x][1] = padded;
    for (intptr_t x = end; x < columns; x++) s->vertical[x][0] = s->vertical[x][1] = padded;
    const int8_t *at[5];
    SWIFTLET_UNROLL
    for (int r = 0; r < 5; r++) at[r] = rows->start[r] + (first + begin) * rows->step[r];
    const int8_t *last = at[4];
    for (intptr_t x = begin; x < end; x++) {
        s->vertical[x][0] = pair_of(widened(at[0]), widened(at[1]));
        s->vertical[x][1] = pair_of(widened(at[2]), widened(at[3]));
        SWIFTLET_UNROLL
        for (int r = 0; r < 4; r++) at[r] += rows->step[r];
    }

    const intptr_t step = rows->step[4];
    if (stride == 1) {
        __m256i previous = padding;
        for (intptr_t x = 0; x < columns;) {
            if (x >= begin) {
                for (; x < end; x++, last += step) {
                    const __m256i value = widened(last);
                    if (x > 0) s->horizontal[x - 1] = pair_of(previous, value);
                    previous = value;
                }
                if (x == columns) break;
            }
            if (x > 0) s->horizontal[x - 1] = pair_of(previous, padding);
            previous = padding;
            x++;
        }
        return;
    }
    last -= begin * step;
    for (intptr_t x = 0; x < columns; x += 2) {
        if (x >= begin) {
            for (; x + 2 <= end; x += 2) {
                s->horizontal[x / 2] = pair_of(widened(last + x * step), widened(last + (x + 1) * step));
            }
            if (x >= columns) break;
        }
        s->horizontal[x / 2] = pair_of(
            x >= begin && x < end ? widened(last + x * step) : padding,
            x + 1 >= begin && x + 1 < end ? widened(last + (x + 1) * step) : padding);
    }
}

typedef struct {
    tap_pair vertical[2][5];
    tap_pair horizontal[3];
} block_weights;

// Sums of four outputs, channels of one half: `half` is 0 (low) or 1 (high).
SWIFTLET_AVX2_INLINE void sum_tile(
    __m256i *sums, const stretch *s, intptr_t x, const block_weights *w, __m256i bias, const int half,
    const int stride) {
#define SWIFTLET_HALF(pair) (half ? (pair).high : (pair).low)
    SWIFTLET_UNROLL
    for (int p = 0; p < tile; p++) sums[p] = bias;
    SWIFTLET_UNROLL
    for (int r = 0; r < 2; r++) {
        SWIFTLET_UNROLL
        for (int k = 0; k < 5; k++) {
            SWIFTLET_UNROLL
            for (int p = 0; p < tile; p++) {
                const __m256i values = SWIFTLET_HALF(s->vertical[(x + p) * stride + k][r]);
                sums[p] = _mm256_add_epi32(sums[p], _mm256_madd_epi16(values, SWIFTLET_HALF(w->vertical[r][k])));
            }
        }
    }
    SWIFTLET_UNROLL
    for (int k = 0; k < 3; k++) {
        const int column = stride == 2 ? k : k < 2 ? 2 * k : 3;
        SWIFTLET_UNROLL
        for (int p = 0; p < tile; p++) {
            const __m256i values = SWIFTLET_HALF(s->horizontal[x + p + column]);
            sums[p] = _mm256_add_epi32(sums[p], _mm256_madd_epi16(values, SWIFTLET_HALF(w->horizontal[k])));
        }
    }
#undef SWIFTLET_HALF
}

SWIFTLET_AVX2_INLINE void depthwise5x5(const swiftlet_depthwise_rows_s8_arguments *a, const int stride) {
    const output_range_avx2 range = output_range(a->zeroPoint, a->lowest, a->highest);
    const __m256i offset = _mm256_set1_epi16((int16_t)a->weightOffset);
    const intptr_t stretchWidth = stride == 1 ? 64 : 32;
    stretch s;
    // What outputs past the end of a row read, and don't use.
    memset(&s, 0, sizeof s);
    const int8_t *taps = a->weights;
    for (int32_t c = 0; c < a->channels; c += 16, taps += 16 * 25) {
        block_weights w;
        SWIFTLET_UNROLL
        for (int k = 0; k < 5; k++) {
            w.vertical[0][k] = weight_pair(taps, k, 5 + k, offset);
            w.vertical[1][k] = weight_pair(taps, 10 + k, 15 + k, offset);
        }
        w.horizontal[0] = weight_pair(taps, 20, 21, offset);
        w.horizontal[1] = weight_pair(taps, 22, 23, offset);
        w.horizontal[2] = stride == 1 ? weight_pair(taps, -1, 24, offset) : weight_pair(taps, 24, -1, offset);
        const __m256i biasLow = quarters(a->bias + c), biasHigh = quarters(a->bias + c + 4);
        const __m256 scaleLow = _mm256_castsi256_ps(quarters(a->scales + c));
        const __m256 scaleHigh = _mm256_castsi256_ps(quarters(a->scales + c + 4));

        const int32_t channels = a->channels - c;
        for (int32_t y = 0; y < a->rows; y++) {
            const input_rows rows = rows_under(a, a->firstRow + y, c, 5);
            for (intptr_t start = 0; start < a->outputWidth; start += stretchWidth) {
                const intptr_t width = a->outputWidth - start < stretchWidth ? a->outputWidth - start : stretchWidth;
                const intptr_t columns = (width - 1) * stride + 5;
                const intptr_t first = start * stride - a->padLeft;
                intptr_t end = a->inputWidth - first < columns ? a->inputWidth - first : columns;
                if (end < 0) end = 0;
                intptr_t begin = first < 0 ? -first : 0;
                if (begin > end) begin = end;
                fill_stretch(&s, &rows, first, columns, begin, end, a->padding, stride);

                int8_t *output = a->output + y * a->outputRowStride + start * a->outputPixelStride + c;
                for (intptr_t x = 0; x < width; x += tile) {
                    __m256i low[tile], high[tile], values[tile];
                    sum_tile(low, &s, x, &w, biasLow, 0, stride);
                    sum_tile(high, &s, x, &w, biasHigh, 1, stride);
                    SWIFTLET_UNROLL
                    for (int p = 0; p < tile; p++) {
                        values[p] = requantized(low[p], high[p], &scaleLow, &scaleHigh, range.zeroPoint);
                    }
                    SWIFTLET_UNROLL
                    for (int p = 0; p < tile; p += 2) {
                        const pixel_pair pixels = two_pixels(values[p], values[p + 1], &range);
                        if (x + p < width) store_channels(output, pixels.first, channels);
                        output += a->outputPixelStride;
                        if (x + p + 1 < width) store_channels(output, pixels.second, channels);
                        output += a->outputPixelStride;
                    }
                }
            }
        }
    }
}

SWIFTLET_AVX2 void swiftlet_depthwise5x5_s8_4x16__avx2(const swiftlet_depthwise_rows_s8_arguments *a) {
    if (a->strideX == 1) {
        depthwise5x5(a, 1);
    } else {
        depthwise5x5(a, 2);
    }
}
#endif
