#if defined(__aarch64__) || defined(__ARM_NEON)
#include "gemm_s8_neon.h"

void swiftlet_gemmany_s8_2x8__neon(const swiftlet_gemm_s8_arguments *a) { gemm_s8_neon(a, 2, 1); }
#endif
