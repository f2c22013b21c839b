#if defined(__aarch64__)
#include "depthwise_s8_neon.h"

void swiftlet_depthwise_s8_4x16__neon(const swiftlet_depthwise_s8_arguments *a) { depthwise_s8_neon(a, 4, 0); }
#endif
