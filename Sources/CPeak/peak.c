#include "CPeak.h"
#include "CKernels.h"

// Each step runs a group on every one of a dozen accumulators, so that latency hides behind the others; the instructions
// are written out, so that no compiler joins or drops them.

#define TWELVE(group) group(0) group(1) group(2) group(3) group(4) group(5) group(6) group(7) group(8) group(9) group(10) group(11)
#define EIGHT(group) group(0) group(1) group(2) group(3) group(4) group(5) group(6) group(7)

#if defined(__x86_64__)
#include <immintrin.h>

#define LOOP(name, isa, vector, group)                                                   \
    __attribute__((target(isa))) static void run_##name(int64_t steps) {                \
        vector sums[12] = {{0}}, a = {0}, b = {0};                                      \
        for (int64_t i = 0; i < steps; i++) { group }                                   \
        for (int i = 0; i < 12; i++) __asm__ volatile("" ::"x"(sums[i]));               \
    }

#define MADDUBS(i)                                                                                                   \
    __asm__ volatile("vpmaddubsw %2, %1, %%ymm14\n\tvpmaddwd %1, %%ymm14, %%ymm14\n\tvpaddd %%ymm14, %0, %0"         \
                     : "+x"(sums[i]) : "x"(a), "x"(b) : "ymm14");
#define JOINT(i)                                                                                                     \
    __asm__ volatile("vpmaddubsw %2, %1, %%ymm14\n\tvpmaddubsw %1, %2, %%ymm15\n\tvpaddw %%ymm15, %%ymm14, %%ymm14"  \
                     "\n\tvpmaddwd %1, %%ymm14, %%ymm14\n\tvpaddd %%ymm14, %0, %0"                                   \
                     : "+x"(sums[i]) : "x"(a), "x"(b) : "ymm14", "ymm15");
#define MADDWD(i) \
    __asm__ volatile("vpmaddwd %2, %1, %%ymm14\n\tvpaddd %%ymm14, %0, %0" : "+x"(sums[i]) : "x"(a), "x"(b) : "ymm14");
#define FMA(i) __asm__ volatile("vfmadd231ps %2, %1, %0" : "+x"(sums[i]) : "x"(a), "x"(b));
#define MULADD(i) \
    __asm__ volatile("vmulps %2, %1, %%ymm14\n\tvaddps %%ymm14, %0, %0" : "+x"(sums[i]) : "x"(a), "x"(b) : "ymm14");
#define DPBUSD(i) __asm__ volatile("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sums[i]) : "x"(a), "x"(b));
#define DPBUSD512(i) __asm__ volatile("vpdpbusd %2, %1, %0" : "+v"(sums[i]) : "v"(a), "v"(b));

LOOP(maddubs, "avx2", __m256i, TWELVE(MADDUBS))
LOOP(joint, "avx2", __m256i, TWELVE(JOINT))
LOOP(maddwd, "avx2", __m256i, TWELVE(MADDWD))
LOOP(fma, "avx2,fma", __m256, TWELVE(FMA))
LOOP(muladd, "avx2", __m256, TWELVE(MULADD))
LOOP(vnni256, "avx2,avxvnni", __m256i, TWELVE(DPBUSD))
LOOP(vnni512, "avx512f,avx512vnni", __m512i, TWELVE(DPBUSD512))

static const swiftlet_peak_sequence sequences[] = {
    {"maddubs", "vpmaddubsw + vpmaddwd + vpaddd", SWIFTLET_CPU_AVX2, 12 * 32, run_maddubs},
    {"joint", "2 vpmaddubsw + vpaddw + vpmaddwd + vpaddd", SWIFTLET_CPU_AVX2, 12 * 64, run_joint},
    {"maddwd", "vpmaddwd + vpaddd", SWIFTLET_CPU_AVX2, 12 * 16, run_maddwd},
    {"vnni256", "vpdpbusd, 256 bits", SWIFTLET_CPU_AVX2 | SWIFTLET_CPU_AVXVNNI, 12 * 32, run_vnni256},
    {"vnni512", "vpdpbusd, 512 bits", SWIFTLET_CPU_AVX512VNNI, 12 * 64, run_vnni512},
    {"muladd", "vmulps + vaddps", SWIFTLET_CPU_AVX2, 12 * 8, run_muladd},
    {"fma", "vfmadd231ps", SWIFTLET_CPU_AVX2, 12 * 8, run_fma},
};

#elif defined(__aarch64__)
#include <arm_neon.h>

#define LOOP(name, vector, group)                                                                          \
    static void run_##name(int64_t steps) {                                                                \
        vector sums[8] = {{0}}, a = {0}, b = {0};                                                          \
        for (int64_t i = 0; i < steps; i++) { EIGHT(group) }                                               \
        for (int i = 0; i < 8; i++) __asm__ volatile("" ::"w"(sums[i]));                                   \
    }

#define SMULL(i)                                                                                           \
    __asm__ volatile("smull v30.8h, %1.8b, %2.8b\n\tsmlal2 v30.8h, %1.16b, %2.16b\n\tsadalp %0.4s, v30.8h" \
                     : "+w"(sums[i]) : "w"(a), "w"(b) : "v30");
#define SMLAL16(i) __asm__ volatile("smlal %0.4s, %1.4h, %2.4h" : "+w"(sums[i]) : "w"(a), "w"(b));
#define FMULADD(i) \
    __asm__ volatile("fmul v30.4s, %1.4s, %2.4s\n\tfadd %0.4s, %0.4s, v30.4s" : "+w"(sums[i]) : "w"(a), "w"(b) : "v30");
#define FMLA(i) __asm__ volatile("fmla %0.4s, %1.4s, %2.4s" : "+w"(sums[i]) : "w"(a), "w"(b));
#define SDOT(i) \
    __asm__ volatile(".arch_extension dotprod\n\tsdot %0.4s, %1.16b, %2.16b" : "+w"(sums[i]) : "w"(a), "w"(b));
#define SMMLA(i) \
    __asm__ volatile(".arch_extension i8mm\n\tsmmla %0.4s, %1.16b, %2.16b" : "+w"(sums[i]) : "w"(a), "w"(b));

LOOP(smull, int8x16_t, SMULL)
LOOP(smlal, int16x8_t, SMLAL16)
LOOP(fmuladd, float32x4_t, FMULADD)
LOOP(fmla, float32x4_t, FMLA)
LOOP(sdot, int8x16_t, SDOT)
LOOP(smmla, int8x16_t, SMMLA)

static const swiftlet_peak_sequence sequences[] = {
    {"smull", "smull + smlal2 + sadalp", SWIFTLET_CPU_NEON, 8 * 16, run_smull},
    {"smlal", "smlal, 16 bits", SWIFTLET_CPU_NEON, 8 * 4, run_smlal},
    {"sdot", "sdot", SWIFTLET_CPU_DOTPROD, 8 * 16, run_sdot},
    {"smmla", "smmla", SWIFTLET_CPU_I8MM, 8 * 32, run_smmla},
    {"muladd", "fmul + fadd", SWIFTLET_CPU_NEON, 8 * 4, run_fmuladd},
    {"fma", "fmla", SWIFTLET_CPU_NEON, 8 * 4, run_fmla},
};

#else
static const swiftlet_peak_sequence sequences[1];
#endif

int32_t swiftlet_peak_count(void) {
#if defined(__x86_64__) || defined(__aarch64__)
    return (int32_t)(sizeof sequences / sizeof *sequences);
#else
    return 0;
#endif
}

const swiftlet_peak_sequence *swiftlet_peak_at(int32_t index) { return &sequences[index]; }
