#if defined(__aarch64__)
#include "pack_s8_neon.h"

// Transposes four quads of four pixels at a time.
SWIFTLET_PACK_ROWS(transpose_quads, int32x4x4_t, int32_t, vld1q_s32, vst4q_s32)

// In the order of swiftlet_gemmpacked_s8_8x8__dotprod.c.
void swiftlet_pack_s8_8x4__dotprod(const swiftlet_pack_s8_arguments *a) { pack_tiles(a, transpose_quads); }
#endif
