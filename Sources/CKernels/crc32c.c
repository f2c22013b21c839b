// CRC-32C by the CPU's own instruction: SSE4.2, or ARMv8's CRC32 extension.
#include <string.h>

#include "CKernels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <nmmintrin.h>
#define SWIFTLET_CRC32C __attribute__((target("sse4.2")))
#define CRC32C_8(crc, word) ((uint32_t)_mm_crc32_u64(crc, word))
#define CRC32C_1(crc, byte) _mm_crc32_u8(crc, byte)

static int is_available(void) {
    uint32_t eax, ebx, ecx, edx;
    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & UINT32_C(1) << 20);
}

#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#define SWIFTLET_CRC32C __attribute__((target("crc")))
#define CRC32C_8(crc, word) __crc32cd(crc, word)
#define CRC32C_1(crc, byte) __crc32cb(crc, byte)

static int is_available(void) {
    const unsigned long hwcap_crc32 = 1UL << 7;
    return (getauxval(AT_HWCAP) & hwcap_crc32) != 0;
}
#endif

#if defined(SWIFTLET_CRC32C)
int32_t swiftlet_crc32c_is_available(void) {
    // 0: not asked yet. CPUID is slow on virtual machines; all threads find the same.
    static _Atomic int32_t answer;
    if (answer == 0) answer = is_available() ? 1 : -1;
    return answer > 0;
}

// The product of two polynomials modulo CRC-32C's, bit 31 the coefficient of x^0.
static uint32_t product(uint32_t a, uint32_t b) {
    uint32_t sum = 0;
    for (; a; a <<= 1) {
        if (a >> 31) sum ^= b;
        b = b & 1 ? b >> 1 ^ 0x82F63B78 : b >> 1;
    }
    return sum;
}

SWIFTLET_CRC32C static inline uint32_t eight_bytes(uint32_t crc, const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, 8);
    return CRC32C_8(crc, word);
}

SWIFTLET_CRC32C uint32_t swiftlet_crc32c(uint32_t crc, const void *start, uint64_t count) {
    // The instruction takes three cycles but one can begin in each: three stretches at a time. A stretch of zeros behind
    // a state multiplies it by x^(8 * stretch); the sum of the three is that of all.
    enum { stretch = 4096 };
    const uint32_t past_one = 0x35D73A62, past_two = 0x28461564;    // x^32768 and x^65536
    const uint8_t *bytes = start;
    for (; count >= 3 * stretch; count -= 3 * stretch, bytes += 3 * stretch) {
        uint32_t second = 0, third = 0;
        for (int i = 0; i < stretch; i += 8) {
            crc = eight_bytes(crc, bytes + i);
            second = eight_bytes(second, bytes + stretch + i);
            third = eight_bytes(third, bytes + 2 * stretch + i);
        }
        crc = product(past_two, crc) ^ product(past_one, second) ^ third;
    }
    for (; count >= 8; count -= 8, bytes += 8) crc = eight_bytes(crc, bytes);
    for (; count > 0; count--) crc = CRC32C_1(crc, *bytes++);
    return crc;
}
#else
int32_t swiftlet_crc32c_is_available(void) { return 0; }
uint32_t swiftlet_crc32c(uint32_t crc, const void *start, uint64_t count) { __builtin_trap(); }
#endif
