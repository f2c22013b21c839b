#if defined(__aarch64__) || defined(__ARM_NEON)
#include "neon.h"

void swiftlet_maximum_s8_1x16__neon(const swiftlet_maximum_s8_arguments *a) {
    for (int32_t c = 0; c < a->channels; c += 16) {
        int8x16_t maximum = vdupq_n_s8(-128);
        for (intptr_t y = 0; y < a->rows; y++) {
            const int8_t *values = a->input + y * a->rowStride + c;
            for (intptr_t x = 0; x < a->columns; x++, values += a->columnStride) {
                maximum = vmaxq_s8(maximum, vld1q_s8(values));
            }
        }
        store_channels(a->output + c, maximum, a->channels - c);
    }
}
#endif
