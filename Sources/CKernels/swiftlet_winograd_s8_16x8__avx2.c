#if defined(__x86_64__)
#include "avx2.h"

// Winograd's minimal filtering F(4 x 4, 3 x 3) in integers: 36 products instead of 144 for the 16 outputs of a tile.
// In one dimension, with the points 0, 1, -1, 2, -2 and infinity and every fraction cleared,
//
//       4  0 -5  0  1  0          1  0  0
//       0 -4 -4  1  1  0          1  1  1          6 -4 -4  1  1  0
//   B = 0  4 -4 -1  1  0      G = 1 -1  1      A = 0 -4  4  2 -2  0
//       0 -2 -1  2  1  0          1  2  4          0 -4 -4  4  4  0
//       0  2 -1 -2  1  0          1 -2  4          0 -4  4  8 -8 24
//       0  4  0 -5  0  1          0  0  1
//
// A ((G w) * (B x)) = 24 times the convolution, and 576 times in two dimensions. |B x| is at most 100 * 128 and |G w| at
// most 49 * 128, so both fit 16 bits; products are summed in 32 bits, wrapping. 576 = 64 * 9, so N = 576 c mod 2^32 gives
// c = (N / 9) / 64, the first division by the inverse of 9 mod 2^32, the second by a shift: exact for -2^25 <= c < 2^25.
//
// Tiles of three rows or columns do without the point -2, row 4 above, and take the other rows of G w as they are:
//
//       2 -1 -2  1  0
//       0 -2 -1  1  0          3 -3 -1  1  0
//   B = 0  2 -3  1  0      A = 0 -3  1  2  0
//       0 -1  0  1  0          0 -3 -1  4  6
//       0  2 -1 -2  1
//
// That is 6 times the convolution: 144 = 16 * 9 times it in two dimensions with four outputs along the other one, and
// 36 = 4 * 9 times with three, so the shift is by 4 or 2. |B x| is smaller than above, and c has the same bounds.

// Tiles of one register block, beside two panels.
enum { block_tiles = 6 };

SWIFTLET_AVX2_INLINE __m256i shifted(__m256i value, int bits) { return _mm256_slli_epi16(value, bits); }

// B x for 16 channels; three outputs leave t[4] out.
SWIFTLET_AVX2_INLINE void transform_input(const __m256i x[6], __m256i t[6], const int outputs) {
    if (outputs == 3) {
        const __m256i a = _mm256_sub_epi16(x[3], x[1]), b = _mm256_sub_epi16(x[3], x[2]);
        t[0] = _mm256_add_epi16(a, shifted(_mm256_sub_epi16(x[0], x[2]), 1));
        t[1] = _mm256_sub_epi16(b, shifted(x[1], 1));
        t[2] = _mm256_add_epi16(b, shifted(_mm256_sub_epi16(x[1], x[2]), 1));
        t[3] = a;
        t[5] = _mm256_sub_epi16(_mm256_sub_epi16(x[4], x[2]), shifted(a, 1));
        return;
    }
    const __m256i a = _mm256_sub_epi16(x[4], shifted(x[2], 2)), b = _mm256_sub_epi16(x[3], shifted(x[1], 2));
    const __m256i c = _mm256_sub_epi16(x[4], x[2]), d = shifted(_mm256_sub_epi16(x[3], x[1]), 1);
    t[0] = _mm256_add_epi16(shifted(_mm256_sub_epi16(x[0], x[2]), 2), c);
    t[1] = _mm256_add_epi16(a, b);
    t[2] = _mm256_sub_epi16(a, b);
    t[3] = _mm256_add_epi16(c, d);
    t[4] = _mm256_sub_epi16(c, d);
    t[5] = _mm256_sub_epi16(_mm256_sub_epi16(x[5], x[3]), shifted(d, 1));
}

// G w for 8 output channels and 2 input channels.
SWIFTLET_AVX2_INLINE void transform_weights(const __m256i w[3], __m256i t[6]) {
    const __m256i a = _mm256_add_epi16(w[0], w[2]), b = _mm256_add_epi16(w[0], shifted(w[2], 2));
    const __m256i c = shifted(w[1], 1);
    t[0] = w[0];
    t[1] = _mm256_add_epi16(a, w[1]);
    t[2] = _mm256_sub_epi16(a, w[1]);
    t[3] = _mm256_add_epi16(b, c);
    t[4] = _mm256_sub_epi16(b, c);
    t[5] = w[2];
}

// A m for 8 output channels.
SWIFTLET_AVX2_INLINE void transform_output(const __m256i m[6], __m256i t[4], const int outputs) {
    if (outputs == 3) {
        const __m256i three = _mm256_set1_epi32(3), six = _mm256_set1_epi32(6);
        const __m256i a = _mm256_mullo_epi32(m[1], three), b = _mm256_add_epi32(a, m[2]);
        t[0] = _mm256_sub_epi32(_mm256_add_epi32(_mm256_mullo_epi32(m[0], three), m[3]), b);
        t[1] = _mm256_add_epi32(_mm256_sub_epi32(m[2], a), _mm256_slli_epi32(m[3], 1));
        t[2] = _mm256_sub_epi32(
            _mm256_add_epi32(_mm256_mullo_epi32(m[5], six), _mm256_slli_epi32(m[3], 2)), b);
        return;
    }
    const __m256i s = _mm256_add_epi32(m[1], m[2]), d = _mm256_slli_epi32(_mm256_sub_epi32(m[1], m[2]), 2);
    const __m256i p = _mm256_add_epi32(m[3], m[4]), e = _mm256_slli_epi32(_mm256_sub_epi32(m[3], m[4]), 1);
    const __m256i first = _mm256_mullo_epi32(m[0], _mm256_set1_epi32(6));
    const __m256i last = _mm256_mullo_epi32(m[5], _mm256_set1_epi32(24));
    t[0] = _mm256_add_epi32(_mm256_sub_epi32(first, _mm256_slli_epi32(s, 2)), p);
    t[1] = _mm256_sub_epi32(e, d);
    t[2] = _mm256_slli_epi32(_mm256_sub_epi32(p, s), 2);
    t[3] = _mm256_add_epi32(_mm256_sub_epi32(_mm256_slli_epi32(e, 2), d), last);
}

// The transformed values of 16 channels after 16 of one tile of `height` by `width`, 36 or fewer, positions `stride` values
// apart, blocks of channels `next` apart.
SWIFTLET_AVX2_INLINE void input_tile(
    const int8_t *const rows[36], int32_t blocks, int16_t *output, intptr_t stride, intptr_t next, const int height,
    const int width) {
    for (int32_t block = 0; block < blocks; block++) {
        __m256i columns[6][6];
#pragma clang loop unroll(full)
        for (int x = 0; x < width + 2; x++) {
            __m256i column[6], t[6];
#pragma clang loop unroll(full)
            for (int y = 0; y < height + 2; y++) {
                column[y] = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(rows[6 * y + x] + 16 * block)));
            }
            transform_input(column, t, height);
#pragma clang loop unroll(full)
            for (int y = 0; y < 6; y++) {
                if (height == 4 || y != 4) columns[y][x] = t[y];
            }
        }
        int16_t *values = output + block * next;
#pragma clang loop unroll(full)
        for (int y = 0; y < 6; y++) {
            if (height < 4 && y == 4) {
                values += 6 * stride;
                continue;
            }
            __m256i t[6];
            transform_input(columns[y], t, width);
#pragma clang loop unroll(full)
            for (int x = 0; x < 6; x++, values += stride) {
                if (width == 4 || x != 4) _mm256_storeu_si256((__m256i *)values, t[x]);
            }
        }
    }
}

// The 36 transformed weights of `quads` quads of one panel: [pair of inputs][panel][output channel 0..<8][2], `stride`
// values apart.
SWIFTLET_AVX2_INLINE void panel_weights(
    const int8_t *weights, intptr_t tapStride, int32_t quads, int16_t *output, intptr_t stride) {
    for (int32_t q = 0; q < quads; q++) {
#pragma clang loop unroll(full)
        for (int pair = 0; pair < 2; pair++) {
            __m256i columns[6][3];
#pragma clang loop unroll(full)
            for (int x = 0; x < 3; x++) {
                __m256i column[3], t[6];
#pragma clang loop unroll(full)
                for (int y = 0; y < 3; y++) {
                    const __m256i w =
                        _mm256_loadu_si256((const __m256i *)(weights + (3 * y + x) * tapStride + 32 * q));
                    column[y] = widened_pair(w, pair);
                }
                transform_weights(column, t);
#pragma clang loop unroll(full)
                for (int y = 0; y < 6; y++) columns[y][x] = t[y];
            }
            int16_t *values = output + 32 * (2 * q + pair);
#pragma clang loop unroll(full)
            for (int y = 0; y < 6; y++) {
                __m256i t[6];
                transform_weights(columns[y], t);
#pragma clang loop unroll(full)
                for (int x = 0; x < 6; x++, values += stride) _mm256_storeu_si256((__m256i *)values, t[x]);
            }
        }
    }
}

// Products of one of the 36 positions: `tiles` tiles by one or two panels, blocks of the tiles' inputs `next` apart, sums
// added to what `sums` holds unless first.
SWIFTLET_AVX2_INLINE void multiply(
    const int16_t *inputs, intptr_t next, const int16_t *weights, int32_t blocks, int32_t *sums, intptr_t panelStride,
    int isFirst, const int panels, const int tiles) {
    __m256i acc[2][block_tiles];
#pragma clang loop unroll(full)
    for (int n = 0; n < panels; n++) {
#pragma clang loop unroll(full)
        for (int t = 0; t < tiles; t++) {
            const __m256i *sum = (const __m256i *)(sums + n * panelStride + 8 * t);
            acc[n][t] = isFirst ? _mm256_setzero_si256() : _mm256_loadu_si256(sum);
        }
    }
    for (int32_t block = 0; block < blocks; block++) {
#pragma clang loop unroll(full)
        for (int pair = 0; pair < 8; pair++) {
            const __m256i w0 = _mm256_loadu_si256((const __m256i *)(weights + 32 * pair));
            const __m256i w1 = _mm256_loadu_si256((const __m256i *)(weights + 32 * pair + 16));
#pragma clang loop unroll(full)
            for (int t = 0; t < tiles; t++) {
                const int16_t *two = inputs + 16 * t + 2 * pair;
                if (panels > 1) {
                    add_products(&acc[0][t], &acc[1][t], two, w0, w1);
                } else {
                    const __m256i x = _mm256_set1_epi32(*(const int32_t *)two);
                    acc[0][t] = _mm256_add_epi32(acc[0][t], _mm256_madd_epi16(x, w0));
                }
            }
        }
        weights += 256;
        inputs += next;
    }
#pragma clang loop unroll(full)
    for (int n = 0; n < panels; n++) {
#pragma clang loop unroll(full)
        for (int t = 0; t < tiles; t++) {
            _mm256_storeu_si256((__m256i *)(sums + n * panelStride + 8 * t), acc[n][t]);
        }
    }
}

// The outputs of one tile of `height` by `width` and panel, `rows` by `pixels` of them inside the image.
SWIFTLET_AVX2_INLINE void output_tile(
    const swiftlet_winograd_s8_arguments *a, const int32_t *sums, intptr_t stride, int32_t panel,
    output_range_avx2 range, int8_t *output, int32_t rows, int32_t pixels, const int height, const int width) {
    __m256i columns[4][6];
#pragma clang loop unroll(full)
    for (int x = 0; x < 6; x++) {
        if (width < 4 && x == 4) continue;
        __m256i column[6], t[4];
#pragma clang loop unroll(full)
        for (int y = 0; y < 6; y++) {
            if (height < 4 && y == 4) continue;
            column[y] = _mm256_loadu_si256((const __m256i *)(sums + (6 * y + x) * stride));
        }
        transform_output(column, t, height);
#pragma clang loop unroll(full)
        for (int y = 0; y < height; y++) columns[y][x] = t[y];
    }
    const __m256i inverseOf9 = _mm256_set1_epi32(0x38E38E39);
    const __m256i bias = _mm256_loadu_si256((const __m256i *)(a->bias + 8 * panel));
    const __m256 scales = _mm256_loadu_ps(a->scales + 8 * panel);
    const int32_t channels = a->channels - 8 * panel < 8 ? a->channels - 8 * panel : 8;
    const int isWhole = channels == 8 && pixels == width;
    const intptr_t pixelStride = a->outputPixelStride, rowStride = a->image.outputWidth * pixelStride;
    for (int32_t y = 0; y < rows; y++, output += rowStride) {
        __m256i t[4];
        transform_output(columns[y], t, width);
#pragma clang loop unroll(full)
        for (int x = 0; x < width; x++) {
            const __m256i sum = _mm256_srai_epi32(_mm256_mullo_epi32(t[x], inverseOf9), 2 * (height + width) - 10);
            t[x] = scaled(_mm256_add_epi32(sum, bias), scales);
        }
        const __m256i bytes = packed(t[0], t[1], t[2], t[width - 1], range);
        const __m128i low = _mm256_castsi256_si128(bytes), high = _mm256_extracti128_si256(bytes, 1);
        const __m128i two[2] = {_mm_unpacklo_epi32(low, high), _mm_unpackhi_epi32(low, high)};
        if (isWhole) {
#pragma clang loop unroll(full)
            for (int x = 0; x < width; x += 2) {
                _mm_storel_epi64((__m128i *)(output + x * pixelStride), two[x / 2]);
                if (x + 1 < width) {
                    _mm_storeh_pd((double *)(output + (x + 1) * pixelStride), _mm_castsi128_pd(two[x / 2]));
                }
            }
        } else {
            int8_t values[32];
            memcpy(values, two, sizeof values);
            for (int32_t x = 0; x < pixels; x++) memcpy(output + x * pixelStride, values + 8 * x, (size_t)channels);
        }
    }
}

// A call for tiles of each of the four sizes.
#define SWIFTLET_EACH_SIZE(rows, columns, call, ...)                                                               \
    switch (2 * (rows) + (columns)) {                                                                              \
    case 12: call(__VA_ARGS__, 4, 4); break;                                                                       \
    case 11: call(__VA_ARGS__, 4, 3); break;                                                                       \
    case 10: call(__VA_ARGS__, 3, 4); break;                                                                       \
    default: call(__VA_ARGS__, 3, 3); break;                                                                       \
    }

// Tiles of one of the groups that are multiplied at once.
SWIFTLET_AVX2_INLINE int32_t group_tiles(const swiftlet_winograd_s8_arguments *a, int32_t groups, int32_t group) {
    return a->tileCount / groups + (group < a->tileCount % groups);
}

SWIFTLET_AVX2 static void transform_inputs(const swiftlet_winograd_s8_arguments *a, int32_t blocks) {
    const swiftlet_image_s8 *image = &a->image;
    const int32_t groups = (a->tileCount + block_tiles - 1) / block_tiles;
    for (int32_t group = 0, first = 0; group < groups; group++) {
        const int32_t tiles = group_tiles(a, groups, group);
        for (int32_t t = 0; t < tiles; t++) {
            const swiftlet_winograd_tile *tile = a->tiles + first + t;
            const int32_t y0 = tile->y - image->padTop, x0 = tile->x - image->padLeft;
            const int8_t *rows[36];
            for (int y = 0; y < 6; y++) {
                for (int x = 0; x < 6; x++) {
                    const int isInside = (uint32_t)(y0 + y) < (uint32_t)image->height
                        && (uint32_t)(x0 + x) < (uint32_t)image->width;
                    const int8_t *row =
                        image->input + ((intptr_t)(y0 + y) * image->width + x0 + x) * image->pixelStride;
                    rows[6 * y + x] = isInside ? row : image->padding;
                }
            }
            int16_t *output = a->transformedInputs + (intptr_t)first * blocks * 16 + 16 * t;
            SWIFTLET_EACH_SIZE(
                tile->rows, tile->columns, input_tile, rows, blocks, output, a->inputStride, 16 * tiles)
        }
        first += tiles;
    }
}

// Tiles that follow each other.
typedef struct {
    int32_t first;
    int32_t end;
} tile_range;

SWIFTLET_AVX2_INLINE tile_range both(tile_range a, tile_range b) {
    return (tile_range){a.first > b.first ? a.first : b.first, a.end < b.end ? a.end : b.end};
}

// Tiles of four rows, or of four columns.
SWIFTLET_AVX2_INLINE tile_range tiles_of_four(const swiftlet_winograd_s8_arguments *a, const int ofRows) {
    tile_range range = {0, a->tileCount};
#define COUNT(t) (ofRows ? a->tiles[t].rows : a->tiles[t].columns)
    while (range.first < range.end && COUNT(range.first) < 4) range.first++;
    while (range.first < range.end && COUNT(range.end - 1) < 4) range.end--;
#undef COUNT
    return range;
}

// Positions without the tiles that do not need them.
SWIFTLET_AVX2 static void multiply_all(
    const swiftlet_winograd_s8_arguments *a, int32_t blocks, int32_t firstBlock, int32_t endBlock, int32_t panels) {
    const int32_t groups = (a->tileCount + block_tiles - 1) / block_tiles;
    const tile_range high = tiles_of_four(a, 1), wide = tiles_of_four(a, 0);
    for (int32_t position = 0; position < 36; position++) {
        const int16_t *weights = a->transformedWeights + position * SWIFTLET_WINOGRAD_WEIGHT_STRIDE;
        tile_range needed = {0, a->tileCount};
        if (position / 6 == 4) needed = both(needed, high);
        if (position % 6 == 4) needed = both(needed, wide);
        tile_range all = {0, 0};
        for (int32_t group = 0; group < groups; group++) {
            const int32_t start = all.end, next = 16 * group_tiles(a, groups, group);
            all = (tile_range){start, start + next / 16};
            const tile_range range = both(needed, all);
            if (range.first >= range.end) continue;
            const int16_t *inputs = a->transformedInputs + position * a->inputStride
                + ((intptr_t)start * blocks + range.first - start) * 16 + firstBlock * next;
            int32_t *sums = a->sums + position * a->sumStride + 8 * range.first;
            const intptr_t panelStride = 36 * a->sumStride;
            switch (range.end - range.first + block_tiles * (panels - 1)) {
#define MULTIPLY(panels, tiles)                                                                                    \
    case tiles + block_tiles * (panels - 1):                                                                       \
        multiply(inputs, next, weights, endBlock - firstBlock, sums, panelStride, firstBlock == 0, panels, tiles); \
        break;
                MULTIPLY(1, 1) MULTIPLY(1, 2) MULTIPLY(1, 3) MULTIPLY(1, 4) MULTIPLY(1, 5) MULTIPLY(1, 6)
                MULTIPLY(2, 1) MULTIPLY(2, 2) MULTIPLY(2, 3) MULTIPLY(2, 4) MULTIPLY(2, 5) MULTIPLY(2, 6)
#undef MULTIPLY
            default: break;
            }
        }
    }
}

SWIFTLET_AVX2 static void write_outputs(
    const swiftlet_winograd_s8_arguments *a, const int32_t *sums, int32_t panel, output_range_avx2 range) {
    const swiftlet_image_s8 *image = &a->image;
    for (int32_t t = 0; t < a->tileCount; t++, sums += 8) {
        const swiftlet_winograd_tile *tile = a->tiles + t;
        const intptr_t pixel = (intptr_t)tile->y * image->outputWidth + tile->x;
        int8_t *output = a->output + pixel * a->outputPixelStride + 8 * panel;
        const int32_t below = image->outputHeight - tile->y, right = image->outputWidth - tile->x;
        SWIFTLET_EACH_SIZE(
            tile->rows, tile->columns, output_tile, a, sums, a->sumStride, panel, range, output,
            below < tile->rows ? below : tile->rows, right < tile->columns ? right : tile->columns)
    }
}

SWIFTLET_AVX2 void swiftlet_winograd_s8_16x8__avx2(const swiftlet_winograd_s8_arguments *a) {
    const output_range_avx2 range = output_range(a->zeroPoint, a->lowest, a->highest);
    const int32_t blocks = (a->quads + 3) / 4, panels = (a->channels + 7) / 8;
    const intptr_t tapStride = 32 * (intptr_t)a->quads;
    if (!a->isTransformed) transform_inputs(a, blocks);
    for (int32_t panel = 0; panel < panels; panel += 2) {
        const int32_t pair = panels - panel < 2 ? 1 : 2;
        for (int32_t block = 0; block < blocks; block += SWIFTLET_WINOGRAD_BLOCKS) {
            const int32_t end = blocks - block < SWIFTLET_WINOGRAD_BLOCKS ? blocks : block + SWIFTLET_WINOGRAD_BLOCKS;
            const int32_t firstQuad = 4 * block, endQuad = 4 * end < a->quads ? 4 * end : a->quads;
            for (int32_t n = 0; n < pair; n++) {
                panel_weights(
                    a->weights + (panel + n) * 9 * tapStride + (intptr_t)32 * firstQuad, tapStride,
                    endQuad - firstQuad, a->transformedWeights + 16 * n, SWIFTLET_WINOGRAD_WEIGHT_STRIDE);
            }
            // Quads that fill up the last block are zeros.
            for (int32_t position = 0; position < 36 && endQuad < 4 * end; position++) {
                int16_t *weights = a->transformedWeights + position * SWIFTLET_WINOGRAD_WEIGHT_STRIDE;
                memset(weights + 64 * (endQuad - firstQuad), 0, (size_t)(4 * end - endQuad) * 64 * sizeof *weights);
            }
            multiply_all(a, blocks, block, end, pair);
        }
        for (int32_t n = 0; n < pair; n++) write_outputs(a, a->sums + n * 36 * a->sumStride, panel + n, range);
    }
}
#endif
