#if defined(__x86_64__)
#include "gemm_s16s8_avx2.h"

SWIFTLET_AVX2 void swiftlet_gemm_s16s8_6x8__avx2(const swiftlet_gemm_s8_arguments *a) { gemm_s16s8_avx2(a, 6); }
#endif
