// What the AVX2 kernels share. Included only by them, on x86-64.
#pragma once
#pragma STDC FP_CONTRACT OFF
#include <immintrin.h>
#include <string.h>

#include "CKernels.h"

#define SWIFTLET_AVX2 __attribute__((target("avx2")))
#define SWIFTLET_UNROLL _Pragma("clang loop unroll(full)")
#define SWIFTLET_AVX2_INLINE static inline __attribute__((target("avx2"), always_inline))

// The output quantization of a tile, in the form that the packed epilogues take.
typedef struct {
    __m256i zeroPoint;    // 16 x int16
    __m256i lowest;       // 32 x int8
    __m256i highest;
} output_range_avx2;

SWIFTLET_AVX2_INLINE output_range_avx2 output_range(int32_t zeroPoint, int32_t lowest, int32_t highest) {
    output_range_avx2 range = {
        _mm256_set1_epi16((int16_t)zeroPoint),
        _mm256_set1_epi8((int8_t)lowest),
        _mm256_set1_epi8((int8_t)highest),
    };
    return range;
}

// The integer nearest to each value, at most 2^30: larger ones would convert to INT32_MIN. Values below INT32_MIN
// convert to it, and every later step saturates, so rounding first and clamping last equals clamping first.
SWIFTLET_AVX2_INLINE __m256i rounded(__m256 value) {
    return _mm256_cvtps_epi32(_mm256_min_ps(value, _mm256_set1_ps(1073741824.0f)));
}

SWIFTLET_AVX2_INLINE __m256i scaled(__m256i accumulators, __m256 scales) {
    return rounded(_mm256_mul_ps(_mm256_cvtepi32_ps(accumulators), scales));
}

// The same where scales are small: no product leaves the range that converts.
SWIFTLET_AVX2_INLINE __m256i rounded_product(__m256i accumulators, __m256 scales) {
    return _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_cvtepi32_ps(accumulators), scales));
}

// Two vectors of rounded int16 to int8, in the lane order of PACKS.
SWIFTLET_AVX2_INLINE __m256i packed16(__m256i a, __m256i b, output_range_avx2 range) {
    const __m256i bytes =
        _mm256_packs_epi16(_mm256_adds_epi16(a, range.zeroPoint), _mm256_adds_epi16(b, range.zeroPoint));
    return _mm256_min_epi8(_mm256_max_epi8(bytes, range.lowest), range.highest);
}

// Four vectors of rounded values to int8, in the lane order of two PACKS.
SWIFTLET_AVX2_INLINE __m256i packed(__m256i a, __m256i b, __m256i c, __m256i d, output_range_avx2 range) {
    return packed16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d), range);
}

// Inputs 0 and 1 (`pair` 0), or 2 and 3, of a quad of weights of eight channels, as int16.
SWIFTLET_AVX2_INLINE __m256i widened_pair(__m256i quad, const int pair) {
    // The bytes to the upper halves of 16 bits.
    const __m128i order = pair == 0 ? _mm_setr_epi8(-1, 0, -1, 1, -1, 4, -1, 5, -1, 8, -1, 9, -1, 12, -1, 13)
                                    : _mm_setr_epi8(-1, 2, -1, 3, -1, 6, -1, 7, -1, 10, -1, 11, -1, 14, -1, 15);
    return _mm256_srai_epi16(_mm256_shuffle_epi8(quad, _mm256_broadcastsi128_si256(order)), 8);
}

// Adds the products of two int16, spread over a register, with those of eight channels to the sums of these, for two
// sets of channels. In assembly because twelve sums, two weights and two temporaries are all registers there are, and the
// compiler, left to order this, spills some.
SWIFTLET_AVX2_INLINE void add_products(__m256i *a, __m256i *b, const int16_t *inputs, __m256i weightsA, __m256i weightsB) {
    __m256i spread, product;
    __asm__("vpbroadcastd %4, %2\n\t"
            "vpmaddwd %5, %2, %3\n\t"
            "vpaddd %3, %0, %0\n\t"
            "vpmaddwd %6, %2, %2\n\t"
            "vpaddd %2, %1, %1"
            : "+x"(*a), "+x"(*b), "=&x"(spread), "=&x"(product)
            : "m"(*(const int16_t(*)[2])inputs), "x"(weightsA), "x"(weightsB));
}

// Stores the first `channels` values, at most sixteen.
SWIFTLET_AVX2_INLINE void store_channels(int8_t *output, __m128i values, int32_t channels) {
    if (channels >= 16) {
        _mm_storeu_si128((__m128i *)output, values);
        return;
    }
    if (channels & 8) {
        _mm_storel_epi64((__m128i *)output, values);
        values = _mm_unpackhi_epi64(values, values);
        output += 8;
    }
    uint64_t rest = (uint64_t)_mm_cvtsi128_si64(values);
    if (channels & 4) {
        const uint32_t four = (uint32_t)rest;
        memcpy(output, &four, 4);
        rest >>= 32;
        output += 4;
    }
    if (channels & 2) {
        const uint16_t two = (uint16_t)rest;
        memcpy(output, &two, 2);
        rest >>= 16;
        output += 2;
    }
    if (channels & 1) *output = (int8_t)rest;
}

// Stores `pixels` pixels, a constant where this is inlined, of the first `channels` of eight channels.
SWIFTLET_AVX2_INLINE void store_rounded(
    int8_t *output, intptr_t stride, int32_t channels, const __m256i *values, output_range_avx2 range, const int pixels) {
    SWIFTLET_UNROLL
    for (int p = 0; p < pixels; p += 4, output += 4 * stride) {
        const int left = pixels - p;
        const __m256i bytes = packed(
            values[p], values[left > 1 ? p + 1 : p], values[left > 2 ? p + 2 : p], values[left > 3 ? p + 3 : p], range);
        const __m128i low = _mm256_castsi256_si128(bytes), high = _mm256_extracti128_si256(bytes, 1);
        const __m128i pixels01 = _mm_unpacklo_epi32(low, high), pixels23 = _mm_unpackhi_epi32(low, high);
        if (channels >= 8) {
            _mm_storel_epi64((__m128i *)output, pixels01);
            if (left > 1) _mm_storeh_pd((double *)(output + stride), _mm_castsi128_pd(pixels01));
            if (left > 2) _mm_storel_epi64((__m128i *)(output + 2 * stride), pixels23);
            if (left > 3) _mm_storeh_pd((double *)(output + 3 * stride), _mm_castsi128_pd(pixels23));
        } else {
            store_channels(output, pixels01, channels);
            if (left > 1) store_channels(output + stride, _mm_unpackhi_epi64(pixels01, pixels01), channels);
            if (left > 2) store_channels(output + 2 * stride, pixels23, channels);
            if (left > 3) store_channels(output + 3 * stride, _mm_unpackhi_epi64(pixels23, pixels23), channels);
        }
    }
}

// Stores the first `count` values, all of them where there are no fewer.
SWIFTLET_AVX2_INLINE void store_values(int8_t *output, __m256i values, intptr_t count) {
    if (count >= 32) {
        _mm256_storeu_si256((__m256i *)output, values);
        return;
    }
    store_channels(output, _mm256_castsi256_si128(values), (int32_t)count);
    if (count > 16) store_channels(output + 16, _mm256_extracti128_si256(values, 1), (int32_t)count - 16);
}
