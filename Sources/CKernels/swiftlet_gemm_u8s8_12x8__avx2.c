#if defined(__x86_64__)
#include "gemm_u8s8.h"

// VPMADDUBSW multiplies 32 bytes in one instruction, but sums of products saturate at 16 bits. Whether they can depends on
// the inputs, too, and few of those are large: the kernel first takes the largest of every two quads of a tile, then
// computes each two quads of a panel in the cheapest way that is exact with inputs up to that one.

// The largest inputs of the pairs of quads of a tile are the first bytes of its ranges; what all inputs lost comes last.
SWIFTLET_AVX2_INLINE uint8_t *ranges_of(const swiftlet_gemm_u8s8_arguments *a, int32_t tile) {
    return a->ranges + tile * a->rangeStride;
}

SWIFTLET_AVX2_INLINE int32_t *moved_by(const swiftlet_gemm_u8s8_arguments *a, int32_t tile) {
    return (int32_t *)(ranges_of(a, tile + 1) - 32);
}

// The largest of `count` bytes, a constant where this is inlined, is the largest of the result.
SWIFTLET_AVX2_INLINE __m256i folded_largest(const uint8_t *bytes, const int count) {
    if (count < 32) {
        uint8_t some[32] = {0};
        memcpy(some, bytes, (size_t)count);
        return _mm256_loadu_si256((const __m256i *)some);
    }
    __m256i largest = _mm256_loadu_si256((const __m256i *)bytes);
    SWIFTLET_UNROLL
    for (int i = 32; i < count; i += 32) {
        const int from = i + 32 <= count ? i : count - 32;
        largest = _mm256_max_epu8(largest, _mm256_loadu_si256((const __m256i *)(bytes + from)));
    }
    return largest;
}

// The largest byte of each of four registers.
SWIFTLET_AVX2_INLINE int32_t largest_of_four(__m256i a, __m256i b, __m256i c, __m256i d) {
    const __m256 ab = _mm256_castsi256_ps(_mm256_max_epu8(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b)));
    const __m256 cd = _mm256_castsi256_ps(_mm256_max_epu8(_mm256_unpacklo_epi64(c, d), _mm256_unpackhi_epi64(c, d)));
    const __m256i words = _mm256_max_epu8(
        _mm256_castps_si256(_mm256_shuffle_ps(ab, cd, 0x88)), _mm256_castps_si256(_mm256_shuffle_ps(ab, cd, 0xDD)));
    __m128i largest = _mm_max_epu8(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    largest = _mm_max_epu8(largest, _mm_srli_epi32(largest, 16));
    largest = _mm_max_epu8(largest, _mm_srli_epi32(largest, 8));
    const __m128i lowBytes = _mm_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    return _mm_cvtsi128_si32(_mm_shuffle_epi8(largest, lowBytes));
}

SWIFTLET_AVX2 __attribute__((noinline)) static uint8_t least_of(const uint8_t *bytes, intptr_t count) {
    uint8_t least = 255;
    intptr_t i = 0;
    if (count >= 32) {
        __m256i wide = _mm256_set1_epi8(-1);
        for (; i + 32 <= count; i += 32) wide = _mm256_min_epu8(wide, _mm256_loadu_si256((const __m256i *)(bytes + i)));
        __m128i narrow = _mm_min_epu8(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
        narrow = _mm_and_si128(_mm_min_epu8(narrow, _mm_srli_epi16(narrow, 8)), _mm_set1_epi16(255));
        least = (uint8_t)_mm_cvtsi128_si32(_mm_minpos_epu16(narrow));
    }
    for (; i < count; i++) least = bytes[i] < least ? bytes[i] : least;
    return least;
}

// Takes `amount` from bytes that are no less, up to 31 more of any value.
SWIFTLET_AVX2 __attribute__((noinline)) static void move_down(uint8_t *bytes, intptr_t count, uint8_t amount) {
    for (intptr_t i = 0; i < count; i += 32) {
        __m256i *const some = (__m256i *)(bytes + i);
        _mm256_storeu_si256(some, _mm256_subs_epu8(_mm256_loadu_si256(some), _mm256_set1_epi8((char)amount)));
    }
}

// Notes the ranges of a tile of `tile` pixels, a constant where this is inlined.
SWIFTLET_AVX2_INLINE void measure(const swiftlet_gemm_u8s8_arguments *a, int32_t index, const int tile) {
    uint8_t *const x = a->activations + index * a->tileStride;
    uint8_t *const ranges = ranges_of(a, index);
    const intptr_t quads = a->panelStride / 32, pairs = quads / 2;
    const int bytes = 8 * tile;
    intptr_t i = 0;
    for (; i + 4 <= pairs; i += 4) {
        const uint8_t *const four = x + i * bytes;
        const int32_t largest = largest_of_four(
            folded_largest(four, bytes), folded_largest(four + bytes, bytes), folded_largest(four + 2 * bytes, bytes),
            folded_largest(four + 3 * bytes, bytes));
        memcpy(ranges + i, &largest, 4);
    }
    for (; 2 * i < quads; i++) {
        const __m256i folded = i < pairs ? folded_largest(x + i * bytes, bytes) : folded_largest(x + i * bytes, bytes / 2);
        ranges[i] = (uint8_t)largest_of_four(folded, folded, folded, folded);
    }
    const uint8_t least = a->movesInputs ? least_of(x, 4 * tile * quads) : 0;
    *moved_by(a, index) = least;
    if (least > 0) {
        move_down(x, 4 * tile * quads, least);
        move_down(ranges, i, least);
    }
}

// How 64 quads of a panel are computed for one tile: a bit for each two that are summed in 16 bits together, for each that
// is alone, for each that needs 32 bits. Quads whose inputs are all zero are in none.
typedef struct {
    uint32_t joint;
    uint64_t single, wide;
} quad_classes;

SWIFTLET_AVX2_INLINE __m256i within(__m256i largest, const uint8_t *limits) {
    return _mm256_cmpeq_epi8(_mm256_min_epu8(largest, _mm256_loadu_si256((const __m256i *)limits)), largest);
}

SWIFTLET_AVX2_INLINE uint64_t mask(__m256i low, __m256i high) {
    return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

SWIFTLET_AVX2_INLINE quad_classes classes_of(const uint8_t *ranges, const uint8_t *limits, intptr_t quads) {
    const __m256i largest = _mm256_loadu_si256((const __m256i *)ranges);
    const __m256i none = _mm256_cmpeq_epi8(largest, _mm256_setzero_si256());
    const __m256i joint = _mm256_andnot_si256(none, within(largest, limits));
    // Both quads of each pair, in their order.
    const __m256i spread = _mm256_permute4x64_epi64(largest, 0xD8);
    const __m256i low = _mm256_unpacklo_epi8(spread, spread), high = _mm256_unpackhi_epi8(spread, spread);
    const __m256i done = _mm256_permute4x64_epi64(_mm256_or_si256(none, joint), 0xD8);
    const uint64_t valid = quads < SWIFTLET_LIMIT_QUADS ? ((uint64_t)1 << quads) - 1 : ~(uint64_t)0;
    const uint64_t left = valid & ~mask(_mm256_unpacklo_epi8(done, done), _mm256_unpackhi_epi8(done, done));
    const uint64_t single = mask(within(low, limits + 32), within(high, limits + 64));
    const uint32_t pairs = quads < SWIFTLET_LIMIT_QUADS ? ((uint32_t)1 << quads / 2) - 1 : ~(uint32_t)0;
    const quad_classes classes = {(uint32_t)_mm256_movemask_epi8(joint) & pairs, left & single, left & ~single};
    return classes;
}

SWIFTLET_AVX2_INLINE __m256i quad_weights(const int8_t *weights, uintptr_t quad) {
    return _mm256_loadu_si256((const __m256i *)(weights + 32 * quad));
}

// One panel and one tile: 8 output channels by `tile` pixels, a constant where this is inlined.
SWIFTLET_AVX2_INLINE void gemm_panel(
    const swiftlet_gemm_u8s8_arguments *a, int32_t index, int32_t firstPixel, int32_t panel, output_range_avx2 range,
    const int tile) {
    const int8_t *weights = a->weights + panel * a->panelStride;
    const uint8_t *x = a->activations + index * a->tileStride;
    const uint8_t *ranges = ranges_of(a, index), *limits = a->limits + panel * a->limitStride;
    const uintptr_t step = 4 * (uintptr_t)tile;
    const __m256i one = _mm256_set1_epi16(1), evenBytes = _mm256_set1_epi16(255);
    __m256i sums[12];
    SWIFTLET_UNROLL
    for (int p = 0; p < tile; p++) sums[p] = biases(a, panel, firstPixel + p);
    const int32_t moved = *moved_by(a, index);
    if (moved > 0) {
        const __m256i weightSums = _mm256_loadu_si256((const __m256i *)(a->weightSums + 8 * panel));
        const __m256i lost = _mm256_mullo_epi32(weightSums, _mm256_set1_epi32(moved));
        SWIFTLET_UNROLL
        for (int p = 0; p < tile; p++) sums[p] = _mm256_add_epi32(sums[p], lost);
    }

    for (intptr_t quads = a->panelStride / 32; quads > 0; quads -= SWIFTLET_LIMIT_QUADS) {
        quad_classes classes = classes_of(ranges, limits, quads);
        for (; classes.joint != 0; classes.joint &= classes.joint - 1) {
            const uintptr_t quad = 2 * (uintptr_t)__builtin_ctz(classes.joint);
            const __m256i w0 = quad_weights(weights, quad), w1 = quad_weights(weights, quad + 1);
            const uint8_t *x0 = x + step * quad, *x1 = x0 + step;
            SWIFTLET_UNROLL
            for (int p = 0; p < tile; p++) {
                const __m256i pairs = _mm256_add_epi16(
                    _mm256_maddubs_epi16(spread_quad(x0 + 4 * p), w0), _mm256_maddubs_epi16(spread_quad(x1 + 4 * p), w1));
                sums[p] = _mm256_add_epi32(sums[p], _mm256_madd_epi16(pairs, one));
            }
        }
        for (; classes.single != 0; classes.single &= classes.single - 1) {
            const uintptr_t quad = (uintptr_t)__builtin_ctzll(classes.single);
            const __m256i w = quad_weights(weights, quad);
            const uint8_t *x0 = x + step * quad;
            SWIFTLET_UNROLL
            for (int p = 0; p < tile; p++) {
                const __m256i pairs = _mm256_maddubs_epi16(spread_quad(x0 + 4 * p), w);
                sums[p] = _mm256_add_epi32(sums[p], _mm256_madd_epi16(pairs, one));
            }
        }
        // Widened: even and odd inputs of the quad apart.
        for (; classes.wide != 0; classes.wide &= classes.wide - 1) {
            const uintptr_t quad = (uintptr_t)__builtin_ctzll(classes.wide);
            const __m256i w = quad_weights(weights, quad);
            const __m256i even = _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8), odd = _mm256_srai_epi16(w, 8);
            const uint8_t *x0 = x + step * quad;
            SWIFTLET_UNROLL
            for (int p = 0; p < tile; p++) {
                const __m256i v = spread_quad(x0 + 4 * p);
                sums[p] = _mm256_add_epi32(sums[p], _mm256_madd_epi16(_mm256_and_si256(v, evenBytes), even));
                sums[p] = _mm256_add_epi32(sums[p], _mm256_madd_epi16(_mm256_srli_epi16(v, 8), odd));
            }
        }
        weights += 32 * SWIFTLET_LIMIT_QUADS;
        x += step * SWIFTLET_LIMIT_QUADS;
        ranges += SWIFTLET_LIMIT_QUADS / 2;
        limits += SWIFTLET_LIMIT_BYTES;
    }
    store_panel(a, sums, firstPixel, panel, range, tile);
}

// Runs `call` with the number of pixels of a tile as a constant.
#define FOR_TILE(pixels, call)                                                          \
    switch (pixels) {                                                                   \
    case 1: call(1) break; case 2: call(2) break; case 3: call(3) break;                \
    case 4: call(4) break; case 5: call(5) break; case 6: call(6) break;                \
    case 7: call(7) break; case 8: call(8) break; case 9: call(9) break;                \
    case 10: call(10) break; case 11: call(11) break; default: call(12) break;          \
    }

SWIFTLET_AVX2 void swiftlet_gemm_u8s8_12x8__avx2(const swiftlet_gemm_u8s8_arguments *a) {
    const output_range_avx2 range = output_range(a->zeroPoint, a->lowest, a->highest);
    const int32_t panels = (a->channels + 7) / 8;
    for (int32_t tile = 0; tile < a->tiles && !a->isMeasured; tile++) {
        const int32_t first = swiftlet_tile_start(a->pixels, a->tiles, tile);
#define MEASURE(count) measure(a, tile, count);
        FOR_TILE(swiftlet_tile_start(a->pixels, a->tiles, tile + 1) - first, MEASURE)
#undef MEASURE
    }
    // As many panels as stay in the nearest cache while the tiles pass by.
    int32_t group = (int32_t)((16 << 10) / a->panelStride);
    if (group < 1) group = 1;
    for (int32_t firstPanel = 0; firstPanel < panels; firstPanel += group) {
        const int32_t endPanel = panels - firstPanel < group ? panels : firstPanel + group;
        for (int32_t tile = 0; tile < a->tiles; tile++) {
            const int32_t first = swiftlet_tile_start(a->pixels, a->tiles, tile);
#define PANELS(count) \
    for (int32_t panel = firstPanel; panel < endPanel; panel++) gemm_panel(a, tile, first, panel, range, count);
            FOR_TILE(swiftlet_tile_start(a->pixels, a->tiles, tile + 1) - first, PANELS)
#undef PANELS
        }
    }
}
#endif
