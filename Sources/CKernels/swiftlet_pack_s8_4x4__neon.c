#if defined(__aarch64__)
#include "pack_s8_neon.h"

// One row a pixel: its taps one after the other.
void swiftlet_pack_s8_4x4__neon(const swiftlet_pack_s8_arguments *a) { join_pixels(a, 4); }
#endif
