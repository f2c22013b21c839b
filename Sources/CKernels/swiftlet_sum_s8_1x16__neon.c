#if defined(__aarch64__) || defined(__ARM_NEON)
#include "neon.h"

void swiftlet_sum_s8_1x16__neon(const swiftlet_sum_s8_arguments *a) {
    // Sums of so many values fit 16 bits.
    enum { most = 256 };
    for (int32_t c = 0; c < a->channels; c += 16) {
        int32x4_t sums[4];
#pragma clang loop unroll(full)
        for (int i = 0; i < 4; i++) sums[i] = vdupq_n_s32(0);
        for (intptr_t y = 0; y < a->rows; y++) {
            const int8_t *values = a->input + y * a->rowStride + c;
            intptr_t left = a->columns;
            while (left > 0) {
                int16x8_t low = vdupq_n_s16(0), high = vdupq_n_s16(0);
                const intptr_t count = left < most ? left : most;
                for (intptr_t x = 0; x < count; x++, values += a->columnStride) {
                    const int8x16_t value = vld1q_s8(values);
                    low = vaddw_s8(low, vget_low_s8(value));
                    high = vaddw_s8(high, vget_high_s8(value));
                }
                sums[0] = vaddw_s16(sums[0], vget_low_s16(low));
                sums[1] = vaddw_s16(sums[1], vget_high_s16(low));
                sums[2] = vaddw_s16(sums[2], vget_low_s16(high));
                sums[3] = vaddw_s16(sums[3], vget_high_s16(high));
                left -= count;
            }
        }
        const int32_t channels = a->channels - c;
        int32_t tail[16];
        int32_t *target = channels >= 16 ? a->sums + c : tail;
#pragma clang loop unroll(full)
        for (int i = 0; i < 4; i++) vst1q_s32(target + 4 * i, sums[i]);
        if (channels < 16) memcpy(a->sums + c, tail, (size_t)channels * sizeof(int32_t));
    }
}
#endif
