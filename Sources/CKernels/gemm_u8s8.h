// What the kernels of family gemm_u8s8 share. Included only by them, on x86-64.
#pragma once
#include "avx2.h"

// Four inputs of a pixel in each lane.
SWIFTLET_AVX2_INLINE __m256i spread_quad(const uint8_t *inputs) {
    int32_t quad;
    memcpy(&quad, inputs, sizeof quad);
    return _mm256_set1_epi32(quad);
}

// The biases of a panel plus, where the weights have an offset, what that adds to `pixel`.
SWIFTLET_AVX2_INLINE __m256i biases(const swiftlet_gemm_u8s8_arguments *a, int32_t panel, int32_t pixel) {
    const __m256i bias = _mm256_loadu_si256((const __m256i *)(a->bias + 8 * panel));
    return a->pixelBias ? _mm256_add_epi32(bias, _mm256_set1_epi32(a->pixelBias[pixel])) : bias;
}

// Requantizes and stores the sums of one panel and `pixels` pixels, a constant where this is inlined.
SWIFTLET_AVX2_INLINE void store_panel(
    const swiftlet_gemm_u8s8_arguments *a, __m256i *sums, int32_t firstPixel, int32_t panel, output_range_avx2 range,
    const int pixels) {
    const __m256 scales = _mm256_loadu_ps(a->scales + 8 * panel);
    if (a->hasSmallScales) {
        SWIFTLET_UNROLL
        for (int p = 0; p < pixels; p++) sums[p] = rounded_product(sums[p], scales);
    } else {
        SWIFTLET_UNROLL
        for (int p = 0; p < pixels; p++) sums[p] = scaled(sums[p], scales);
    }
    store_rounded(
        a->output + firstPixel * a->outputPixelStride + 8 * panel, a->outputPixelStride, a->channels - 8 * panel, sums,
        range, pixels);
}
