// What the AVX2 kernels that pack inputs for a matrix product share. Included only by them, on x86-64.
#pragma once
#include "avx2.h"

// Packs one tap of the pixels of a tile: 16 readable bytes per four quads at each row.
typedef void pack_tap_function(const int8_t *const *rows, int32_t pixels, intptr_t quads, void *output);

// Most pixels of a tile.
enum { packed_tile = 12 };

// Where the first tap of each pixel of a tile lies, in pixels of the input.
typedef struct {
    int32_t y[packed_tile];
    int32_t x[packed_tile];
} tile_origin;

static inline tile_origin origin_of(const swiftlet_image_s8 *image, int32_t first, int32_t pixels) {
    tile_origin origin;
    int32_t oy = first / image->outputWidth, ox = first % image->outputWidth;
    for (int32_t p = 0; p < pixels; p++) {
        origin.y[p] = oy * image->strideY - image->padTop;
        origin.x[p] = ox * image->strideX - image->padLeft;
        if (++ox == image->outputWidth) {
            ox = 0;
            oy++;
        }
    }
    return origin;
}

// The taps of one pixel one after the other, `inputs` bytes each. Writes up to 31 bytes more.
SWIFTLET_AVX2_INLINE void gather_pixel(const swiftlet_image_s8 *image, int32_t inputs, int32_t y0, int32_t x0, int8_t *row) {
    const int32_t reachX = (image->kernelWidth - 1) * image->dilationX;
    const int32_t reachY = (image->kernelHeight - 1) * image->dilationY;
    const int32_t rowBytes = image->kernelWidth * inputs;
    const intptr_t rowStride = image->width * image->pixelStride;
    const int8_t *source = image->input + (y0 * rowStride + x0 * image->pixelStride);
    if (image->dilationX == 1 && image->pixelStride == inputs && x0 >= 0 && x0 + reachX < image->width && y0 >= 0
        && y0 + reachY < image->height) {
        for (int32_t ky = 0; ky < image->kernelHeight; ky++, row += rowBytes, source += image->dilationY * rowStride) {
            _mm_storeu_si128((__m128i *)row, _mm_loadu_si128((const __m128i *)source));
            for (int32_t i = 16; i < rowBytes; i += 32) {
                _mm256_storeu_si256((__m256i *)(row + i), _mm256_loadu_si256((const __m256i *)(source + i)));
            }
        }
        return;
    }
    for (int32_t ky = 0; ky < image->kernelHeight; ky++) {
        const int isInside = (uint32_t)(y0 + ky * image->dilationY) < (uint32_t)image->height;
        for (int32_t kx = 0; kx < image->kernelWidth; kx++, row += inputs) {
            const int isTap = isInside && (uint32_t)(x0 + kx * image->dilationX) < (uint32_t)image->width;
            const int8_t *tap = source + ky * image->dilationY * rowStride + kx * image->dilationX * image->pixelStride;
            // Four bytes: those too many are written again by the next tap.
            memcpy(row, isTap ? tap : image->padding, 4);
        }
    }
}

// All tiles of `a`, packed inputs of `inputBytes`.
SWIFTLET_AVX2_INLINE void pack_tiles(
    const swiftlet_pack_u8_arguments *a, const int inputBytes, pack_tap_function *pack_tap) {
    const swiftlet_image_s8 *image = &a->image;
    const intptr_t quads = a->quads;
    const int isPointwise =
        a->taps == 1 && a->flatInputs == 0 && image->strideY == 1 && image->strideX == 1 && image->padTop == 0 && image->padLeft == 0
        && image->outputHeight == image->height && image->outputWidth == image->width;
    for (int32_t tile = 0; tile < a->tiles; tile++) {
        const int32_t first = swiftlet_tile_start(a->pixels, a->tiles, tile);
        const int32_t pixels = swiftlet_tile_start(a->pixels, a->tiles, tile + 1) - first;
        const intptr_t tapBytes = 4 * quads * inputBytes * pixels;
        uint8_t *output = a->output + tile * a->tileStride;
        tile_origin origin;
        if (!a->rows && !isPointwise) origin = origin_of(image, a->firstPixel + first, pixels);
        const int8_t *rows[packed_tile];
        if (a->flatInputs > 0) {
            int8_t flat[packed_tile][SWIFTLET_LARGEST_FLAT_ROW + 32];
            for (int32_t p = 0; p < pixels; p++) {
                gather_pixel(image, a->flatInputs, origin.y[p], origin.x[p], flat[p]);
                rows[p] = flat[p];
            }
            pack_tap(rows, pixels, quads, output);
            continue;
        }
        for (int32_t tap = 0; tap < a->taps; tap++, output += tapBytes) {
            if (a->rows) {
                for (int32_t p = 0; p < pixels; p++) rows[p] = a->rows[tap * a->pixels + first + p];
            } else if (isPointwise) {
                const int8_t *row = image->input + (a->firstPixel + first) * image->pixelStride;
                for (int32_t p = 0; p < pixels; p++, row += image->pixelStride) rows[p] = row;
            } else {
                const int32_t dy = tap / image->kernelWidth * image->dilationY;
                const int32_t dx = tap % image->kernelWidth * image->dilationX;
                for (int32_t p = 0; p < pixels; p++) {
                    const int32_t y = origin.y[p] + dy, x = origin.x[p] + dx;
                    const int isTap = (uint32_t)y < (uint32_t)image->height && (uint32_t)x < (uint32_t)image->width;
                    const int8_t *row = image->input + ((intptr_t)y * image->width + x) * image->pixelStride;
                    rows[p] = isTap ? row : image->padding;
                }
            }
            pack_tap(rows, pixels, quads, output);
        }
    }
}
