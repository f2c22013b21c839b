// What the packing kernels of aarch64 share.
#pragma once
#include "gemm_tiles_neon.h"

// Copies `bytes`, at least one, rounded up to a multiple of 32.
SWIFTLET_INLINE void copy_row(int8_t *output, const int8_t *input, intptr_t bytes) {
    do {
        const int8x16_t low = vld1q_s8(input), high = vld1q_s8(input + 16);
        vst1q_s8(output, low);
        vst1q_s8(output + 16, high);
        input += 32;
        output += 32;
        bytes -= 32;
    } while (bytes > 0);
}

// Fills `bytes` rounded up to a multiple of 16.
SWIFTLET_INLINE void fill_row(int8_t *output, int8x16_t value, intptr_t bytes) {
    for (; bytes > 0; bytes -= 16, output += 16) vst1q_s8(output, value);
}

// Bytes from one tap of a joined row to the next.
SWIFTLET_INLINE intptr_t tap_bytes(const swiftlet_pack_s8_arguments *a) {
    return a->flatInputs ? a->flatInputs : 4 * (intptr_t)a->quads;
}

// Quads of a joined row.
SWIFTLET_INLINE int32_t joined_quads(const swiftlet_pack_s8_arguments *a) {
    return a->flatInputs ? (a->taps * a->flatInputs + 3) / 4 : a->taps * a->quads;
}

// One tap after the other of the pixel whose first tap is (y0, x0). From left to right: what a copy writes past its
// end, the next one replaces.
SWIFTLET_INLINE void join_pixel(
    const swiftlet_image_s8 image, const intptr_t tapBytes, int8_t *output, int32_t y0, int32_t x0) {
    const int32_t taps = image.kernelWidth;
    const intptr_t rowBytes = taps * tapBytes, rowStride = image.width * image.pixelStride;
    const int32_t lastX = image.width - taps, lastY = image.height - (image.kernelHeight - 1) * image.dilationY - 1;
    const int isRun = taps == 1 || (image.dilationX == 1 && image.pixelStride == tapBytes);
    const int8_t *input = image.input + (y0 * rowStride + x0 * image.pixelStride);
    if (isRun && ((lastY - y0) | (lastX - x0) | y0 | x0) >= 0) {
        const intptr_t step = image.dilationY * rowStride;
        if (rowBytes <= 32) {
            for (int32_t ky = image.kernelHeight; ky > 0; ky--, output += rowBytes, input += step) {
                copy_row(output, input, 1);
            }
            return;
        }
        for (int32_t ky = image.kernelHeight; ky > 0; ky--, output += rowBytes, input += step) {
            copy_row(output, input, rowBytes);
        }
        return;
    }
    const int8x16_t padding = vdupq_n_s8(image.padding[0]);
    for (int32_t ky = 0; ky < image.kernelHeight; ky++, output += rowBytes) {
        const int32_t y = y0 + ky * image.dilationY;
        if (y < 0 || y >= image.height) {
            fill_row(output, padding, rowBytes);
            continue;
        }
        const int8_t *row = image.input + y * rowStride;
        for (int32_t kx = 0; kx < taps; kx++) {
            const int32_t x = x0 + kx * image.dilationX;
            if (x < 0 || x >= image.width) {
                fill_row(output + kx * tapBytes, padding, tapBytes);
            } else {
                copy_row(output + kx * tapBytes, row + x * image.pixelStride, tapBytes);
            }
        }
    }
}

// The same from a table of rows of a tile.
SWIFTLET_INLINE void join_rows(const swiftlet_pack_s8_arguments *a, int8_t *output, int p, const int tile) {
    const intptr_t tapBytes = tap_bytes(a);
    for (int32_t tap = 0; tap < a->taps; tap++, output += tapBytes) copy_row(output, a->rows[tap * tile + p], tapBytes);
}

// The output pixels of an image in order: coordinates of one, and of its first tap.
typedef struct {
    int32_t ox;
    int32_t y0;
    int32_t x0;
} pack_position;

SWIFTLET_INLINE pack_position first_position(const swiftlet_pack_s8_arguments *a) {
    const swiftlet_image_s8 *image = &a->image;
    const int32_t oy = a->firstPixel / image->outputWidth;
    const int32_t ox = a->firstPixel - oy * image->outputWidth;
    return (pack_position){ox, oy * image->strideY - image->padTop, ox * image->strideX - image->padLeft};
}

SWIFTLET_INLINE void step_position(const swiftlet_image_s8 *image, pack_position *position) {
    position->x0 += image->strideX;
    if (++position->ox == image->outputWidth) {
        position->ox = 0;
        position->x0 = -image->padLeft;
        position->y0 += image->strideY;
    }
}

// Packs `quads` quads of four pixels' rows at `output`, four quads at a time 128 bytes apart. Reads and writes whole
// fours.
typedef void (*pack_rows)(const int8_t *const *rows, int8_t *output, int32_t quads);

// Four pixels whose first taps are `position`s, straight from the image: taps hold whole fours of quads.
SWIFTLET_INLINE void pack_taps(
    const swiftlet_image_s8 image, int32_t tapQuads, const pack_position *position, int8_t *output, pack_rows pack) {
    enum { quadBytes = 32 };
    const intptr_t rowStride = image.width * image.pixelStride;
    const int32_t lastX = image.width - (image.kernelWidth - 1) * image.dilationX;
    const int32_t lastY = image.height - (image.kernelHeight - 1) * image.dilationY;
    const int8_t *first[4];
    int isInside = lastX > 0 && lastY > 0;
    SWIFTLET_UNROLL for (int p = 0; p < 4; p++) {
        const int32_t y = position[p].y0, x = position[p].x0;
        first[p] = image.input + (y * rowStride + x * image.pixelStride);
        isInside &= (uint32_t)y < (uint32_t)lastY & (uint32_t)x < (uint32_t)lastX;
    }
    const intptr_t rowStep = image.dilationY * rowStride;
    if (isInside && image.dilationX == 1 && image.pixelStride == 4 * (intptr_t)tapQuads) {
        const int32_t quads = image.kernelWidth * tapQuads;
        for (int32_t ky = image.kernelHeight; ky > 0; ky--, output += (intptr_t)quadBytes * quads) {
            pack(first, output, quads);
            SWIFTLET_UNROLL for (int p = 0; p < 4; p++) first[p] += rowStep;
        }
        return;
    }
    const intptr_t columnStep = image.dilationX * image.pixelStride;
    for (int32_t ky = 0; ky < image.kernelHeight; ky++) {
        // Columns that count as inside: none of a row outside.
        uint32_t width[4], x[4];
        const int8_t *inside[4];
        SWIFTLET_UNROLL for (int p = 0; p < 4; p++) {
            const int32_t y = position[p].y0 + ky * image.dilationY;
            width[p] = (uint32_t)y < (uint32_t)image.height ? (uint32_t)image.width : 0;
            __asm__("" : "+r"(width[p]));
            x[p] = (uint32_t)position[p].x0;
            inside[p] = first[p];
            first[p] += rowStep;
        }
        for (int32_t kx = image.kernelWidth; kx > 0; kx--, output += (intptr_t)quadBytes * tapQuads) {
            const int8_t *rows[4];
            SWIFTLET_UNROLL for (int p = 0; p < 4; p++) {
                rows[p] = x[p] < width[p] ? inside[p] : image.padding;
                x[p] += (uint32_t)image.dilationX;
                inside[p] += columnStep;
            }
            pack(rows, output, tapQuads);
        }
    }
}

// One tile, whose rows are given.
SWIFTLET_INLINE void pack_tile_rows(const swiftlet_pack_s8_arguments *a, pack_rows pack) {
    enum { tile = 8, halfBytes = 64, quadBytes = 32 };
    const intptr_t joinedBytes = 4 * (intptr_t)joined_quads(a);
    for (int half = 0; half < 2; half++) {
        int8_t *output = a->output + half * halfBytes;
        const int8_t *const *table = a->rows + 4 * half;
        if (a->flatInputs || (a->taps > 1 && a->quads % 4)) {
            const int8_t *rows[4];
            for (int p = 0; p < 4; p++) {
                rows[p] = a->joined + p * joinedBytes;
                join_rows(a, a->joined + p * joinedBytes, 4 * half + p, tile);
            }
            pack(rows, output, joined_quads(a));
            continue;
        }
        for (int32_t tap = a->taps; tap > 0; tap--, table += tile, output += (intptr_t)quadBytes * a->quads) {
            pack(table, output, a->quads);
        }
    }
}

SWIFTLET_INLINE void pack_tiles(const swiftlet_pack_s8_arguments *a, pack_rows pack) {
    enum { halfBytes = 64, quadBytes = 32 };
    if (a->rows) {
        pack_tile_rows(a, pack);
        return;
    }
    const swiftlet_image_s8 image = a->image;
    const intptr_t tapBytes = tap_bytes(a);
    const int joins = a->flatInputs || (a->taps > 1 && a->quads % 4);
    const int32_t quads = joined_quads(a);
    const intptr_t tileBytes = (intptr_t)((quads + 3) / 4) * (4 * quadBytes);
    const int isPlain = a->taps == 1 && image.strideX == 1 && image.strideY == 1 && image.padTop == 0
        && image.padLeft == 0 && image.outputWidth == image.width && image.outputHeight == image.height;
    pack_position next = first_position(a);
    const int8_t *pixel = image.input + a->firstPixel * image.pixelStride;
    int8_t *output = a->output, *joined[4];
    SWIFTLET_UNROLL for (int p = 0; p < 4; p++) joined[p] = a->joined + 4 * p * (intptr_t)quads;
    intptr_t outputStep = halfBytes, nextStep = tileBytes - halfBytes;
    for (int32_t left = a->pixels; left > 0; left -= 4) {
        const int8_t *rows[4];
        if (isPlain) {
            SWIFTLET_UNROLL for (int p = 0; p < 4; p++) {
                rows[p] = pixel;
                if (p + 1 < left) pixel += image.pixelStride;
            }
            pack(rows, output, quads);
        } else {
            pack_position position[4];
            SWIFTLET_UNROLL for (int p = 0; p < 4; p++) {
                position[p] = next;
                if (p + 1 < left) step_position(&image, &next);
            }
            if (joins) {
                for (int p = 0; p < 4; p++) join_pixel(image, tapBytes, joined[p], position[p].y0, position[p].x0);
                pack((const int8_t *const *)joined, output, quads);
            } else {
                pack_taps(image, a->quads, position, output, pack);
            }
        }
        output += outputStep;
        const intptr_t other = outputStep;
        outputStep = nextStep;
        nextStep = other;
    }
}

// One row a pixel, its taps one after the other.
SWIFTLET_INLINE void join_pixels(const swiftlet_pack_s8_arguments *a, const int tile) {
    const intptr_t bytes = 4 * (intptr_t)joined_quads(a);
    int8_t *output = a->output;
    if (a->rows) {
        for (int p = 0; p < tile; p++, output += bytes) join_rows(a, output, p, tile);
        return;
    }
    const swiftlet_image_s8 image = a->image;
    const intptr_t tapBytes = tap_bytes(a);
    pack_position next = first_position(a);
    for (int32_t left = a->pixels; left > 0; left--, output += bytes) {
        join_pixel(image, tapBytes, output, next.y0, next.x0);
        step_position(&image, &next);
    }
}

// Defines a `pack_rows` that interleaves four pixels element by element.
#define SWIFTLET_PACK_ROWS(name, vectors, element, load, store)                                   \
    SWIFTLET_INLINE void name(const int8_t *const *rows, int8_t *output, int32_t quads) {                 \
        const int8_t *x[4] = {rows[0], rows[1], rows[2], rows[3]};                                        \
        intptr_t step = 128;                                                                              \
        SWIFTLET_STEPPED(step);                                                                           \
        for (; quads >= 16; quads -= 16) {                                                                \
            SWIFTLET_UNROLL for (int half = 0; half < 64; half += 32) {                                   \
                vectors v0, v1;                                                                           \
                SWIFTLET_UNROLL for (int p = 0; p < 4; p++) {                                             \
                    v0.val[p] = load((const element *)(x[p] + half));                                     \
                    v1.val[p] = load((const element *)(x[p] + half + 16));                                \
                }                                                                                         \
                store((element *)output, v0);                                                             \
                output += step;                                                                           \
                SWIFTLET_STEPPED(output);                                                                 \
                store((element *)output, v1);                                                             \
                output += step;                                                                           \
                SWIFTLET_STEPPED(output);                                                                 \
            }                                                                                             \
            SWIFTLET_UNROLL for (int p = 0; p < 4; p++) x[p] += 64;                                       \
        }                                                                                                 \
        for (; quads > 0; quads -= 4) {                                                                   \
            vectors v;                                                                                    \
            SWIFTLET_UNROLL for (int p = 0; p < 4; p++) {                                                 \
                v.val[p] = load((const element *)x[p]);                                                   \
                x[p] += 16;                                                                               \
            }                                                                                             \
            store((element *)output, v);                                                                  \
            output += step;                                                                               \
        }                                                                                                 \
    }
