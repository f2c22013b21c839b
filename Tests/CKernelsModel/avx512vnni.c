#define SWIFTLET_MODEL
#define swiftlet_gemm_u8s8_12x32__avx512vnni swiftlet_model_avx512vnni
#include "../../Sources/CKernels/swiftlet_gemm_u8s8_12x32__avx512vnni.c"
