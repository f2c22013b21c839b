#if defined(__x86_64__)
#include "avx2.h"

// VPSHUFB looks up 16 entries by the low four bits of an index. The table is cut into 16 such rows; of what all of them
// give, blends by the bits above choose one: 8 by bit 4, 4 by bit 5, 2 by bit 6, 1 by the sign.
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

SWIFTLET_AVX2 void swiftlet_table_s8_1x64__avx2(const swiftlet_table_s8_arguments *a) {
    const table_rows rows = table_rows_of(a->table);
    const int8_t *input = a->input;
    int8_t *output = a->output;
    if (a->count <= 16) {
        // Two rows at a time.
        for (intptr_t row = 0; row < a->rows; row += 2, input += 2 * a->inputStride, output += 2 * a->outputStride) {
            const int hasTwo = row + 1 < a->rows;
            const __m128i first = _mm_loadu_si128((const __m128i *)input);
            const __m128i second = _mm_loadu_si128((const __m128i *)(hasTwo ? input + a->inputStride : input));
            const __m256i values = entries(&rows, _mm256_inserti128_si256(_mm256_castsi128_si256(first), second, 1));
            store_channels(output, _mm256_castsi256_si128(values), (int32_t)a->count);
            if (hasTwo) store_channels(output + a->outputStride, _mm256_extracti128_si256(values, 1), (int32_t)a->count);
        }
        return;
    }
    for (intptr_t row = 0; row < a->rows; row++, input += a->inputStride, output += a->outputStride) {
        intptr_t i = 0;
        for (; i + 32 < a->count; i += 64) {
            const __m256i first = _mm256_loadu_si256((const __m256i *)(input + i));
            const __m256i second = _mm256_loadu_si256((const __m256i *)(input + i + 32));
            const __m256i low = entries(&rows, first), high = entries(&rows, second);
            _mm256_storeu_si256((__m256i *)(output + i), low);
            store_values(output + i + 32, high, a->count - i - 32);
        }
        if (i < a->count) {
            const __m256i values = entries(&rows, _mm256_loadu_si256((const __m256i *)(input + i)));
            store_values(output + i, values, a->count - i);
        }
    }
}
#endif
