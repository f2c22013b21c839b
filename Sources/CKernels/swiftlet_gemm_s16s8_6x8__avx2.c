#if defined(__x86_64__)
#include "avx2.h"

// Two vectors of rounded values to int16, zero point added.
SWIFTLET_AVX2_INLINE __m256i saturated(__m256i a, __m256i b, output_range_avx2 range) {
    return _mm256_adds_epi16(_mm256_packs_epi32(a, b), range.zeroPoint);
}

// Stores eight channels, or as many as there are, of the pixels of a tile, two a register.
SWIFTLET_AVX2_INLINE void store_pixels(
    int8_t *output, intptr_t stride, const __m128i *pairs, const int tile, int32_t channels) {
    if (channels >= 8) {
        SWIFTLET_UNROLL
        for (int p = 0; p < tile; p += 2, output += 2 * stride) {
            _mm_storel_epi64((__m128i *)output, pairs[p / 2]);
            if (p + 1 < tile) _mm_storeh_pd((double *)(output + stride), _mm_castsi128_pd(pairs[p / 2]));
        }
        return;
    }
    SWIFTLET_UNROLL
    for (int p = 0; p < tile; p++, output += stride) {
        const __m128i pair = pairs[p / 2];
        store_channels(output, p % 2 == 0 ? pair : _mm_unpackhi_epi64(pair, pair), channels);
    }
}

// One panel and one tile: 8 output channels by `tile` pixels, a constant where this is inlined. A quad of inputs, widened,
// is spread over a register and multiplied with four channels; the two sums of a channel are added at the end.
SWIFTLET_AVX2_INLINE void gemm_panel(
    const swiftlet_gemm_u8s8_arguments *a, const int16_t *x, int32_t firstPixel, int32_t panel, output_range_avx2 range,
    int clamps, const int tile) {
    const int8_t *w = a->weights + panel * a->panelStride;
    const int8_t *const end = w + a->panelStride;
    // The bias of a channel is in the first of its two sums.
    const int32_t *const bias = a->bias + 8 * panel;
    const __m256i bias0 = _mm256_cvtepu32_epi64(_mm_loadu_si128((const __m128i *)bias));
    const __m256i bias1 = _mm256_cvtepu32_epi64(_mm_loadu_si128((const __m128i *)(bias + 4)));
    __m256i sums[6][2];
    SWIFTLET_UNROLL
    for (int p = 0; p < tile; p++) {
        sums[p][0] = bias0;
        sums[p][1] = bias1;
    }
    do {
        const __m256i w0 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)w));
        const __m256i w1 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(w + 16)));
        SWIFTLET_UNROLL
        for (int p = 0; p < tile; p++) {
            const __m256i quad = _mm256_set1_epi64x(*(const int64_t *)(x + 4 * p));
            sums[p][0] = _mm256_add_epi32(sums[p][0], _mm256_madd_epi16(quad, w0));
            sums[p][1] = _mm256_add_epi32(sums[p][1], _mm256_madd_epi16(quad, w1));
        }
        w += 32;
        x += 4 * tile;
    } while (w < end);

    // Channels 0, 1, 4, 5, 2, 3, 6, 7, as the sums of pairs come.
    const __m256 scales = _mm256_castsi256_ps(
        _mm256_permute4x64_epi64(_mm256_loadu_si256((const __m256i *)(a->scales + 8 * panel)), 0xD8));
    __m256i values[6];
    SWIFTLET_UNROLL
    for (int p = 0; p < tile; p++) {
        const __m256 low = _mm256_castsi256_ps(sums[p][0]), high = _mm256_castsi256_ps(sums[p][1]);
        const __m256i even = _mm256_castps_si256(_mm256_shuffle_ps(low, high, 0x88));
        const __m256i odd = _mm256_castps_si256(_mm256_shuffle_ps(low, high, 0xDD));
        // Scales are small: no product leaves the range that converts.
        values[p] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_add_epi32(even, odd)), scales));
    }
    __m128i pairs[3];
    SWIFTLET_UNROLL
    for (int p = 0; p < tile; p += 4) {
        const int left = tile - p;
        const __m256i first = saturated(values[p], values[left > 1 ? p + 1 : p], range);
        if (left > 2) {
            const __m256i bytes = _mm256_packs_epi16(first, saturated(values[p + 2], values[left > 3 ? p + 3 : p + 2], range));
            const __m128i low = _mm256_castsi256_si128(bytes), high = _mm256_extracti128_si256(bytes, 1);
            pairs[p / 2] = _mm_unpacklo_epi16(low, high);
            pairs[p / 2 + 1] = _mm_unpackhi_epi16(low, high);
        } else {
            const __m128i low = _mm256_castsi256_si128(first), high = _mm256_extracti128_si256(first, 1);
            pairs[p / 2] = _mm_packs_epi16(_mm_unpacklo_epi32(low, high), _mm_unpackhi_epi32(low, high));
        }
    }
    if (clamps) {
        SWIFTLET_UNROLL
        for (int p = 0; p < tile; p += 2) {
            pairs[p / 2] = _mm_min_epi8(
                _mm_max_epi8(pairs[p / 2], _mm256_castsi256_si128(range.lowest)), _mm256_castsi256_si128(range.highest));
        }
    }
    store_pixels(
        a->output + firstPixel * a->outputPixelStride + 8 * panel, a->outputPixelStride, pairs, tile,
        a->channels - 8 * panel);
}

SWIFTLET_AVX2 void swiftlet_gemm_s16s8_6x8__avx2(const swiftlet_gemm_u8s8_arguments *a) {
    const output_range_avx2 range = output_range(a->zeroPoint, a->lowest, a->highest);
    // Saturation does what clamping to the whole range would.
    const int clamps = a->lowest > -128 || a->highest < 127;
    const int32_t panels = (a->channels + 7) / 8;
    // As many panels as stay in the nearest cache while the tiles pass by.
    int32_t group = (int32_t)((16 << 10) / a->panelStride);
    if (group < 1) group = 1;
    for (int32_t firstPanel = 0; firstPanel < panels; firstPanel += group) {
        const int32_t endPanel = panels - firstPanel < group ? panels : firstPanel + group;
        for (int32_t tile = 0; tile < a->tiles; tile++) {
            const int32_t first = swiftlet_tile_start(a->pixels, a->tiles, tile);
            const int16_t *x = (const int16_t *)(a->activations + tile * a->tileStride);
            switch (swiftlet_tile_start(a->pixels, a->tiles, tile + 1) - first) {
#define TILE(count)                                                                                     \
    case count:                                                                                         \
        for (int32_t p = firstPanel; p < endPanel; p++) gemm_panel(a, x, first, p, range, clamps, count); \
        break;
                TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
#undef TILE
            default: break;
            }
        }
    }
}
#endif
