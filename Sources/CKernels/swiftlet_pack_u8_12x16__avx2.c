#if defined(__x86_64__)
#include "avx2.h"

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

// Eight pixels by four quads: 128-bit halves hold pixels 0-3 and 4-7, each half a 4 x 4 transpose of quads.
SWIFTLET_AVX2_INLINE void pack_8(const int8_t *const rows[8], intptr_t offset, uint8_t *output, intptr_t step, int quads) {
    __m256i r[4];
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) {
        const __m128i low = _mm_loadu_si128((const __m128i *)(rows[i] + offset));
        const __m128i high = _mm_loadu_si128((const __m128i *)(rows[i + 4] + offset));
        r[i] = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
    }
    const __m256i a = _mm256_unpacklo_epi32(r[0], r[1]), b = _mm256_unpackhi_epi32(r[0], r[1]);
    const __m256i c = _mm256_unpacklo_epi32(r[2], r[3]), d = _mm256_unpackhi_epi32(r[2], r[3]);
    const __m256i packed[4] = {
        _mm256_unpacklo_epi64(a, c), _mm256_unpackhi_epi64(a, c), _mm256_unpacklo_epi64(b, d),
        _mm256_unpackhi_epi64(b, d),
    };
    const __m256i flip = _mm256_set1_epi8((char)0x80);
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) {
        if (i < quads) _mm256_storeu_si256((__m256i *)(output + i * step), _mm256_xor_si256(packed[i], flip));
    }
}

SWIFTLET_AVX2_INLINE void pack_4(const int8_t *const rows[8], intptr_t offset, uint8_t *output, intptr_t step, int quads) {
    __m128i r[4];
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) r[i] = _mm_loadu_si128((const __m128i *)(rows[i] + offset));
    const __m128i a = _mm_unpacklo_epi32(r[0], r[1]), b = _mm_unpackhi_epi32(r[0], r[1]);
    const __m128i c = _mm_unpacklo_epi32(r[2], r[3]), d = _mm_unpackhi_epi32(r[2], r[3]);
    const __m128i packed[4] = {
        _mm_unpacklo_epi64(a, c), _mm_unpackhi_epi64(a, c), _mm_unpacklo_epi64(b, d), _mm_unpackhi_epi64(b, d),
    };
    const __m128i flip = _mm_set1_epi8((char)0x80);
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) {
        if (i < quads) _mm_storeu_si128((__m128i *)(output + i * step), _mm_xor_si128(packed[i], flip));
    }
}

#define PACK_TAP(pack)                                                          \
    do {                                                                        \
        intptr_t q = 0;                                                         \
        for (; q + 4 <= quads; q += 4) pack(rows, 4 * q, output + q * step, step, 4); \
        switch (quads - q) {                                                    \
        case 1: pack(rows, 4 * q, output + q * step, step, 1); break;           \
        case 2: pack(rows, 4 * q, output + q * step, step, 2); break;           \
        case 3: pack(rows, 4 * q, output + q * step, step, 3); break;           \
        default: break;                                                         \
        }                                                                       \
    } while (0)

// One tap of 1 to 8 pixels of a tile. Writes whole groups of 4 or 8 pixels: what lies behind the last pixel is written
// again by what comes later.
SWIFTLET_AVX2_INLINE void pack_some(
    const int8_t *const *given, int32_t pixels, intptr_t quads, uint8_t *output, intptr_t step) {
    const int8_t *rows[8];
    for (int i = 0; i < 8; i++) rows[i] = given[i < pixels ? i : pixels - 1];
    if (pixels > 4) {
        PACK_TAP(pack_8);
    } else {
        PACK_TAP(pack_4);
    }
}

// One tap of the pixels of a tile: 16 readable bytes per four quads at each row.
SWIFTLET_AVX2 static void pack_tap(const int8_t *const *rows, int32_t pixels, intptr_t quads, uint8_t *output) {
    const intptr_t step = 4 * (intptr_t)pixels;
    // The last pixels first, see pack_some.
    if (pixels > 8) pack_some(rows + 8, pixels - 8, quads, output + 32, step);
    pack_some(rows, pixels < 8 ? pixels : 8, quads, output, step);
}

SWIFTLET_AVX2_INLINE void pack_tiles(const swiftlet_pack_u8_arguments *a) {
    const swiftlet_image_s8 *image = &a->image;
    const intptr_t quads = a->quads;
    const int isPointwise =
        a->taps == 1 && a->flatInputs == 0 && image->strideY == 1 && image->strideX == 1 && image->padTop == 0 && image->padLeft == 0
        && image->outputHeight == image->height && image->outputWidth == image->width;
    for (int32_t tile = 0; tile < a->tiles; tile++) {
        const int32_t first = swiftlet_tile_start(a->pixels, a->tiles, tile);
        const int32_t pixels = swiftlet_tile_start(a->pixels, a->tiles, tile + 1) - first;
        const intptr_t tapBytes = 4 * quads * pixels;
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

// Sums of the packed inputs of a tile, times `factor`.
SWIFTLET_AVX2_INLINE void sum_tile(
    const swiftlet_pack_u8_arguments *a, const uint8_t *packed, int32_t pixels, int32_t *pixelBias) {
    const intptr_t step = 4 * (intptr_t)pixels;
    const int32_t valid = a->inputs - 4 * (a->quads - 1);
    const __m256i all = _mm256_set1_epi8(1), last = _mm256_set1_epi32((int32_t)(0x01010101u >> (8 * (4 - valid))));
    const __m256i one = _mm256_set1_epi16(1);
    const uint32_t excess = 128u * (uint32_t)a->taps * (uint32_t)a->inputs;
    for (int32_t p = 0; p < pixels; p += 8) {
        __m256i sum = _mm256_setzero_si256();
        const uint8_t *quad = packed + 4 * p;
        for (int32_t tap = 0; tap < a->taps; tap++) {
            for (int32_t q = 0; q < a->quads; q++, quad += step) {
                const __m256i v = _mm256_loadu_si256((const __m256i *)quad);
                const __m256i pairs = _mm256_maddubs_epi16(v, q + 1 < a->quads ? all : last);
                sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, one));
            }
        }
        uint32_t sums[8];
        _mm256_storeu_si256((__m256i *)sums, sum);
        for (int32_t i = 0; i < 8 && p + i < pixels; i++) {
            pixelBias[p + i] = (int32_t)((sums[i] - excess) * (uint32_t)a->factor);
        }
    }
}

SWIFTLET_AVX2 void swiftlet_pack_u8_12x16__avx2(const swiftlet_pack_u8_arguments *a) {
    pack_tiles(a);
    for (int32_t tile = 0; tile < a->tiles && a->factor != 0; tile++) {
        const int32_t first = swiftlet_tile_start(a->pixels, a->tiles, tile);
        const int32_t pixels = swiftlet_tile_start(a->pixels, a->tiles, tile + 1) - first;
        sum_tile(a, a->output + tile * a->tileStride, pixels, a->pixelBias + first);
    }
}
#endif
