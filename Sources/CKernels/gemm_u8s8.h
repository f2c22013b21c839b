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
    const int32_t channels = a->channels - 8 * panel;
    SWIFTLET_UNROLL
    for (int p = 0; p < pixels; p += 4) {
        const int left = pixels - p;
        const __m256i bytes = packed(
            sums[p], sums[left > 1 ? p + 1 : p], sums[left > 2 ? p + 2 : p], sums[left > 3 ? p + 3 : p], range);
        const __m128i low = _mm256_castsi256_si128(bytes), high = _mm256_extracti128_si256(bytes, 1);
        const __m128i pixels01 = _mm_unpacklo_epi32(low, high), pixels23 = _mm_unpackhi_epi32(low, high);
        int8_t *output = a->output + (firstPixel + p) * a->outputPixelStride + 8 * panel;
        if (channels >= 8) {
            _mm_storel_epi64((__m128i *)output, pixels01);
            if (left > 1) _mm_storeh_pd((double *)(output + a->outputPixelStride), _mm_castsi128_pd(pixels01));
            if (left > 2) _mm_storel_epi64((__m128i *)(output + 2 * a->outputPixelStride), pixels23);
            if (left > 3) _mm_storeh_pd((double *)(output + 3 * a->outputPixelStride), _mm_castsi128_pd(pixels23));
        } else {
            store_channels(output, pixels01, channels);
            if (left > 1) store_channels(output + a->outputPixelStride, _mm_unpackhi_epi64(pixels01, pixels01), channels);
            if (left > 2) store_channels(output + 2 * a->outputPixelStride, pixels23, channels);
            if (left > 3) store_channels(output + 3 * a->outputPixelStride, _mm_unpackhi_epi64(pixels23, pixels23), channels);
        }
    }
}
