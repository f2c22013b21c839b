#if defined(__x86_64__)
#include "avx2.h"

// 8 sums of four weights.
SWIFTLET_AVX2_INLINE __m256i quad_sums(__m256i weights) {
    return _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), weights), _mm256_set1_epi16(1));
}

// Sums of the positive and of the absolute negative weights of each pair, 16 times 0 to 256.
typedef struct {
    __m256i positive, negative;
} pair_sums;

SWIFTLET_AVX2_INLINE pair_sums pairs_of(__m256i weights) {
    const __m256i one = _mm256_set1_epi8(1), zero = _mm256_setzero_si256();
    const pair_sums pairs = {
        _mm256_maddubs_epi16(_mm256_max_epi8(weights, zero), one),
        _mm256_maddubs_epi16(_mm256_abs_epi8(_mm256_min_epi8(weights, zero)), one),
    };
    return pairs;
}

// The largest of 16 numbers below 2^16.
SWIFTLET_AVX2_INLINE uint16_t largest(__m256i values) {
    const __m128i eight = _mm_max_epu16(_mm256_castsi256_si128(values), _mm256_extracti128_si256(values, 1));
    return (uint16_t)~_mm_cvtsi128_si32(_mm_minpos_epu16(_mm_xor_si128(eight, _mm_set1_epi16(-1))));
}

SWIFTLET_AVX2_INLINE uint16_t largest_of_pairs(pair_sums sums) {
    return largest(_mm256_max_epi16(sums.positive, sums.negative));
}

// 32767 / sum, rounded down, at most 255. The float32 quotient of an integer below 2^15 and one of at most 512 lies within
// 0.002 / sum of the exact one, which is an integer or 1 / sum away from the next.
SWIFTLET_AVX2_INLINE __m256i quotients(const uint16_t *sums) {
    const __m256i values = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)sums));
    const __m256 divisors = _mm256_cvtepi32_ps(_mm256_max_epi32(values, _mm256_set1_epi32(1)));
    return _mm256_cvttps_epi32(_mm256_div_ps(_mm256_set1_ps(32767.0f), divisors));
}

SWIFTLET_AVX2_INLINE void store_limits(const uint16_t *sums, uint8_t *limits, int count) {
    for (int i = 0; i < count; i += 32) {
        const __m256i low = _mm256_packs_epi32(quotients(sums + i), quotients(sums + i + 8));
        const __m256i high = _mm256_packs_epi32(quotients(sums + i + 16), quotients(sums + i + 24));
        const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
        _mm256_storeu_si256(
            (__m256i *)(limits + i), _mm256_permutevar8x32_epi32(_mm256_packus_epi16(low, high), order));
    }
}

SWIFTLET_AVX2 void swiftlet_scan_s8_1x8__avx2(const swiftlet_scan_s8_arguments *a) {
    const int8_t *weights = a->weights;
    for (int32_t panel = 0; panel < a->panels; panel++) {
        __m256i sum = _mm256_setzero_si256();
        if (!a->limits) {
            for (int32_t q = 0; q < a->quads; q++, weights += 32) {
                sum = _mm256_add_epi32(sum, quad_sums(_mm256_loadu_si256((const __m256i *)weights)));
            }
        }
        uint8_t *limits = a->limits ? a->limits + panel * a->limitStride : NULL;
        for (int32_t first = 0; limits && first < a->quads; first += SWIFTLET_LIMIT_QUADS) {
            const int32_t quads = a->quads - first < SWIFTLET_LIMIT_QUADS ? a->quads - first : SWIFTLET_LIMIT_QUADS;
            // Joint sums of 32 pairs of quads, then sums of 64 quads; what is not there has no limit that matters.
            uint16_t sums[32 + SWIFTLET_LIMIT_QUADS] = {0};
            pair_sums before = {sum, sum};
            for (int32_t q = 0; q < quads; q++, weights += 32) {
                const __m256i w = _mm256_loadu_si256((const __m256i *)weights);
                sum = _mm256_add_epi32(sum, quad_sums(w));
                const pair_sums pairs = pairs_of(w);
                sums[32 + q] = largest_of_pairs(pairs);
                if (q % 2 == 1) {
                    const pair_sums joint = {
                        _mm256_add_epi16(before.positive, pairs.positive),
                        _mm256_add_epi16(before.negative, pairs.negative),
                    };
                    sums[q / 2] = largest_of_pairs(joint);
                }
                before = pairs;
            }
            store_limits(sums, limits, 32 + SWIFTLET_LIMIT_QUADS);
            if (quads % 2 == 1) limits[quads / 2] = 0;
            limits += SWIFTLET_LIMIT_BYTES;
        }
        const __m256i bias = _mm256_loadu_si256((const __m256i *)(a->bias + 8 * panel));
        _mm256_storeu_si256(
            (__m256i *)(a->correctedBias + 8 * panel), _mm256_sub_epi32(bias, _mm256_slli_epi32(sum, 7)));
        if (a->weightSums) _mm256_storeu_si256((__m256i *)(a->weightSums + 8 * panel), sum);
    }
}
#endif
