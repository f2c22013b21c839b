#if defined(__aarch64__) || defined(__ARM_NEON)
#include "neon.h"

// 16 * `registers` channels; at most as many bytes are stored as there are.
SWIFTLET_INLINE void maximum_channels(
    const swiftlet_maximum_s8_arguments *a, const int8_t *input, int8_t *output, const int registers, int32_t channels) {
    int8x16_t maximum[4];
    for (int i = 0; i < registers; i++) maximum[i] = vdupq_n_s8(-128);
    const intptr_t columnStride = a->columnStride, rowStride = a->rowStride;
    for (int32_t y = a->rows; y > 0; y--, input += rowStride) {
        const int8_t *values = input;
        for (int32_t x = a->columns; x > 0; x--, values += columnStride) {
            for (int i = 0; i < registers; i++) maximum[i] = vmaxq_s8(maximum[i], vld1q_s8(values + 16 * i));
        }
    }
    for (int i = 0; i < registers; i++) store_channels(output + 16 * i, maximum[i], channels - 16 * i);
}

void swiftlet_maximum_s8_1x16__neon(const swiftlet_maximum_s8_arguments *a) {
    int32_t c = 0;
    for (; c + 64 <= a->channels; c += 64) maximum_channels(a, a->input + c, a->output + c, 4, 64);
    for (; c < a->channels; c += 16) maximum_channels(a, a->input + c, a->output + c, 1, a->channels - c);
}
#endif
