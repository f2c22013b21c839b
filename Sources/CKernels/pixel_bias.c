// Sums over the rows of a tile, for weights stored minus a constant. Integer sums in any order are equal, so this needs
// nothing beyond what every CPU of an architecture has, and is no entry of the list of kernels.
#include <string.h>

#include "CKernels.h"

#if defined(__x86_64__)
#include <emmintrin.h>

// PSADBW sums bytes without sign: each value is taken as value + 128, the excess leaves at the end.
static int32_t row_sum(const int8_t *row, intptr_t count) {
    const __m128i zero = _mm_setzero_si128(), flip = _mm_set1_epi8((char)0x80);
    __m128i sum = zero;
    intptr_t i = 0;
    for (; i + 16 <= count; i += 16) {
        const __m128i values = _mm_loadu_si128((const __m128i *)(row + i));
        sum = _mm_add_epi64(sum, _mm_sad_epu8(_mm_xor_si128(values, flip), zero));
    }
    for (; i < count; i += 8) {
        // Where fewer than 8 are left, the shift drops what was read ahead.
        const int32_t excess = count - i < 8 ? 8 * (int32_t)(8 - (count - i)) : 0;
        const __m128i values = _mm_xor_si128(_mm_loadl_epi64((const __m128i *)(row + i)), flip);
        const __m128i kept = _mm_sll_epi64(_mm_move_epi64(values), _mm_cvtsi32_si128(excess));
        sum = _mm_add_epi64(sum, _mm_sad_epu8(kept, zero));
    }
    sum = _mm_add_epi64(sum, _mm_unpackhi_epi64(sum, sum));
    return (int32_t)(uint32_t)((uint64_t)_mm_cvtsi128_si64(sum) - 128 * (uint64_t)count);
}
#elif defined(__aarch64__) || defined(__ARM_NEON)
#include <arm_neon.h>

static int32_t row_sum(const int8_t *row, intptr_t count) {
    int32x4_t sum = vdupq_n_s32(0);
    intptr_t i = 0;
    for (; i + 16 <= count; i += 16) sum = vpadalq_s16(sum, vpaddlq_s8(vld1q_s8(row + i)));
    for (; i < count; i += 8) {
        // Where fewer than 8 are left, the shift drops what was read ahead.
        const int64_t excess = count - i < 8 ? 8 * (8 - (count - i)) : 0;
        const int8x8_t kept = vreinterpret_s8_s64(vshl_s64(vreinterpret_s64_s8(vld1_s8(row + i)), vdup_n_s64(excess)));
        sum = vaddw_s16(sum, vpaddl_s8(kept));
    }
    const int32x2_t half = vadd_s32(vget_low_s32(sum), vget_high_s32(sum));
    return vget_lane_s32(vpadd_s32(half, half), 0);
}
#else
static int32_t row_sum(const int8_t *row, intptr_t count) {
    uint32_t sum = 0;
    for (intptr_t i = 0; i < count; i++) sum += (uint32_t)(int32_t)row[i];
    return (int32_t)sum;
}
#endif

void swiftlet_pixel_bias_s8(
    const void *const *rows, int32_t tile, int32_t taps, int32_t inputs, int32_t pixels, int32_t factor,
    int32_t *pixelBias) {
    for (int32_t p = 0; p < pixels; p++) {
        uint32_t sum = 0;
        for (int32_t tap = 0; tap < taps; tap++) sum += (uint32_t)row_sum(rows[tap * tile + p], inputs);
        pixelBias[p] = (int32_t)(sum * (uint32_t)factor);
    }
    for (int32_t p = pixels; p < tile; p++) pixelBias[p] = 0;
}
