#if defined(__aarch64__) || defined(__ARM_NEON)
#include "depthwise_s8_neon.h"

void swiftlet_depthwise_s8_2x16__neon(const swiftlet_depthwise_s8_arguments *a) { depthwise_s8_neon(a, 2, 0); }
#endif
