#if defined(__x86_64__)
#include "avx2.h"

// VPSHUFB looks up 16 entries by the low four bits of an index. A table that is not fitted is cut into 16 such rows; of what
// all of them give, blends by the bits above choose one: 8 by bit 4, 4 by bit 5, 2 by bit 6, 1 by the sign.
typedef struct {
    __m256i rows[16];
} table_rows;

SWIFTLET_AVX2_INLINE table_rows table_rows_of(const int8_t *table) {
    table_rows all;
    SWIFTLET_UNROLL
    for (int k = 0; k < 16; k++) {
        all.rows[k] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(table + 16 * k)));
    }
    return all;
}

// The entry of one of 32 entries from `rows` on.
SWIFTLET_AVX2_INLINE __m256i of_two(const __m256i *rows, __m256i low, __m256i bit4) {
    return _mm256_blendv_epi8(_mm256_shuffle_epi8(rows[0], low), _mm256_shuffle_epi8(rows[1], low), bit4);
}

SWIFTLET_AVX2_INLINE __m256i of_four(const __m256i *rows, __m256i low, __m256i bit4, __m256i bit5) {
    return _mm256_blendv_epi8(of_two(rows, low, bit4), of_two(rows + 2, low, bit4), bit5);
}

SWIFTLET_AVX2_INLINE __m256i entries(const table_rows *all, __m256i input) {
    const __m256i low = _mm256_and_si256(input, _mm256_set1_epi8(15));
    // A blend looks at the highest bit of each byte alone.
    const __m256i bit4 = _mm256_slli_epi16(input, 3), bit5 = _mm256_slli_epi16(input, 2), bit6 = _mm256_slli_epi16(input, 1);
    const __m256i *rows = all->rows;
    // Index 0 is -128: the rows of negative inputs come first.
    const __m256i negative = _mm256_blendv_epi8(of_four(rows, low, bit4, bit5), of_four(rows + 4, low, bit4, bit5), bit6);
    const __m256i other = _mm256_blendv_epi8(of_four(rows + 8, low, bit4, bit5), of_four(rows + 12, low, bit4, bit5), bit6);
    return _mm256_blendv_epi8(other, negative, input);
}

// A fitted table: its rows by the upper four bits of an input, what else differs within a row by the lower four.
typedef struct {
    __m256i slopes, bases, planes[2][2], exceptions[SWIFTLET_TABLE_EXCEPTIONS], exceptionRows[SWIFTLET_TABLE_EXCEPTIONS];
    __m128i shift, leftShift;
} fitted_rows;

SWIFTLET_AVX2_INLINE __m256i both_halves(const void *row) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)row));
}

SWIFTLET_AVX2_INLINE fitted_rows fitted_rows_of(const swiftlet_fitted_table *f) {
    fitted_rows r = {.slopes = both_halves(f->slopes), .bases = both_halves(f->bases)};
    SWIFTLET_UNROLL
    for (int i = 0; i < 4; i++) r.planes[i / 2][i % 2] = both_halves(f->planes[i / 2][i % 2]);
    SWIFTLET_UNROLL
    for (int e = 0; e < SWIFTLET_TABLE_EXCEPTIONS; e++) {
        r.exceptions[e] = both_halves(f->exceptions[e]);
        r.exceptionRows[e] = _mm256_set1_epi8((char)f->exceptionRows[e]);
    }
    r.shift = _mm_cvtsi32_si128(f->shift);
    r.leftShift = _mm_cvtsi32_si128(8 - f->shift);
    return r;
}

// 28 instructions with two planes, where the 16 rows of a table take 35 and as many loads.
SWIFTLET_AVX2_INLINE __m256i fitted_entries(const fitted_rows *r, __m256i input, const int planes, const int exceptions) {
    const __m256i nibble = _mm256_set1_epi8(15), even = _mm256_set1_epi16(255);
    const __m256i place = _mm256_and_si256(input, nibble);
    const __m256i row = _mm256_and_si256(_mm256_srli_epi16(input, 4), nibble);
    // Products of even and of odd bytes; of their shifted values the low byte is wanted.
    const __m256i slope = _mm256_shuffle_epi8(r->slopes, row);
    const __m256i evenPlace = _mm256_and_si256(place, even), oddPlace = _mm256_andnot_si256(even, place);
    const __m256i evens = _mm256_srl_epi16(_mm256_maddubs_epi16(evenPlace, slope), r->shift);
    const __m256i odds = _mm256_sll_epi16(_mm256_maddubs_epi16(oddPlace, slope), r->leftShift);
    __m256i values = _mm256_blendv_epi8(odds, evens, even);
    values = _mm256_add_epi8(values, _mm256_shuffle_epi8(r->bases, row));
    const __m256i bits = _mm256_shuffle_epi8(
        both_halves((const uint8_t[]){1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128}), place);
    const __m256i half = _mm256_slli_epi16(input, 4);    // bit 3 on top, where a blend looks
    SWIFTLET_UNROLL
    for (int plane = 0; plane < planes; plane++) {
        const __m256i ofRow = _mm256_blendv_epi8(
            _mm256_shuffle_epi8(r->planes[plane][0], row), _mm256_shuffle_epi8(r->planes[plane][1], row), half);
        const __m256i isSet = _mm256_cmpeq_epi8(_mm256_and_si256(ofRow, bits), bits);    // -1
        values = _mm256_sub_epi8(values, isSet);
        if (plane == 1) values = _mm256_sub_epi8(values, isSet);
    }
    SWIFTLET_UNROLL
    for (int e = 0; e < exceptions; e++) {
        values = _mm256_blendv_epi8(
            values, _mm256_shuffle_epi8(r->exceptions[e], place), _mm256_cmpeq_epi8(row, r->exceptionRows[e]));
    }
    return values;
}

// All of a kernel's rows; `planes`, 0 where the table is not fitted, and `exceptions` are constants where this is inlined.
SWIFTLET_AVX2_INLINE void look_up(const swiftlet_table_s8_arguments *a, const int planes, const int exceptions) {
    table_rows rows;
    fitted_rows fitted;
    if (planes == 0) rows = table_rows_of(a->table);
    if (planes > 0) fitted = fitted_rows_of(a->fitted);
#define ENTRIES(input) (planes == 0 ? entries(&rows, input) : fitted_entries(&fitted, input, planes, exceptions))
    const int8_t *input = a->input;
    int8_t *output = a->output;
    if (a->count <= 16) {
        // Two rows at a time.
        for (intptr_t row = 0; row < a->rows; row += 2, input += 2 * a->inputStride, output += 2 * a->outputStride) {
            const int hasTwo = row + 1 < a->rows;
            const __m128i first = _mm_loadu_si128((const __m128i *)input);
            const __m128i second = _mm_loadu_si128((const __m128i *)(hasTwo ? input + a->inputStride : input));
            const __m256i values = ENTRIES(_mm256_inserti128_si256(_mm256_castsi128_si256(first), second, 1));
            store_channels(output, _mm256_castsi256_si128(values), (int32_t)a->count);
            if (hasTwo) store_channels(output + a->outputStride, _mm256_extracti128_si256(values, 1), (int32_t)a->count);
        }
        return;
    }
    for (intptr_t row = 0; row < a->rows; row++, input += a->inputStride, output += a->outputStride) {
        intptr_t i = 0;
        // Rows of a whole table are loaded again and again: two at a time share that.
        for (; planes == 0 && i + 32 < a->count; i += 64) {
            const __m256i first = _mm256_loadu_si256((const __m256i *)(input + i));
            const __m256i second = _mm256_loadu_si256((const __m256i *)(input + i + 32));
            const __m256i low = ENTRIES(first), high = ENTRIES(second);
            _mm256_storeu_si256((__m256i *)(output + i), low);
            store_values(output + i + 32, high, a->count - i - 32);
        }
        for (; i < a->count; i += 32) {
            const __m256i values = ENTRIES(_mm256_loadu_si256((const __m256i *)(input + i)));
            store_values(output + i, values, a->count - i);
        }
    }
#undef ENTRIES
}

SWIFTLET_AVX2 void swiftlet_table_s8_1x64__avx2(const swiftlet_table_s8_arguments *a) {
    const swiftlet_fitted_table *f = a->fitted;
    switch (f == NULL || f->planeCount == 0 ? 0 : 4 * f->planeCount + f->exceptionCount) {
    case 4: look_up(a, 1, 0); break;
    case 5: look_up(a, 1, 1); break;
    case 6: look_up(a, 1, 2); break;
    case 8: look_up(a, 2, 0); break;
    case 9: look_up(a, 2, 1); break;
    case 10: look_up(a, 2, 2); break;
    default: look_up(a, 0, 0); break;
    }
}
#endif
