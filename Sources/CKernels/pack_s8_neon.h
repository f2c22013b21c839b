// What the packing kernels of aarch64 share.
#pragma once
#include "gemm_tiles_neon.h"

// Copies the taps of each pixel of a tile one after the other: pixel p at output + p * 4 * taps * quads. Writes up to 12
// bytes past the last one.
SWIFTLET_INLINE void join_taps(const swiftlet_pack_s8_arguments *a, int8_t *output, const int tile) {
    if (!a->rows && a->quads == 1 && a->step <= 4) {
        // Four quads of three or fewer inputs, `step` bytes apart, spread over a register.
        int8_t indices[16];
        for (int i = 0; i < 16; i++) indices[i] = (int8_t)(i / 4 * a->step + i % 4);
        const uint8x16_t spread = vreinterpretq_u8_s8(vld1q_s8(indices));
        for (int p = 0; p < tile; p++) {
            const int8_t *base = a->bases[p];
            for (int32_t tap = 0; tap < a->taps; tap += a->run) {
                const int8_t *row = base + a->offsets[tap];
                int8_t *next = output;
                for (int32_t left = a->run; left > 0; left -= 4) {
                    vst1q_s8(next, vqtbl1q_s8(vld1q_s8(row), spread));
                    row += 4 * a->step;
                    next += 16;
                }
                output += 4 * a->run;
            }
        }
        return;
    }
    for (int p = 0; p < tile; p++) {
        for (int32_t tap = 0; tap < a->taps; tap++) {
            const int8_t *row = a->rows ? a->rows[tap * tile + p] : a->bases[p] + a->offsets[tap];
            int32_t quads = a->quads;
            for (; quads >= 4; quads -= 4, row += 16, output += 16) vst1q_s8(output, vld1q_s8(row));
            for (; quads > 0; quads--, row += 4, output += 4) memcpy(output, row, 4);
        }
    }
}

// Packs `quads` quads of four pixels' rows at `output`: half of a tile.
typedef void (*pack_half)(const int8_t *x0, const int8_t *x1, const int8_t *x2, const int8_t *x3, int8_t *output, int32_t quads);

SWIFTLET_INLINE void pack_tiles(const swiftlet_pack_s8_arguments *a, pack_half packHalf) {
    enum { tile = 8, halfBytes = 64, quadBytes = 32 };
    if (!a->bases && !a->rows) {
        const int8_t *next = a->input;
        int8_t *output = a->output;
        const intptr_t tileBytes = (intptr_t)((a->quads + 3) / 4) * (4 * quadBytes);
        for (int32_t left = a->pixels; left > 0; left -= tile, output += tileBytes) {
            const int8_t *x[tile];
            SWIFTLET_UNROLL for (int p = 0; p < tile; p++) {
                x[p] = next;
                if (p + 1 < left) next += a->inputPixelStride;
            }
            packHalf(x[0], x[1], x[2], x[3], output, a->quads);
            packHalf(x[4], x[5], x[6], x[7], output + halfBytes, a->quads);
        }
        return;
    }
    if (a->taps > 1 && a->quads % 4) {
        join_taps(a, a->joined, tile);
        const int32_t quads = a->taps * a->quads;
        const intptr_t step = (intptr_t)4 * quads;
        const int8_t *x = a->joined;
        packHalf(x, x + step, x + 2 * step, x + 3 * step, a->output, quads);
        x += 4 * step;
        packHalf(x, x + step, x + 2 * step, x + 3 * step, a->output + halfBytes, quads);
        return;
    }
    for (int half = 0; half < 2; half++) {
        int8_t *output = a->output + half * halfBytes;
        if (a->rows) {
            const int8_t *const *rows = a->rows + 4 * half;
            for (int32_t tap = a->taps; tap > 0; tap--, rows += tile, output += quadBytes * a->quads) {
                packHalf(rows[0], rows[1], rows[2], rows[3], output, a->quads);
            }
        } else {
            const int8_t *const *bases = a->bases + 4 * half;
            const int8_t *x0 = bases[0], *x1 = bases[1], *x2 = bases[2], *x3 = bases[3];
            for (int32_t tap = 0; tap < a->taps; tap++, output += quadBytes * a->quads) {
                const intptr_t offset = a->offsets[tap];
                packHalf(x0 + offset, x1 + offset, x2 + offset, x3 + offset, output, a->quads);
            }
        }
    }
}
