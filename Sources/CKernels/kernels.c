#include "CKernels.h"

#if defined(__x86_64__)
#define SWIFTLET_HAS_X86 1
#else
#define SWIFTLET_HAS_X86 0
#endif
#if defined(__aarch64__)
#define SWIFTLET_HAS_ARM64 1
#else
#define SWIFTLET_HAS_ARM64 0
#endif
#if defined(__aarch64__) || defined(__ARM_NEON)
#define SWIFTLET_HAS_ARM 1
#else
#define SWIFTLET_HAS_ARM 0
#endif

#define SWIFTLET_JOIN_(a, b) a##b
#define SWIFTLET_JOIN(a, b) SWIFTLET_JOIN_(a, b)

// Declarations of the C kernels.
#define SWIFTLET_DECLARE_SWIFT(family, symbol)
#define SWIFTLET_DECLARE_X86(family, symbol) SWIFTLET_PROTOTYPE(family, symbol)
#define SWIFTLET_DECLARE_ARM(family, symbol) SWIFTLET_PROTOTYPE(family, symbol)
#define SWIFTLET_DECLARE_ARM64(family, symbol) SWIFTLET_PROTOTYPE(family, symbol)
#define swiftlet_gemmpacked_s8_arguments swiftlet_gemm_tiles_arguments
#define swiftlet_gemmchain_s8_arguments swiftlet_gemm_tiles_arguments
#define swiftlet_gemmany_s8_arguments swiftlet_gemm_s8_arguments
#define swiftlet_depthwiseany_s8_arguments swiftlet_depthwise_s8_arguments
#define swiftlet_sparse_u8s8_arguments swiftlet_sparse_s8_arguments
#define swiftlet_depthwise3x3_s8_arguments swiftlet_depthwise_rows_s8_arguments
#define swiftlet_depthwise5x5_s8_arguments swiftlet_depthwise_rows_s8_arguments
#define SWIFTLET_PROTOTYPE(family, symbol) void symbol(const swiftlet_##family##_arguments *);
#define SWIFTLET_KERNEL(architectures, isa, family, pixels, channels, symbol) \
    SWIFTLET_DECLARE_##architectures(family, symbol)
#include "kernels.def"
#undef SWIFTLET_KERNEL

// The table.
#define SWIFTLET_FUNCTION_0(family, symbol) {.family = 0}
#define SWIFTLET_FUNCTION_1(family, symbol) {.family = symbol}
#define SWIFTLET_ENTRY_SWIFT(family, symbol) {.family = 0}
#define SWIFTLET_ENTRY_X86(family, symbol) SWIFTLET_JOIN(SWIFTLET_FUNCTION_, SWIFTLET_HAS_X86)(family, symbol)
#define SWIFTLET_ENTRY_ARM(family, symbol) SWIFTLET_JOIN(SWIFTLET_FUNCTION_, SWIFTLET_HAS_ARM)(family, symbol)
#define SWIFTLET_ENTRY_ARM64(family, symbol) SWIFTLET_JOIN(SWIFTLET_FUNCTION_, SWIFTLET_HAS_ARM64)(family, symbol)
#define SWIFTLET_HAS_SWIFT 1
#define SWIFTLET_KERNEL(architectures_, isa_, family_, pixels_, channels_, symbol) \
    {                                                                              \
        .name = #symbol,                                                           \
        .function = SWIFTLET_ENTRY_##architectures_(family_, symbol),              \
        .isa = SWIFTLET_ISA_##isa_,                                                \
        .family = SWIFTLET_FAMILY_##family_,                                       \
        .pixels = pixels_,                                                         \
        .channels = channels_,                                                     \
        .architectures = SWIFTLET_ARCHITECTURES_##architectures_,                  \
        .isCompiled = SWIFTLET_HAS_##architectures_,                               \
    },
static const swiftlet_kernel kernels[] = {
#include "kernels.def"
};
#undef SWIFTLET_KERNEL

enum { kernel_count = sizeof(kernels) / sizeof(kernels[0]) };

static uint8_t executed[kernel_count];

int32_t swiftlet_kernel_count(void) { return kernel_count; }

const swiftlet_kernel *swiftlet_kernel_at(int32_t index) { return &kernels[index]; }

void swiftlet_kernel_mark_executed(int32_t index) {
    if (!__atomic_load_n(&executed[index], __ATOMIC_RELAXED)) {
        __atomic_store_n(&executed[index], 1, __ATOMIC_RELAXED);
    }
}

uint8_t swiftlet_kernel_was_executed(int32_t index) { return __atomic_load_n(&executed[index], __ATOMIC_RELAXED); }
