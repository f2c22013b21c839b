#if defined(__aarch64__) || defined(__ARM_NEON)
#include "neon.h"

// The maximum of `blocks` times sixteen channels from `channel` on; rows and columns are those of the window.
SWIFTLET_INLINE void maximum(
    const swiftlet_maximum_s8_arguments *a, int32_t channel, const int blocks, const int32_t rows,
    const int32_t columns) {
    int8x16_t maxima[4];
#pragma clang loop unroll(full)
    for (int i = 0; i < blocks; i++) maxima[i] = vdupq_n_s8(-128);
    const int8_t *row = a->input + channel;
    for (int32_t y = 0; y < rows; y++, row += a->rowStride) {
        const int8_t *values = row;
        for (int32_t x = 0; x < columns; x++, values += a->columnStride) {
#pragma clang loop unroll(full)
            for (int i = 0; i < blocks; i++) maxima[i] = vmaxq_s8(maxima[i], vld1q_s8(values + 16 * i));
        }
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < blocks; i++) {
        store_channels(a->output + channel + 16 * i, maxima[i], a->channels - channel - 16 * i);
    }
}

SWIFTLET_INLINE void maximum_of_all(
    const swiftlet_maximum_s8_arguments *a, const int32_t rows, const int32_t columns) {
    int32_t channel = 0;
    for (; channel + 64 <= a->channels; channel += 64) maximum(a, channel, 4, rows, columns);
    for (; channel < a->channels; channel += 16) maximum(a, channel, 1, rows, columns);
}

void swiftlet_maximum_s8_1x16__neon(const swiftlet_maximum_s8_arguments *a) {
    // Loops over the usual windows unroll.
    if (a->rows == 3 && a->columns == 3) {
        maximum_of_all(a, 3, 3);
    } else if (a->rows == 2 && a->columns == 2) {
        maximum_of_all(a, 2, 2);
    } else {
        maximum_of_all(a, a->rows, a->columns);
    }
}
#endif
