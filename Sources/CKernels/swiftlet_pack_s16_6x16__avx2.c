#if defined(__x86_64__)
#include "pack_avx2.h"

// Two pixels by four quads: pairs of pixels of a quad lie side by side.
SWIFTLET_AVX2_INLINE void pack_2(const int8_t *first, const int8_t *second, int16_t *output, intptr_t step, int quads) {
    const __m256i a = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)first));
    const __m256i b = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)second));
    const __m256i even = _mm256_unpacklo_epi64(a, b), odd = _mm256_unpackhi_epi64(a, b);
    _mm_storeu_si128((__m128i *)output, _mm256_castsi256_si128(even));
    if (quads > 1) _mm_storeu_si128((__m128i *)(output + step), _mm256_castsi256_si128(odd));
    if (quads > 2) _mm_storeu_si128((__m128i *)(output + 2 * step), _mm256_extracti128_si256(even, 1));
    if (quads > 3) _mm_storeu_si128((__m128i *)(output + 3 * step), _mm256_extracti128_si256(odd, 1));
}

SWIFTLET_AVX2_INLINE void pack_1(const int8_t *row, int16_t *output, intptr_t step, int quads) {
    const __m256i a = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)row));
    const __m128i low = _mm256_castsi256_si128(a), high = _mm256_extracti128_si256(a, 1);
    _mm_storel_epi64((__m128i *)output, low);
    if (quads > 1) _mm_storeh_pd((double *)(output + step), _mm_castsi128_pd(low));
    if (quads > 2) _mm_storel_epi64((__m128i *)(output + 2 * step), high);
    if (quads > 3) _mm_storeh_pd((double *)(output + 3 * step), _mm_castsi128_pd(high));
}

#define PACK_PIXELS(pack, ...)                                                              \
    do {                                                                                    \
        intptr_t q = 0;                                                                     \
        for (; q + 4 <= quads; q += 4) pack(__VA_ARGS__, output + q * step, step, 4);       \
        switch (quads - q) {                                                                \
        case 1: pack(__VA_ARGS__, output + q * step, step, 1); break;                       \
        case 2: pack(__VA_ARGS__, output + q * step, step, 2); break;                       \
        case 3: pack(__VA_ARGS__, output + q * step, step, 3); break;                       \
        default: break;                                                                     \
        }                                                                                   \
    } while (0)

SWIFTLET_AVX2 static void pack_tap(const int8_t *const *rows, int32_t pixels, intptr_t quads, void *start) {
    const intptr_t step = 4 * (intptr_t)pixels;
    int16_t *output = start;
    int32_t p = 0;
    for (; p + 2 <= pixels; p += 2, output += 8) PACK_PIXELS(pack_2, rows[p] + 4 * q, rows[p + 1] + 4 * q);
    if (p < pixels) PACK_PIXELS(pack_1, rows[p] + 4 * q);
}

SWIFTLET_AVX2 void swiftlet_pack_s16_6x16__avx2(const swiftlet_pack_u8_arguments *a) { pack_tiles(a, 2, pack_tap); }
#endif
