#if defined(__x86_64__)
#include "avx2.h"

// Eight pixels by four quads: 128-bit halves hold pixels 0-3 and 4-7, each half a 4 x 4 transpose of quads.
SWIFTLET_AVX2_INLINE void pack_8(const int8_t *const rows[8], intptr_t offset, uint8_t *output, intptr_t step, int quads) {
    __m256i r[4];
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) {
        const __m128i low = _mm_loadu_si128((const __m128i *)(rows[i] + offset));
        const __m128i high = _mm_loadu_si128((const __m128i *)(rows[i + 4] + offset));
        r[i] = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
    }
    const __m256i a = _mm256_unpacklo_epi32(r[0], r[1]), b = _mm256_unpackhi_epi32(r[0], r[1]);
    const __m256i c = _mm256_unpacklo_epi32(r[2], r[3]), d = _mm256_unpackhi_epi32(r[2], r[3]);
    const __m256i packed[4] = {
        _mm256_unpacklo_epi64(a, c), _mm256_unpackhi_epi64(a, c), _mm256_unpacklo_epi64(b, d),
        _mm256_unpackhi_epi64(b, d),
    };
    const __m256i flip = _mm256_set1_epi8((char)0x80);
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) {
        if (i < quads) _mm256_storeu_si256((__m256i *)(output + i * step), _mm256_xor_si256(packed[i], flip));
    }
}

SWIFTLET_AVX2_INLINE void pack_4(const int8_t *const rows[8], intptr_t offset, uint8_t *output, intptr_t step, int quads) {
    __m128i r[4];
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) r[i] = _mm_loadu_si128((const __m128i *)(rows[i] + offset));
    const __m128i a = _mm_unpacklo_epi32(r[0], r[1]), b = _mm_unpackhi_epi32(r[0], r[1]);
    const __m128i c = _mm_unpacklo_epi32(r[2], r[3]), d = _mm_unpackhi_epi32(r[2], r[3]);
    const __m128i packed[4] = {
        _mm_unpacklo_epi64(a, c), _mm_unpackhi_epi64(a, c), _mm_unpacklo_epi64(b, d), _mm_unpackhi_epi64(b, d),
    };
    const __m128i flip = _mm_set1_epi8((char)0x80);
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) {
        if (i < quads) _mm_storeu_si128((__m128i *)(output + i * step), _mm_xor_si128(packed[i], flip));
    }
}

#define PACK_TAP(pack)                                                          \
    do {                                                                        \
        intptr_t q = 0;                                                         \
        for (; q + 4 <= quads; q += 4) pack(rows, 4 * q, output + q * step, step, 4); \
        switch (quads - q) {                                                    \
        case 1: pack(rows, 4 * q, output + q * step, step, 1); break;           \
        case 2: pack(rows, 4 * q, output + q * step, step, 2); break;           \
        case 3: pack(rows, 4 * q, output + q * step, step, 3); break;           \
        default: break;                                                         \
        }                                                                       \
    } while (0)

// One tap of 1 to 8 pixels of a tile. Writes whole groups of 4 or 8 pixels: what lies behind the last pixel is written
// again by what comes later.
SWIFTLET_AVX2_INLINE void pack_tap(
    const int8_t *const *given, int32_t pixels, intptr_t quads, uint8_t *output, intptr_t step) {
    const int8_t *rows[8];
    for (int i = 0; i < 8; i++) rows[i] = given[i < pixels ? i : pixels - 1];
    if (pixels > 4) {
        PACK_TAP(pack_8);
    } else {
        PACK_TAP(pack_4);
    }
}

SWIFTLET_AVX2 void swiftlet_pack_u8_12x16__avx2(const swiftlet_pack_u8_arguments *a) {
    const intptr_t quads = a->quads;
    for (int32_t tile = 0; tile < a->tiles; tile++) {
        const int32_t first = swiftlet_tile_start(a->pixels, a->tiles, tile);
        const int32_t pixels = swiftlet_tile_start(a->pixels, a->tiles, tile + 1) - first;
        const intptr_t step = 4 * (intptr_t)pixels;
        for (int32_t tap = 0; tap < a->taps; tap++) {
            const int8_t *rows[12];
            for (int32_t p = 0; p < pixels; p++) {
                rows[p] = a->rows ? a->rows[tap * a->pixels + first + p] : a->input + (first + p) * a->inputPixelStride;
            }
            uint8_t *output = a->output + tile * a->tileStride + tap * quads * step;
            // The last pixels first, see pack_tap.
            if (pixels > 8) pack_tap(rows + 8, pixels - 8, quads, output + 32, step);
            pack_tap(rows, pixels < 8 ? pixels : 8, quads, output, step);
        }
    }
}
#endif
