#if defined(__x86_64__)
#include "vnni.h"

enum { most_pixels = 12 };

// Two panels side by side, a register of each quad; `next` is the distance of the second, 0 where there is one panel.
SWIFTLET_AVX512VNNI_INLINE vector_512 quad_weights(const int8_t *weights, intptr_t next) {
    return joined_512(
        _mm256_loadu_si256((const __m256i *)weights), _mm256_loadu_si256((const __m256i *)(weights + next)));
}

// One quad of the inputs of a tile.
SWIFTLET_AVX512VNNI_INLINE void dot_quad(
    vector_512 (*sums)[most_pixels], const uint8_t *x, const int8_t *w, intptr_t panelStride, intptr_t next,
    const int pixels, const int vectors) {
    const vector_512 first = quad_weights(w, vectors > 1 ? panelStride : next);
    const vector_512 second = quad_weights(vectors > 1 ? w + 2 * panelStride : w, next);
    SWIFTLET_UNROLL
    for (int p = 0; p < pixels; p++) {
        const vector_512 v = spread_quad_512(x + 4 * p);
        sums[0][p] = dot_512(sums[0][p], v, first);
        if (vectors > 1) sums[1][p] = dot_512(sums[1][p], v, second);
    }
}

// One tile of `pixels` pixels by one or two registers of channels, constants where this is inlined; all panels but the last
// one of the last register are there, that one where `isWhole`. Few sums are taken twice, of every other quad: else each
// instruction would wait for the one before.
SWIFTLET_AVX512VNNI_INLINE void gemm_part(
    const swiftlet_gemm_u8s8_arguments *a, const uint8_t *x, int32_t firstPixel, int32_t panel, int isWhole,
    output_range_avx2 range, const int pixels, const int vectors) {
    const int isTwice = pixels * vectors <= 6;
    const intptr_t step = 4 * pixels;
    const intptr_t stride = a->panelStride, next = isWhole ? stride : 0;
    const int8_t *w = a->weights + panel * stride;
    const int8_t *const end = w + stride;
    vector_512 sums[2][most_pixels], others[2][most_pixels];
    SWIFTLET_UNROLL
    for (int n = 0; n < vectors; n++) {
        SWIFTLET_UNROLL
        for (int p = 0; p < pixels; p++) sums[n][p] = others[n][p] = zero_512();
    }
    if (isTwice) {
        for (; end - w >= 64; w += 64, x += 2 * step) {
            dot_quad(sums, x, w, stride, next, pixels, vectors);
            dot_quad(others, x + step, w + 32, stride, next, pixels, vectors);
        }
        if (w < end) dot_quad(sums, x, w, stride, next, pixels, vectors);
    } else {
        for (; w < end; w += 32, x += step) dot_quad(sums, x, w, stride, next, pixels, vectors);
    }
    SWIFTLET_UNROLL
    for (int n = 0; n < vectors; n++) {
        SWIFTLET_UNROLL
        for (int p = 0; isTwice && p < pixels; p++) sums[n][p] = add_512(sums[n][p], others[n][p]);
        const __m256i *halves = (const __m256i *)sums[n];
        finish_panel(a, halves, 2, firstPixel, panel + 2 * n, pixels, range);
        if (n + 1 < vectors || isWhole) finish_panel(a, halves + 1, 2, firstPixel, panel + 2 * n + 1, pixels, range);
    }
}

SWIFTLET_AVX512VNNI void swiftlet_gemm_u8s8_12x32__avx512vnni(const swiftlet_gemm_u8s8_arguments *a) {
    const output_range_avx2 range = output_range(a->zeroPoint, a->lowest, a->highest);
    const int32_t panels = (a->channels + 7) / 8;
    // As many panels as stay in the nearest cache while the tiles pass by.
    int32_t group = (int32_t)((16 << 10) / a->panelStride) & ~3;
    if (group < 4) group = 4;
    for (int32_t firstPanel = 0; firstPanel < panels; firstPanel += group) {
        const int32_t endPanel = panels - firstPanel < group ? panels : firstPanel + group;
        for (int32_t tile = 0; tile < a->tiles; tile++) {
            const int32_t first = swiftlet_tile_start(a->pixels, a->tiles, tile);
            const int32_t pixels = swiftlet_tile_start(a->pixels, a->tiles, tile + 1) - first;
            const uint8_t *x = a->activations + tile * a->tileStride;
            for (int32_t panel = firstPanel; panel < endPanel; panel += 4) {
                const int32_t left = endPanel - panel;
                switch (left > 2 ? pixels : -pixels) {
#define TILE(count)                                                                       \
    case count: gemm_part(a, x, first, panel, left != 3, range, count, 2); break;         \
    case -count: gemm_part(a, x, first, panel, left != 1, range, count, 1); break;
                    TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6) TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12)
#undef TILE
                default: break;
                }
            }
        }
    }
}
#endif
