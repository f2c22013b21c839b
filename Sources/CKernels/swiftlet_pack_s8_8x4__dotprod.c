#if defined(__aarch64__)
#include "pack_s8_neon.h"

// Transposes four quads of four pixels at a time.
SWIFTLET_INLINE void transpose_half(
    const int8_t *x0, const int8_t *x1, const int8_t *x2, const int8_t *x3, int8_t *output, int32_t quads) {
    const int8_t *x[4] = {x0, x1, x2, x3};
    for (; quads >= 4; quads -= 4) {
        int32x4x4_t v;
        SWIFTLET_UNROLL for (int p = 0; p < 4; p++) {
            v.val[p] = vld1q_s32((const int32_t *)x[p]);
            x[p] += 16;
            SWIFTLET_STEPPED(x[p]);
        }
        vst4q_s32((int32_t *)output, v);
        output += 128;
        SWIFTLET_STEPPED(output);
    }
    for (; quads > 0; quads--, output += 16) {
        int32x4_t v = vld1q_dup_s32((const int32_t *)x[0]);
        v = vld1q_lane_s32((const int32_t *)x[1], v, 1);
        v = vld1q_lane_s32((const int32_t *)x[2], v, 2);
        v = vld1q_lane_s32((const int32_t *)x[3], v, 3);
        SWIFTLET_UNROLL for (int p = 0; p < 4; p++) x[p] += 4;
        vst1q_s32((int32_t *)output, v);
    }
}

// In the order of swiftlet_gemmpacked_s8_8x8__dotprod.c.
void swiftlet_pack_s8_8x4__dotprod(const swiftlet_pack_s8_arguments *a) { pack_tiles(a, transpose_half); }
#endif
