#if defined(__aarch64__)
#include "gemm_s8_dotprod.h"

SWIFTLET_DOTPROD void swiftlet_gemm_s8_8x8__dotprod(const swiftlet_gemm_s8_arguments *a) { gemm_s8_dotprod(a, 8); }
#endif
