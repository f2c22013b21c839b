#if defined(__x86_64__)
#include "gemm_u8s8.h"

// Orders of the four inputs of a quad in which other inputs meet in a pair; see swiftlet_scan_s8_1x8__avx2.c.
SWIFTLET_AVX2_INLINE __m256i pairing(int number) {
    const __m128i order = number == 0 ? _mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15)
                                      : _mm_setr_epi8(0, 3, 1, 2, 4, 7, 5, 6, 8, 11, 9, 10, 12, 15, 13, 14);
    return _mm256_broadcastsi128_si256(order);
}

SWIFTLET_AVX2_INLINE __m256i quad_weights(const int8_t *weights, uint32_t quad) {
    return _mm256_loadu_si256((const __m256i *)(weights + (uintptr_t)32 * quad));
}

// One panel and one tile: 8 output channels by `tile` pixels, a constant where this is inlined.
SWIFTLET_AVX2_INLINE void gemm_panel(
    const swiftlet_gemm_u8s8_arguments *a, const uint8_t *x, int32_t firstPixel, int32_t panel, output_range_avx2 range,
    const int tile) {
    const int8_t *weights = a->weights + panel * a->panelStride;
    const uint16_t *counts = a->lists + panel * a->listStride;
    const uint16_t *next = counts + SWIFTLET_SCAN_COUNTS;
    const uint16_t *end;
    const uintptr_t step = 4 * (uintptr_t)tile;
    const __m256i one = _mm256_set1_epi16(1);
    __m256i sums[12];
    SWIFTLET_UNROLL
    for (int p = 0; p < tile; p++) sums[p] = biases(a, panel, firstPixel + p);

    // Two quads whose sums of products fit 16 bits together.
    for (end = next + 2 * counts[0]; next < end; next += 2) {
        const __m256i w0 = quad_weights(weights, next[0]), w1 = quad_weights(weights, next[1]);
        const uint8_t *x0 = x + step * next[0], *x1 = x + step * next[1];
        SWIFTLET_UNROLL
        for (int p = 0; p < tile; p++) {
            const __m256i pairs = _mm256_add_epi16(
                _mm256_maddubs_epi16(spread_quad(x0 + 4 * p), w0), _mm256_maddubs_epi16(spread_quad(x1 + 4 * p), w1));
            sums[p] = _mm256_add_epi32(sums[p], _mm256_madd_epi16(pairs, one));
        }
    }
    // Quads that fit 16 bits alone.
    for (end = next + counts[1]; next < end; next++) {
        const __m256i w = quad_weights(weights, *next);
        const uint8_t *x0 = x + step * *next;
        SWIFTLET_UNROLL
        for (int p = 0; p < tile; p++) {
            const __m256i pairs = _mm256_maddubs_epi16(spread_quad(x0 + 4 * p), w);
            sums[p] = _mm256_add_epi32(sums[p], _mm256_madd_epi16(pairs, one));
        }
    }
    // Quads that fit 16 bits in another order of their inputs.
    SWIFTLET_UNROLL
    for (int number = 0; number < 2; number++) {
        const __m256i order = pairing(number);
        for (end = next + counts[2 + number]; next < end; next++) {
            const __m256i w = _mm256_shuffle_epi8(quad_weights(weights, *next), order);
            const uint8_t *x0 = x + step * *next;
            SWIFTLET_UNROLL
            for (int p = 0; p < tile; p++) {
                const __m256i pairs = _mm256_maddubs_epi16(_mm256_shuffle_epi8(spread_quad(x0 + 4 * p), order), w);
                sums[p] = _mm256_add_epi32(sums[p], _mm256_madd_epi16(pairs, one));
            }
        }
    }
    // The others, widened: even and odd inputs of the quad apart.
    const __m256i evenBytes = _mm256_set1_epi16(255);
    for (end = next + counts[4]; next < end; next++) {
        const __m256i w = quad_weights(weights, *next);
        const __m256i even = _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8), odd = _mm256_srai_epi16(w, 8);
        const uint8_t *x0 = x + step * *next;
        SWIFTLET_UNROLL
        for (int p = 0; p < tile; p++) {
            const __m256i v = spread_quad(x0 + 4 * p);
            sums[p] = _mm256_add_epi32(sums[p], _mm256_madd_epi16(_mm256_and_si256(v, evenBytes), even));
            sums[p] = _mm256_add_epi32(sums[p], _mm256_madd_epi16(_mm256_srli_epi16(v, 8), odd));
        }
    }

    store_panel(a, sums, firstPixel, panel, range, tile);
}

SWIFTLET_AVX2 void swiftlet_gemm_u8s8_12x8__avx2(const swiftlet_gemm_u8s8_arguments *a) {
    const output_range_avx2 range = output_range(a->zeroPoint, a->lowest, a->highest);
    const int32_t panels = (a->channels + 7) / 8;
    // As many panels as stay in the nearest cache while the tiles pass by.
    int32_t group = (int32_t)((16 << 10) / a->panelStride);
    if (group < 1) group = 1;
    for (int32_t firstPanel = 0; firstPanel < panels; firstPanel += group) {
        const int32_t endPanel = panels - firstPanel < group ? panels : firstPanel + group;
        for (int32_t tile = 0; tile < a->tiles; tile++) {
            const int32_t first = swiftlet_tile_start(a->pixels, a->tiles, tile);
            const uint8_t *x = a->activations + tile * a->tileStride;
            switch (swiftlet_tile_start(a->pixels, a->tiles, tile + 1) - first) {
#define TILE(count)                                                                                     \
    case count:                                                                                         \
        for (int32_t p = firstPanel; p < endPanel; p++) gemm_panel(a, x, first, p, range, count);       \
        break;
                TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6) TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12)
#undef TILE
            default: break;
            }
        }
    }
}
#endif
