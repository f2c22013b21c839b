#if defined(__aarch64__)
#include "neon.h"

// Four TBL of 64 entries each; an index outside a register group gives zero (TBL) or leaves the lane alone (TBX).
void swiftlet_table_s8_1x16__neon(const swiftlet_table_s8_arguments *a) {
    const uint8_t *table = (const uint8_t *)a->table;
    const uint8x16x4_t t0 = vld1q_u8_x4(table), t1 = vld1q_u8_x4(table + 64);
    const uint8x16x4_t t2 = vld1q_u8_x4(table + 128), t3 = vld1q_u8_x4(table + 192);
    const uint8x16_t top = vdupq_n_u8(128), group = vdupq_n_u8(64);
    for (intptr_t row = 0; row < a->rows; row++) {
        const int8_t *input = a->input + row * a->inputStride;
        int8_t *output = a->output + row * a->outputStride;
        for (intptr_t left = a->count; left > 0; left -= 16, input += 16, output += 16) {
            uint8x16_t index = veorq_u8(vld1q_u8((const uint8_t *)input), top);
            uint8x16_t value = vqtbl4q_u8(t0, index);
            index = vsubq_u8(index, group);
            value = vqtbx4q_u8(value, t1, index);
            index = vsubq_u8(index, group);
            value = vqtbx4q_u8(value, t2, index);
            index = vsubq_u8(index, group);
            value = vqtbx4q_u8(value, t3, index);
            if (left < 16) {
                uint8_t tail[16];
                vst1q_u8(tail, value);
                memcpy(output, tail, (size_t)left);
            } else {
                vst1q_u8((uint8_t *)output, value);
            }
        }
    }
}
#endif
