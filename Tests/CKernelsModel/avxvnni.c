#define SWIFTLET_MODEL
#define swiftlet_gemm_u8s8_12x16__avxvnni swiftlet_model_avxvnni
#include "../../Sources/CKernels/swiftlet_gemm_u8s8_12x16__avxvnni.c"
