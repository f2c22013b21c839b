#if defined(__aarch64__)
#include "depthwise_rows_dotprod.h"

SWIFTLET_DOTPROD void swiftlet_depthwise3x3_s8_2x8__dotprod(const swiftlet_depthwise_rows_s8_arguments *a) {
    depthwise_any_stride(a, 3);
}
#endif
