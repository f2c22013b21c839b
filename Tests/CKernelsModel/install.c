#include "CKernelsModel.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "CKernels.h"

#if defined(__x86_64__)
void swiftlet_model_avxvnni(const swiftlet_gemm_u8s8_arguments *);
void swiftlet_model_avx512vnni(const swiftlet_gemm_u8s8_arguments *);

// The list is constant in the programs; here its memory is made writable.
static void replace(const swiftlet_kernel *kernel, void (*model)(const swiftlet_gemm_u8s8_arguments *)) {
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t start = (uintptr_t)kernel / page * page, end = (uintptr_t)(kernel + 1);
    if (mprotect((void *)start, end - start, PROT_READ | PROT_WRITE) != 0) abort();
    ((swiftlet_kernel *)(uintptr_t)kernel)->function.gemm_u8s8 = model;
}

uint32_t swiftlet_install_kernel_models(void) {
    const uint32_t features = swiftlet_cpu_features();
    if (!(features & SWIFTLET_CPU_AVX2)) return features;
    for (int32_t i = 0; i < swiftlet_kernel_count(); i++) {
        const swiftlet_kernel *kernel = swiftlet_kernel_at(i);
        if (kernel->isa == SWIFTLET_ISA_AVXVNNI && !(features & SWIFTLET_CPU_AVXVNNI)) {
            replace(kernel, swiftlet_model_avxvnni);
        }
        if (kernel->isa == SWIFTLET_ISA_AVX512VNNI && !(features & SWIFTLET_CPU_AVX512VNNI)) {
            replace(kernel, swiftlet_model_avx512vnni);
        }
    }
    return features | SWIFTLET_CPU_AVXVNNI | SWIFTLET_CPU_AVX512VNNI;
}
#else
uint32_t swiftlet_install_kernel_models(void) { return swiftlet_cpu_features(); }
#endif
