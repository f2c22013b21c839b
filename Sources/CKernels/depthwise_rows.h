// What the kernels of whole rows of a depthwise convolution share on all instruction sets. Included only by them.
#pragma once
#include "CKernels.h"

#ifndef SWIFTLET_UNROLL
#define SWIFTLET_UNROLL _Pragma("clang loop unroll(full)")
#endif

// Input rows `dilationY` apart, each at column 0, and the bytes from column to column: 0 where a row is padding.
typedef struct {
    const int8_t *start[6];
    intptr_t step[6];
} input_rows;

// The first `size` rows under an output row.
static inline __attribute__((always_inline)) input_rows rows_under(
    const swiftlet_depthwise_rows_s8_arguments *a, int32_t outputRow, int32_t channel, const int size) {
    input_rows rows;
    SWIFTLET_UNROLL
    for (int r = 0; r < size; r++) {
        const intptr_t y = (intptr_t)outputRow * a->strideY - a->padTop + (intptr_t)r * a->dilationY;
        const int isInside = y >= 0 && y < a->inputHeight;
        rows.start[r] = isInside ? a->input + y * a->inputRowStride + channel : a->padding;
        rows.step[r] = isInside ? a->inputPixelStride : 0;
    }
    return rows;
}
