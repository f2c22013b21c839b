#if defined(__x86_64__)
#include "vnni.h"

enum { most_pixels = 12 };

SWIFTLET_AVXVNNI_INLINE __m256i quad_weights(const int8_t *weights) {
    return _mm256_loadu_si256((const __m256i *)weights);
}

// One quad of inputs: `step` bytes after the one before.
SWIFTLET_AVXVNNI_INLINE void dot_quad(
    __m256i (*sums)[most_pixels], const uint8_t *x, const int8_t *w, intptr_t panelStride, const int pixels,
    const int panels) {
    const __m256i first = quad_weights(w), second = quad_weights(panels > 1 ? w + panelStride : w);
    SWIFTLET_UNROLL
    for (int p = 0; p < pixels; p++) {
        const __m256i v = spread_quad(x + 4 * p);
        sums[0][p] = dot_256(sums[0][p], v, first);
        if (panels > 1) sums[1][p] = dot_256(sums[1][p], v, second);
    }
}

// `pixels` pixels, step / 4 of which are in the tile, by one or two panels: constants where this is inlined. Few sums are
// taken twice, of every other quad: else each instruction would wait for the one before.
SWIFTLET_AVXVNNI_INLINE void gemm_part(
    const swiftlet_gemm_u8s8_arguments *a, const uint8_t *x, intptr_t step, int32_t firstPixel, int32_t panel,
    output_range_avx2 range, const int pixels, const int panels) {
    const int isTwice = pixels * panels <= 6;
    const intptr_t stride = a->panelStride;
    const int8_t *w = a->weights + panel * stride;
    const int8_t *const end = w + stride;
    __m256i sums[2][most_pixels], others[2][most_pixels];
    SWIFTLET_UNROLL
    for (int n = 0; n < panels; n++) {
        SWIFTLET_UNROLL
        for (int p = 0; p < pixels; p++) {
            sums[n][p] = others[n][p] = _mm256_setzero_si256();
        }
    }
    if (isTwice) {
        for (; end - w >= 64; w += 64, x += 2 * step) {
            dot_quad(sums, x, w, stride, pixels, panels);
            dot_quad(others, x + step, w + 32, stride, pixels, panels);
        }
        if (w < end) dot_quad(sums, x, w, stride, pixels, panels);
    } else {
        for (; w < end; w += 32, x += step) dot_quad(sums, x, w, stride, pixels, panels);
    }
    SWIFTLET_UNROLL
    for (int n = 0; n < panels; n++) {
        SWIFTLET_UNROLL
        for (int p = 0; isTwice && p < pixels; p++) sums[n][p] = _mm256_add_epi32(sums[n][p], others[n][p]);
        finish_panel(a, sums[n], 1, firstPixel, panel + n, pixels, range);
    }
}

// Two panels: at most 6 pixels at a time, twelve sums. `pixels` are at `x` in a tile of `step` / 4.
SWIFTLET_AVXVNNI static void gemm_two_panels(
    const swiftlet_gemm_u8s8_arguments *a, const uint8_t *x, intptr_t step, int32_t firstPixel, int32_t panel,
    output_range_avx2 range, int32_t pixels) {
    switch (pixels) {
#define PART(count) \
    case count: gemm_part(a, x, step, firstPixel, panel, range, count, 2); break;
        PART(1) PART(2) PART(3) PART(4) PART(5) PART(6)
#undef PART
    default: break;
    }
}

SWIFTLET_AVXVNNI static void gemm_one_panel(
    const swiftlet_gemm_u8s8_arguments *a, const uint8_t *x, int32_t firstPixel, int32_t panel, output_range_avx2 range,
    int32_t pixels) {
    switch (pixels) {
#define PART(count) \
    case count: gemm_part(a, x, 4 * count, firstPixel, panel, range, count, 1); break;
        PART(1) PART(2) PART(3) PART(4) PART(5) PART(6) PART(7) PART(8) PART(9) PART(10) PART(11) PART(12)
#undef PART
    default: break;
    }
}

SWIFTLET_AVXVNNI void swiftlet_gemm_u8s8_12x16__avxvnni(const swiftlet_gemm_u8s8_arguments *a) {
    const output_range_avx2 range = output_range(a->zeroPoint, a->lowest, a->highest);
    const int32_t panels = (a->channels + 7) / 8;
    // As many panels as stay in the nearest cache while the tiles pass by.
    int32_t group = (int32_t)((16 << 10) / a->panelStride) & ~1;
    if (group < 2) group = 2;
    for (int32_t firstPanel = 0; firstPanel < panels; firstPanel += group) {
        const int32_t endPanel = panels - firstPanel < group ? panels : firstPanel + group;
        for (int32_t tile = 0; tile < a->tiles; tile++) {
            const int32_t first = swiftlet_tile_start(a->pixels, a->tiles, tile);
            const int32_t pixels = swiftlet_tile_start(a->pixels, a->tiles, tile + 1) - first;
            const int32_t head = pixels > 6 ? (pixels + 1) / 2 : pixels;
            const uint8_t *x = a->activations + tile * a->tileStride;
            int32_t panel = firstPanel;
            for (; panel + 2 <= endPanel; panel += 2) {
                gemm_two_panels(a, x, 4 * pixels, first, panel, range, head);
                gemm_two_panels(a, x + 4 * head, 4 * pixels, first + head, panel, range, pixels - head);
            }
            if (panel < endPanel) gemm_one_panel(a, x, first, panel, range, pixels);
        }
    }
}
#endif
