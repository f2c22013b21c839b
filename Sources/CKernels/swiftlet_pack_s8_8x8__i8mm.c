#if defined(__aarch64__)
#include "pack_s8_neon.h"

// Interleaves eight inputs of two pixels at a time.
SWIFTLET_INLINE void interleave_half(
    const int8_t *x0, const int8_t *x1, const int8_t *x2, const int8_t *x3, int8_t *output, int32_t quads) {
    const int8_t *x[4] = {x0, x1, x2, x3};
    for (; quads >= 4; quads -= 4) {
        int64x2_t v[4];
        SWIFTLET_UNROLL for (int p = 0; p < 4; p++) {
            v[p] = vld1q_s64((const int64_t *)x[p]);
            x[p] += 16;
            SWIFTLET_STEPPED(x[p]);
        }
        const int64x2x2_t first = {{v[0], v[1]}}, second = {{v[2], v[3]}};
        vst2q_s64((int64_t *)output, first);
        output += 32;
        SWIFTLET_STEPPED(output);
        vst2q_s64((int64_t *)output, second);
        output += 96;
        SWIFTLET_STEPPED(output);
    }
    for (int32_t q = 0; q < quads; q++) {
        SWIFTLET_UNROLL for (int p = 0; p < 4; p++) {
            memcpy(output + (p / 2) * 32 + (q / 2) * 16 + (p % 2) * 8 + (q % 2) * 4, x[p] + 4 * q, 4);
        }
    }
}

// In the order of swiftlet_gemmpacked_s8_8x8__i8mm.c.
void swiftlet_pack_s8_8x8__i8mm(const swiftlet_pack_s8_arguments *a) { pack_tiles(a, interleave_half); }
#endif
