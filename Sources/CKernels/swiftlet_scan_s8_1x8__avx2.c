#if defined(__x86_64__)
#include "avx2.h"

// VPMADDUBSW sums two products in 16 bits with saturation. With inputs of 0 to 255 the sum of a pair of weights stays
// exact when its positive weights sum up to at most 128 and its negative ones to at least -128: 255 * 128 = 32640.

// Sums of the positive and of the negated negative weights of each pair: 32 bytes, at most 254 each (256 saturates).
SWIFTLET_AVX2_INLINE __m256i pair_bounds(__m256i weights) {
    const __m256i one = _mm256_set1_epi8(1);
    const __m256i positive = _mm256_maddubs_epi16(one, _mm256_max_epi8(weights, _mm256_setzero_si256()));
    const __m256i negative = _mm256_sub_epi16(positive, _mm256_maddubs_epi16(one, weights));
    return _mm256_packus_epi16(positive, negative);
}

SWIFTLET_AVX2_INLINE int fits(__m256i bounds) {
    const __m256i excess = _mm256_subs_epu8(bounds, _mm256_set1_epi8((char)128));
    return _mm256_testz_si256(excess, excess);
}

static inline void append(uint16_t **list, const uint16_t *values, intptr_t count) {
    memcpy(*list, values, (size_t)count * sizeof *values);
    *list += count;
}

// 8 sums of four weights.
SWIFTLET_AVX2_INLINE __m256i quad_sums(__m256i weights) {
    return _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), weights), _mm256_set1_epi16(1));
}

SWIFTLET_AVX2_INLINE void correct_bias(const swiftlet_scan_s8_arguments *a, int32_t panel, __m256i sums) {
    const __m256i bias = _mm256_loadu_si256((const __m256i *)(a->bias + 8 * panel));
    _mm256_storeu_si256(
        (__m256i *)(a->correctedBias + 8 * panel), _mm256_sub_epi32(bias, _mm256_slli_epi32(sums, 7)));
}

SWIFTLET_AVX2 static void correct_biases(const swiftlet_scan_s8_arguments *a) {
    const int8_t *weights = a->weights;
    for (int32_t panel = 0; panel < a->panels; panel++) {
        __m256i sums = _mm256_setzero_si256();
        for (int32_t q = 0; q < a->quads; q++, weights += 32) {
            sums = _mm256_add_epi32(sums, quad_sums(_mm256_loadu_si256((const __m256i *)weights)));
        }
        correct_bias(a, panel, sums);
    }
}

SWIFTLET_AVX2 void swiftlet_scan_s8_1x8__avx2(const swiftlet_scan_s8_arguments *a) {
    if (!a->lists) return correct_biases(a);
    enum { waiting = 8 };
    const __m256i orders[2] = {
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15)),
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 3, 1, 2, 4, 7, 5, 6, 8, 11, 9, 10, 12, 15, 13, 14)),
    };
    const intptr_t quads = a->quads;
    uint16_t *const single = a->temporary;
    uint16_t *const paired[2] = {single + quads, single + 2 * quads};
    uint16_t *const wide = single + 3 * quads;
    for (int32_t panel = 0; panel < a->panels; panel++) {
        const int8_t *weights = a->weights + 32 * quads * panel;
        uint16_t *const counts = a->lists + panel * a->listStride;
        uint16_t *joint = counts + SWIFTLET_SCAN_COUNTS;
        intptr_t singles = 0, paireds[2] = {0, 0}, wides = 0;
        // Quads that fit alone and still look for another one to be summed with.
        __m256i bounds[waiting];
        uint16_t candidates[waiting];
        int candidateCount = 0;
        __m256i sum = _mm256_setzero_si256();
        for (intptr_t q = 0; q < quads; q++) {
            const __m256i w = _mm256_loadu_si256((const __m256i *)(weights + 32 * q));
            sum = _mm256_add_epi32(sum, quad_sums(w));
            const __m256i bound = pair_bounds(w);
            if (_mm256_testz_si256(bound, bound)) continue;
            if (!fits(bound)) {
                if (fits(pair_bounds(_mm256_shuffle_epi8(w, orders[0])))) {
                    paired[0][paireds[0]++] = (uint16_t)q;
                } else if (fits(pair_bounds(_mm256_shuffle_epi8(w, orders[1])))) {
                    paired[1][paireds[1]++] = (uint16_t)q;
                } else {
                    wide[wides++] = (uint16_t)q;
                }
                continue;
            }
            if (!a->joins) {
                single[singles++] = (uint16_t)q;
                continue;
            }
            int match = 0;
            while (match < candidateCount && !fits(_mm256_adds_epu8(bound, bounds[match]))) match++;
            const int isJoined = match < candidateCount;
            if (isJoined) {
                *joint++ = candidates[match];
                *joint++ = (uint16_t)q;
            } else if (candidateCount == waiting) {
                match = 0;
                single[singles++] = candidates[0];
            }
            if (match < candidateCount) {
                candidateCount--;
                for (int i = match; i < candidateCount; i++) {
                    bounds[i] = bounds[i + 1];
                    candidates[i] = candidates[i + 1];
                }
            }
            if (!isJoined) {
                bounds[candidateCount] = bound;
                candidates[candidateCount++] = (uint16_t)q;
            }
        }
        for (int i = 0; i < candidateCount; i++) single[singles++] = candidates[i];

        counts[0] = (uint16_t)((joint - counts - SWIFTLET_SCAN_COUNTS) / 2);
        counts[1] = (uint16_t)singles;
        counts[2] = (uint16_t)paireds[0];
        counts[3] = (uint16_t)paireds[1];
        counts[4] = (uint16_t)wides;
        append(&joint, single, singles);
        append(&joint, paired[0], paireds[0]);
        append(&joint, paired[1], paireds[1]);
        append(&joint, wide, wides);

        correct_bias(a, panel, sum);
    }
}
#endif
