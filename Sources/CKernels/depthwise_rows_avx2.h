// What the AVX2 kernels of whole rows of a depthwise convolution share. Included only by them, on x86-64.
//
// Sixteen channels at a time. Int8 values are widened to 16 bits and interleaved in pairs of taps, so that one VPMADDWD
// multiplies and adds two taps of eight channels. Interleaving keeps to 128-bit lanes: the low half of a pair holds
// channels 0-3 and 8-11, the high half 4-7 and 12-15, and packing the 32-bit sums puts them back in order.
//
// Kernel rows are paired, (0, 1), (2, 3), ...; the last row, which has no partner, is paired along x.
#pragma once
#include "avx2.h"
#include "depthwise_rows.h"

// Sixteen int8 values as int16.
SWIFTLET_AVX2_INLINE __m256i widened(const int8_t *values) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)values));
}

// Elements 0-3 and 8-11 of 32-bit elements.
SWIFTLET_AVX2_INLINE __m256i quarters(const void *elements) {
    const char *bytes = elements;
    return _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)bytes)),
        _mm_loadu_si128((const __m128i *)(bytes + 32)), 1);
}

// Interleaved int16 values of two taps.
typedef struct {
    __m256i low;
    __m256i high;
} tap_pair;

SWIFTLET_AVX2_INLINE tap_pair pair_of(__m256i first, __m256i second) {
    const tap_pair pair = {_mm256_unpacklo_epi16(first, second), _mm256_unpackhi_epi16(first, second)};
    return pair;
}

// Interleaved weights of two taps of a block, offset added; a negative index stands for a weight of 0.
SWIFTLET_AVX2_INLINE tap_pair weight_pair(const int8_t *block, int first, int second, __m256i offset) {
    const __m256i zero = _mm256_setzero_si256();
    return pair_of(
        first < 0 ? zero : _mm256_add_epi16(widened(block + 16 * first), offset),
        second < 0 ? zero : _mm256_add_epi16(widened(block + 16 * second), offset));
}

// Sums of sixteen channels to 16 bits, zero point added. Scales are small: no product leaves the range that converts.
SWIFTLET_AVX2_INLINE __m256i requantized(
    __m256i low, __m256i high, const __m256 *scaleLow, const __m256 *scaleHigh, __m256i zeroPoint) {
    return _mm256_adds_epi16(
        _mm256_packs_epi32(rounded_product(low, *scaleLow), rounded_product(high, *scaleHigh)), zeroPoint);
}

typedef struct {
    __m128i first;
    __m128i second;
} pixel_pair;

// The int8 values of two pixels.
SWIFTLET_AVX2_INLINE pixel_pair two_pixels(__m256i first, __m256i second, const output_range_avx2 *range) {
    const __m256i bytes =
        _mm256_min_epi8(_mm256_max_epi8(_mm256_packs_epi16(first, second), range->lowest), range->highest);
    const __m128i low = _mm256_castsi256_si128(bytes), high = _mm256_extracti128_si256(bytes, 1);
    const pixel_pair pixels = {_mm_unpacklo_epi64(low, high), _mm_unpackhi_epi64(low, high)};
    return pixels;
}
