// VPDPBUSD: dot products of four uint8 and four int8, added to an int32 exactly, and the few operations on 512 bits beside
// it. With SWIFTLET_MODEL defined they are computed with AVX2, so that tests run the kernels on CPUs that lack them.
#pragma once
#include "gemm_u8s8.h"

#if defined(SWIFTLET_MODEL)
#define SWIFTLET_AVXVNNI SWIFTLET_AVX2
#define SWIFTLET_AVXVNNI_INLINE SWIFTLET_AVX2_INLINE
#define SWIFTLET_AVX512VNNI SWIFTLET_AVX2
#define SWIFTLET_AVX512VNNI_INLINE SWIFTLET_AVX2_INLINE

SWIFTLET_AVX2_INLINE __m256i dot_256(__m256i sums, __m256i inputs, __m256i weights) {
    const __m256i even = _mm256_srai_epi16(_mm256_slli_epi16(weights, 8), 8), odd = _mm256_srai_epi16(weights, 8);
    sums = _mm256_add_epi32(sums, _mm256_madd_epi16(_mm256_and_si256(inputs, _mm256_set1_epi16(255)), even));
    return _mm256_add_epi32(sums, _mm256_madd_epi16(_mm256_srli_epi16(inputs, 8), odd));
}

typedef struct {
    __m256i low, high;
} vector_512;

SWIFTLET_AVX2_INLINE vector_512 joined_512(__m256i low, __m256i high) { return (vector_512){low, high}; }
SWIFTLET_AVX2_INLINE vector_512 add_512(vector_512 a, vector_512 b) {
    return joined_512(_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high));
}
SWIFTLET_AVX2_INLINE vector_512 zero_512(void) { return joined_512(_mm256_setzero_si256(), _mm256_setzero_si256()); }
SWIFTLET_AVX2_INLINE vector_512 spread_quad_512(const uint8_t *inputs) {
    return joined_512(spread_quad(inputs), spread_quad(inputs));
}
SWIFTLET_AVX2_INLINE vector_512 dot_512(vector_512 sums, vector_512 inputs, vector_512 weights) {
    return joined_512(
        dot_256(sums.low, inputs.low, weights.low), dot_256(sums.high, inputs.high, weights.high));
}

#else
#define SWIFTLET_AVXVNNI __attribute__((target("avx2,avxvnni")))
#define SWIFTLET_AVXVNNI_INLINE static inline __attribute__((target("avx2,avxvnni"), always_inline))
#define SWIFTLET_AVX512VNNI __attribute__((target("avx2,avx512f,avx512bw,avx512vl,avx512vnni")))
#define SWIFTLET_AVX512VNNI_INLINE \
    static inline __attribute__((target("avx2,avx512f,avx512bw,avx512vl,avx512vnni"), always_inline))

SWIFTLET_AVXVNNI_INLINE __m256i dot_256(__m256i sums, __m256i inputs, __m256i weights) {
    return _mm256_dpbusd_avx_epi32(sums, inputs, weights);
}

typedef __m512i vector_512;

SWIFTLET_AVX512VNNI_INLINE vector_512 joined_512(__m256i low, __m256i high) {
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}
SWIFTLET_AVX512VNNI_INLINE vector_512 add_512(vector_512 a, vector_512 b) { return _mm512_add_epi32(a, b); }
SWIFTLET_AVX512VNNI_INLINE vector_512 zero_512(void) { return _mm512_setzero_si512(); }
SWIFTLET_AVX512VNNI_INLINE vector_512 spread_quad_512(const uint8_t *inputs) {
    int32_t quad;
    memcpy(&quad, inputs, sizeof quad);
    return _mm512_set1_epi32(quad);
}
SWIFTLET_AVX512VNNI_INLINE vector_512 dot_512(vector_512 sums, vector_512 inputs, vector_512 weights) {
    return _mm512_dpbusd_epi32(sums, inputs, weights);
}
#endif

// Adds biases to the sums of one panel, one pixel every `stride` registers, requantizes and stores them. One copy for all
// sizes of tiles.
SWIFTLET_AVX2 __attribute__((noinline)) static void finish_panel(
    const swiftlet_gemm_u8s8_arguments *a, const __m256i *sums, int stride, int32_t firstPixel, int32_t panel,
    int32_t pixels, output_range_avx2 range) {
    for (int32_t p = 0; p < pixels; p += 4) {
        __m256i four[4];
        const int32_t count = pixels - p < 4 ? pixels - p : 4;
        for (int32_t i = 0; i < count; i++) {
            four[i] = _mm256_add_epi32(sums[(p + i) * stride], biases(a, panel, firstPixel + p + i));
        }
        switch (count) {
#define COUNT(n) \
    case n: store_panel(a, four, firstPixel + p, panel, range, n); break;
            COUNT(1) COUNT(2) COUNT(3)
        default: store_panel(a, four, firstPixel + p, panel, range, 4); break;
#undef COUNT
        }
    }
}
