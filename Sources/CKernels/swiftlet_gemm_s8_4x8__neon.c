#if defined(__aarch64__)
#include "gemm_s8_neon.h"

void swiftlet_gemm_s8_4x8__neon(const swiftlet_gemm_s8_arguments *a) { gemm_s8_neon(a, 4, 0); }
#endif
