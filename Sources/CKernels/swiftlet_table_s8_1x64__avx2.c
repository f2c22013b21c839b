#if defined(__x86_64__)
#include "avx2.h"

// VPSHUFB looks up 16 entries by the low four bits of an index and gives 0 for a negative one. The table is cut into rows
// of 16; row k holds entries 16 k ... 16 k + 15 XOR those of the row before. Index minus 16 k is negative where the entry
// lies in a row before k, so the XOR of all look-ups ends at the entry's own row. Negative and other inputs go through
// eight rows each: what is an index to the one is negative to the other.
typedef struct {
    __m256i negative[8];    // entries of -128 ... -1
    __m256i other[8];       // entries of 0 ... 127
} table_rows;

SWIFTLET_AVX2_INLINE table_rows table_rows_of(const int8_t *table) {
    table_rows rows;
    __m128i negative = _mm_setzero_si128(), other = _mm_setzero_si128();
#pragma clang loop unroll(full)
    for (int k = 0; k < 8; k++) {
        const __m128i nextNegative = _mm_loadu_si128((const __m128i *)(table + 16 * k));
        const __m128i nextOther = _mm_loadu_si128((const __m128i *)(table + 128 + 16 * k));
        rows.negative[k] = _mm256_broadcastsi128_si256(_mm_xor_si128(negative, nextNegative));
        rows.other[k] = _mm256_broadcastsi128_si256(_mm_xor_si128(other, nextOther));
        negative = nextNegative;
        other = nextOther;
    }
    return rows;
}

SWIFTLET_AVX2_INLINE __m256i entries(const table_rows *rows, __m256i input) {
    const __m256i row = _mm256_set1_epi8(16);
    __m256i other = input, negative = _mm256_xor_si256(input, _mm256_set1_epi8(-128));
    __m256i result = _mm256_xor_si256(
        _mm256_shuffle_epi8(rows->other[0], other), _mm256_shuffle_epi8(rows->negative[0], negative));
#pragma clang loop unroll(full)
    for (int k = 1; k < 8; k++) {
        other = _mm256_subs_epi8(other, row);
        negative = _mm256_subs_epi8(negative, row);
        result = _mm256_xor_si256(result, _mm256_shuffle_epi8(rows->other[k], other));
        result = _mm256_xor_si256(result, _mm256_shuffle_epi8(rows->negative[k], negative));
    }
    return result;
}

// Stores the first `count` values.
SWIFTLET_AVX2_INLINE void store_entries(int8_t *output, __m256i values, intptr_t count) {
    if (count >= 32) {
        _mm256_storeu_si256((__m256i *)output, values);
        return;
    }
    store_channels(output, _mm256_castsi256_si128(values), (int32_t)count);
    if (count > 16) store_channels(output + 16, _mm256_extracti128_si256(values, 1), (int32_t)count - 16);
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
            store_entries(output + i + 32, high, a->count - i - 32);
        }
        if (i < a->count) {
            const __m256i values = entries(&rows, _mm256_loadu_si256((const __m256i *)(input + i)));
            store_entries(output + i, values, a->count - i);
        }
    }
}
#endif
