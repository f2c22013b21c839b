#if defined(__x86_64__)
#include "avx2.h"

// Inputs are 16-bit integers, read where they lie; weights are widened to them, two panels side by side:
//   [pair of inputs][panel][output channel 0..<8][2]
// One VPMADDWD multiplies two inputs of a pixel, spread over a register, with those of eight channels.
// Tiles of two panels; those of a single one are twice as wide.
enum { tile_pixels = 6, pair_weights = 32, quad_weights = 2 * pair_weights };

// The widened weights of one panel of a couple.
SWIFTLET_AVX2_INLINE void widen(const int8_t *weights, intptr_t bytes, int16_t *output) {
    for (intptr_t i = 0; i < bytes; i += 32, output += quad_weights) {
        const __m256i quad = _mm256_loadu_si256((const __m256i *)(weights + i));
        _mm256_storeu_si256((__m256i *)output, widened_pair(quad, 0));
        _mm256_storeu_si256((__m256i *)(output + 32), widened_pair(quad, 1));
    }
}

// Two panels from `panel` on by a tile of `tile` pixels from `first` on, a constant where this is inlined.
SWIFTLET_AVX2_INLINE void gemm_couple(
    const swiftlet_gemm_s16s8_arguments *a, int32_t first, int32_t panel, output_range_avx2 range, int clamps,
    const int tile) {
    __m256i sums[2][tile_pixels];
    SWIFTLET_UNROLL
    for (int n = 0; n < 2; n++) {
        SWIFTLET_UNROLL
        for (int p = 0; p < tile; p++) sums[n][p] = _mm256_loadu_si256((const __m256i *)(a->bias + 8 * (panel + n)));
    }
    const int16_t *w = a->widenedWeights + panel / 2 * (a->panelStride / 32 * quad_weights);
    const int16_t *row = a->inputs + first * a->pixelStride;
    // The compiler, did it know what these are, would add them up anew for every pair.
    const intptr_t step = a->pixelStride;
    intptr_t three = 3 * step, five = 5 * step;
    __asm__("" : "+r"(three), "+r"(five));
    const intptr_t offsets[tile_pixels] = {0, step, 2 * step, three, 4 * step, five};
    for (int32_t r = 0; r < a->rows; r++, row += a->rowStride) {
        const int16_t *two = row, *const end = row + 2 * a->pairs;
        do {
            const __m256i w0 = _mm256_loadu_si256((const __m256i *)w);
            const __m256i w1 = _mm256_loadu_si256((const __m256i *)(w + 16));
            SWIFTLET_UNROLL
            for (int p = 0; p < tile; p++) add_products(&sums[0][p], &sums[1][p], two + offsets[p], w0, w1);
            w += pair_weights;
            two += 2;
        } while (two < end);
    }

    const __m256 scales0 = _mm256_loadu_ps(a->scales + 8 * panel), scales1 = _mm256_loadu_ps(a->scales + 8 * panel + 8);
    // Of each pixel channels 0-3 and 8-11 in the lower half of the register, 4-7 and 12-15 in the upper one.
    __m256i words[tile_pixels];
    SWIFTLET_UNROLL
    for (int p = 0; p < tile; p++) {
        words[p] = _mm256_adds_epi16(
            _mm256_packs_epi32(rounded_product(sums[0][p], scales0), rounded_product(sums[1][p], scales1)),
            range.zeroPoint);
    }
    const int32_t channels = a->channels - 8 * panel < 16 ? a->channels - 8 * panel : 16;
    const intptr_t stride = a->outputPixelStride;
    int8_t *output = a->output + first * stride + 8 * panel;
    __m256i bytes[tile_pixels / 2];
    SWIFTLET_UNROLL
    for (int p = 0; p < tile; p += 2) {
        const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
        bytes[p / 2] = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(words[p], words[p + 1 < tile ? p + 1 : p]), order);
    }
    if (clamps) {
        SWIFTLET_UNROLL
        for (int i = 0; 2 * i < tile; i++) bytes[i] = _mm256_min_epi8(_mm256_max_epi8(bytes[i], range.lowest), range.highest);
    }
    // Mostly all channels are there.
    SWIFTLET_UNROLL
    for (int p = 0; p < tile; p++, output += stride) {
        const __m128i pixel =
            p % 2 == 0 ? _mm256_castsi256_si128(bytes[p / 2]) : _mm256_extracti128_si256(bytes[p / 2], 1);
        if (channels == 16) {
            _mm_storeu_si128((__m128i *)output, pixel);
        } else {
            store_channels(output, pixel, channels);
        }
    }
}

// One panel, the last of an odd number, by twice as many pixels: twelve sums again.
SWIFTLET_AVX2_INLINE void gemm_single(
    const swiftlet_gemm_s16s8_arguments *a, int32_t first, int32_t panel, output_range_avx2 range, const int tile) {
    __m256i sums[2 * tile_pixels];
    SWIFTLET_UNROLL
    for (int p = 0; p < tile; p++) sums[p] = _mm256_loadu_si256((const __m256i *)(a->bias + 8 * panel));
    const int16_t *w = a->widenedWeights + panel / 2 * (a->panelStride / 32 * quad_weights);
    const int16_t *row = a->inputs + first * a->pixelStride;
    const intptr_t step = a->pixelStride;
    intptr_t three = 3 * step, five = 5 * step, six = 6 * step;
    __asm__("" : "+r"(three), "+r"(five), "+r"(six));
    const intptr_t offsets[tile_pixels] = {0, step, 2 * step, three, 4 * step, five};
    for (int32_t r = 0; r < a->rows; r++, row += a->rowStride) {
        const int16_t *two = row, *const end = row + 2 * a->pairs;
        do {
            const __m256i weights = _mm256_loadu_si256((const __m256i *)w);
            const int16_t *const right = two + six;
            SWIFTLET_UNROLL
            for (int p = 0; p < tile; p++) {
                int32_t inputs;
                memcpy(&inputs, (p < tile_pixels ? two : right) + offsets[p % tile_pixels], sizeof inputs);
                sums[p] = _mm256_add_epi32(sums[p], _mm256_madd_epi16(_mm256_set1_epi32(inputs), weights));
            }
            w += pair_weights;
            two += 2;
        } while (two < end);
    }
    const __m256 scales = _mm256_loadu_ps(a->scales + 8 * panel);
    SWIFTLET_UNROLL
    for (int p = 0; p < tile; p++) sums[p] = rounded_product(sums[p], scales);
    store_rounded(
        a->output + first * a->outputPixelStride + 8 * panel, a->outputPixelStride, a->channels - 8 * panel, sums, range,
        tile);
}

SWIFTLET_AVX2 void swiftlet_gemm_s16s8_6x8__avx2(const swiftlet_gemm_s16s8_arguments *a) {
    const output_range_avx2 range = output_range(a->zeroPoint, a->lowest, a->highest);
    // Saturation does what clamping to the whole range would.
    const int clamps = a->lowest > -128 || a->highest < 127;
    const int32_t panels = (a->channels + 7) / 8;
    for (int32_t panel = 0; panel < panels && !a->isWidened; panel++) {
        int16_t *const couple = a->widenedWeights + panel / 2 * (a->panelStride / 32 * quad_weights);
        widen(a->weights + panel * a->panelStride, a->panelStride, couple + panel % 2 * 16);
    }
    const int32_t tiles = panels < 2 ? 0 : (a->pixels + tile_pixels - 1) / tile_pixels;
    for (int32_t tile = 0; tile < tiles; tile++) {
        const int32_t first = swiftlet_tile_start(a->pixels, tiles, tile);
        switch (swiftlet_tile_start(a->pixels, tiles, tile + 1) - first) {
#define TILE(count)                                                                                                \
    case count:                                                                                                    \
        for (int32_t panel = 0; panel + 2 <= panels; panel += 2) gemm_couple(a, first, panel, range, clamps, count); \
        break;
            TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6)
#undef TILE
        default: break;
        }
    }
    const int32_t wideTiles = panels % 2 == 0 ? 0 : (a->pixels + 2 * tile_pixels - 1) / (2 * tile_pixels);
    for (int32_t tile = 0; tile < wideTiles; tile++) {
        const int32_t first = swiftlet_tile_start(a->pixels, wideTiles, tile);
        switch (swiftlet_tile_start(a->pixels, wideTiles, tile + 1) - first) {
#define TILE(count) case count: gemm_single(a, first, panels - 1, range, count); break;
            TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6) TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12)
#undef TILE
        default: break;
        }
    }
}
#endif
