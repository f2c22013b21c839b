#include "CKernels.h"

#if defined(__x86_64__)
#include <cpuid.h>

static uint64_t enabled_state(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static uint32_t detect(void) {
    uint32_t eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) return 0;
    const uint32_t osxsave = UINT32_C(1) << 27, avx = UINT32_C(1) << 28;
    if ((ecx & (osxsave | avx)) != (osxsave | avx)) return 0;
    const uint64_t ymm = 0x6, zmm = 0xe6;    // XCR0: SSE and AVX; plus opmask and the upper halves
    const uint64_t state = enabled_state();
    if ((state & ymm) != ymm) return 0;

    uint32_t features = 0;
    uint32_t subleaves = 0;
    if (!__get_cpuid_count(7, 0, &subleaves, &ebx, &ecx, &edx)) return 0;
    if (ebx & UINT32_C(1) << 5) features |= SWIFTLET_CPU_AVX2;
    const uint32_t avx512f = UINT32_C(1) << 16, avx512bw = UINT32_C(1) << 30, avx512vl = UINT32_C(1) << 31;
    const uint32_t wanted = avx512f | avx512bw | avx512vl;
    if ((state & zmm) == zmm && (ebx & wanted) == wanted && (ecx & UINT32_C(1) << 11)) {
        features |= SWIFTLET_CPU_AVX512VNNI;
    }
    if (subleaves >= 1 && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax & UINT32_C(1) << 4)) {
        features |= SWIFTLET_CPU_AVXVNNI;
    }
    return features;
}

uint32_t swiftlet_cpu_features(void) {
    // CPUID is slow on virtual machines: asked once. All threads find the same.
    static _Atomic uint32_t answer;
    const uint32_t isKnown = UINT32_C(1) << 31;
    if (answer == 0) answer = detect() | isKnown;
    return answer & ~isKnown;
}

#elif defined(__aarch64__)
#include <sys/auxv.h>

uint32_t swiftlet_cpu_features(void) {
    const unsigned long hwcap_asimd = 1UL << 1, hwcap_asimddp = 1UL << 20, hwcap2_i8mm = 1UL << 13;
    const unsigned long hwcap = getauxval(AT_HWCAP), hwcap2 = getauxval(AT_HWCAP2);
    uint32_t features = SWIFTLET_CPU_AARCH64;
    if (hwcap & hwcap_asimd) features |= SWIFTLET_CPU_NEON;
    if (hwcap & hwcap_asimddp) features |= SWIFTLET_CPU_DOTPROD;
    if (hwcap2 & hwcap2_i8mm) features |= SWIFTLET_CPU_I8MM;
    return features;
}

#elif defined(__arm__)
#include <sys/auxv.h>

uint32_t swiftlet_cpu_features(void) {
    const unsigned long hwcap_neon = 1UL << 12;
    return getauxval(AT_HWCAP) & hwcap_neon ? SWIFTLET_CPU_NEON : 0;
}

#elif defined(__riscv)
#include <sys/auxv.h>

uint32_t swiftlet_cpu_features(void) {
    const unsigned long hwcap_v = 1UL << ('V' - 'A');
    return getauxval(AT_HWCAP) & hwcap_v ? SWIFTLET_CPU_RVV : 0;
}

#else
uint32_t swiftlet_cpu_features(void) { return 0; }
#endif
