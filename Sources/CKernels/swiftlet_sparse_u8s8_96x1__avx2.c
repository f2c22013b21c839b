#if defined(__x86_64__)
#include "avx2.h"

// Pixels lie in the lanes: a tile is 1 to 12 vectors of 8 pixels. Packed inputs are
//   [tap][quad][vector][pixel 0..<8][input 0..<4], each value x as uint8 x + 128,
// and one block of four weights, broadcast, meets all vectors of its quad.
enum { lanes = 8, most_vectors = 12, channel_group = 16, row_bytes = lanes * most_vectors };

#define UNROLL _Pragma("clang loop unroll(full)")

// Four quads of eight pixels.
SWIFTLET_AVX2_INLINE void pack_quads(const int8_t *const rows[lanes], intptr_t offset, uint8_t *output, intptr_t step, intptr_t quads) {
    __m256i r[4];
    UNROLL
    for (int i = 0; i < 4; i++) {
        const __m128i low = _mm_loadu_si128((const __m128i *)(rows[i] + offset));
        const __m128i high = _mm_loadu_si128((const __m128i *)(rows[i + 4] + offset));
        r[i] = _mm256_xor_si256(
            _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1), _mm256_set1_epi8((char)0x80));
    }
    const __m256i a = _mm256_unpacklo_epi32(r[0], r[1]), b = _mm256_unpackhi_epi32(r[0], r[1]);
    const __m256i c = _mm256_unpacklo_epi32(r[2], r[3]), d = _mm256_unpackhi_epi32(r[2], r[3]);
    _mm256_storeu_si256((__m256i *)output, _mm256_unpacklo_epi64(a, c));
    if (quads > 1) _mm256_storeu_si256((__m256i *)(output + step), _mm256_unpackhi_epi64(a, c));
    if (quads > 2) _mm256_storeu_si256((__m256i *)(output + 2 * step), _mm256_unpacklo_epi64(b, d));
    if (quads > 3) _mm256_storeu_si256((__m256i *)(output + 3 * step), _mm256_unpackhi_epi64(b, d));
}

SWIFTLET_AVX2_INLINE void pack(const swiftlet_sparse_s8_arguments *a, int vectors) {
    const intptr_t step = 4 * lanes * (intptr_t)vectors;
    for (int32_t tap = 0; tap < a->taps; tap++) {
        for (int v = 0; v < vectors; v++) {
            const int8_t *rows[lanes];
            for (int i = 0; i < lanes; i++) {
                const int32_t pixel = lanes * v + i;
                rows[i] = a->rows[tap * a->pixels + (pixel < a->pixels ? pixel : a->pixels - 1)];
            }
            uint8_t *output = a->packed + (intptr_t)tap * a->quads * step + 4 * lanes * v;
            for (intptr_t q = 0; q < a->quads; q += 4) {
                pack_quads(rows, 4 * q, output + q * step, step, a->quads - q);
            }
        }
    }
}

SWIFTLET_AVX2_INLINE void add_block(const uint8_t *x, const int8_t *weights, __m256i *sums, const int vectors) {
    int32_t four;
    memcpy(&four, weights, sizeof four);
    const __m256i w = _mm256_set1_epi32(four), one = _mm256_set1_epi16(1);
    UNROLL
    for (int v = 0; v < vectors; v++) {
        const __m256i pairs = _mm256_maddubs_epi16(_mm256_loadu_si256((const __m256i *)(x + 4 * lanes * v)), w);
        sums[v] = _mm256_add_epi32(sums[v], _mm256_madd_epi16(pairs, one));
    }
}

// 16 channels of 16 pixels become 16 pixels of 16 channels.
SWIFTLET_AVX2_INLINE void transpose(const int8_t *input, int8_t *output, intptr_t stride, int32_t pixels, int32_t channels) {
    __m128i a[16], b[16];
    UNROLL
    for (int i = 0; i < 16; i++) a[i] = _mm_load_si128((const __m128i *)(input + i * row_bytes));
    UNROLL
    for (int round = 0; round < 4; round++) {
        UNROLL
        for (int i = 0; i < 8; i++) {
            b[2 * i] = _mm_unpacklo_epi8(a[i], a[i + 8]);
            b[2 * i + 1] = _mm_unpackhi_epi8(a[i], a[i + 8]);
        }
        UNROLL
        for (int i = 0; i < 16; i++) a[i] = b[i];
    }
    if (channels == 16 && pixels >= 16) {
        UNROLL
        for (int i = 0; i < 16; i++) _mm_storeu_si128((__m128i *)(output + i * stride), a[i]);
        return;
    }
    int8_t bytes[16 * 16];
    UNROLL
    for (int i = 0; i < 16; i++) _mm_storeu_si128((__m128i *)(bytes + 16 * i), a[i]);
    for (int32_t i = 0; i < 16 && i < pixels; i++) memcpy(output + i * stride, bytes + 16 * i, (size_t)channels);
}

SWIFTLET_AVX2_INLINE void run(const swiftlet_sparse_s8_arguments *a, const int vectors) {
    const output_range_avx2 range = output_range(a->zeroPoint, a->lowest, a->highest);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const uintptr_t step = 4 * lanes * (uintptr_t)vectors;
    const int8_t *weights = a->weights;
    const uint8_t *gaps = a->gaps;
    int8_t group[channel_group * row_bytes] __attribute__((aligned(32)));
    for (int32_t first = 0; first < a->channels; first += channel_group) {
        const int32_t channels = a->channels - first < channel_group ? a->channels - first : channel_group;
        for (int32_t c = 0; c < channels; c++) {
            __m256i sums[most_vectors];
            UNROLL
            for (int v = 0; v < vectors; v++) sums[v] = _mm256_set1_epi32(a->bias[first + c]);
            const uint8_t *x = a->packed;
            const int32_t count = a->counts[first + c];
            for (int32_t i = 0; i + 2 <= count; i += 2) {
                const uintptr_t two = *gaps++;
                x += (two & 15) * step;
                add_block(x, weights, sums, vectors);
                x += (two >> 4) * step;
                add_block(x, weights + 4, sums, vectors);
                weights += 8;
            }
            if (count & 1) {
                x += (uintptr_t)(*gaps++ & 15) * step;
                add_block(x, weights, sums, vectors);
                weights += 4;
            }
            const __m256 scale = _mm256_set1_ps(a->scales[first + c]);
            UNROLL
            for (int v = 0; v < vectors; v++) sums[v] = scaled(sums[v], scale);
            UNROLL
            for (int v = 0; v < vectors; v += 4) {
                const int left = vectors - v;
                const __m256i bytes = packed(
                    sums[v], sums[left > 1 ? v + 1 : v], sums[left > 2 ? v + 2 : v], sums[left > 3 ? v + 3 : v], range);
                _mm256_store_si256(
                    (__m256i *)(group + c * row_bytes + lanes * v), _mm256_permutevar8x32_epi32(bytes, order));
            }
        }
        int8_t *output = a->output + first;
        for (int32_t p = 0; p < a->pixels; p += 16) {
            transpose(group + p, output + p * a->outputPixelStride, a->outputPixelStride, a->pixels - p, channels);
        }
    }
}

SWIFTLET_AVX2 void swiftlet_sparse_u8s8_96x1__avx2(const swiftlet_sparse_s8_arguments *a) {
    const int vectors = (a->pixels + lanes - 1) / lanes;
    pack(a, vectors);
    switch (vectors) {
#define TILE(count) case count: run(a, count); break;
        TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6) TILE(7) TILE(8) TILE(9) TILE(10) TILE(11) TILE(12)
#undef TILE
    default: break;
    }
}
#endif
