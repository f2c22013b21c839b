#if defined(__aarch64__)
#include "pack_s8_neon.h"

// Interleaves eight inputs of four pixels at a time.
SWIFTLET_PACK_ROWS(interleave_eights, int64x2x4_t, int64_t, vld1q_s64, vst4q_s64)

// In the order of swiftlet_gemmpacked_s8_8x8__i8mm.c.
void swiftlet_pack_s8_8x8__i8mm(const swiftlet_pack_s8_arguments *a) { pack_tiles(a, interleave_eights); }
#endif
