#pragma STDC FP_CONTRACT OFF
#include "CKernels.h"

enum { lanes = 32, pairLanes = 8, group = 4 };

// Whether sums of `count` products, one of each quad, fit 16 bits in every lane of two channels, for any inputs from
// -128 to 127.
static int fits(const int8_t *weights, int count) {
    int32_t least = 0, most = 0;
    for (int lane = 0; lane < pairLanes; lane++) {
        int32_t low = 0, high = 0;
        for (int quad = 0; quad < count; quad++) {
            const int32_t weight = weights[quad * lanes + lane];
            low += weight > 0 ? -128 * weight : 127 * weight;
            high += weight > 0 ? 127 * weight : -128 * weight;
        }
        least = low < least ? low : least;
        most = high > most ? high : most;
    }
    return least >= INT16_MIN && most <= INT16_MAX;
}

// The step of four quads.
static uint8_t chain_step(const int8_t *weights) {
    int step = 0;
    for (int pair = 0; pair < lanes / pairLanes; pair++, weights += pairLanes) {
        if (fits(weights, 4)) continue;
        if (!fits(weights, 2) || !fits(weights + 2 * lanes, 2)) return SWIFTLET_STEP_QUADS;
        step |= 1 << pair;
    }
    return (uint8_t)step;
}

void swiftlet_chain_steps_s8(const int8_t *weights, int32_t panels, int32_t taps, int32_t quads, uint8_t *steps) {
    for (int64_t filter = 0; filter < (int64_t)panels * taps; filter++) {
        int32_t quad = 0;
        for (; quad + group <= quads; quad += group, weights += group * lanes) *steps++ = chain_step(weights);
        *steps++ = SWIFTLET_STEP_END;
        weights += (quads - quad) * lanes;
    }
}

int64_t swiftlet_largest_filter_sum_s8(const int8_t *weights, int32_t panels, int32_t depth) {
    // Sums of so many absolute values, 128 at most, fit 16 bits.
    enum { run = 256 };
    int64_t largest = 0;
    for (int32_t panel = 0; panel < panels; panel++) {
        int64_t sums[8] = {0};
        for (int32_t first = 0; first < depth; first += run) {
            const int32_t end = depth - first < run ? depth : first + run;
            uint16_t partial[lanes] = {0};
            for (int32_t quad = first; quad < end; quad++, weights += lanes) {
                for (int lane = 0; lane < lanes; lane++) {
                    partial[lane] += (uint8_t)(weights[lane] < 0 ? -weights[lane] : weights[lane]);
                }
            }
            for (int lane = 0; lane < lanes; lane++) sums[lane / 4] += partial[lane];
        }
        for (int i = 0; i < 8; i++) largest = sums[i] > largest ? sums[i] : largest;
    }
    return largest;
}

void swiftlet_skipped_sums_s8(
    const int8_t *weights, int32_t panels, int32_t kernelHeight, int32_t kernelWidth, int32_t quads, int32_t firstY,
    int32_t height, int32_t firstX, int32_t width, int32_t *sums) {
    for (int32_t panel = 0; panel < panels; panel++, sums += 8) {
        int32_t partial[lanes] = {0};
        for (int32_t y = 0; y < kernelHeight; y++) {
            for (int32_t x = 0; x < kernelWidth; x++, weights += (intptr_t)quads * lanes) {
                if (y >= firstY && y < firstY + height && x >= firstX && x < firstX + width) continue;
                for (int32_t i = 0; i < quads; i++) {
                    for (int lane = 0; lane < lanes; lane++) partial[lane] += weights[i * lanes + lane];
                }
            }
        }
        for (int i = 0; i < 8; i++) {
            sums[i] = partial[4 * i] + partial[4 * i + 1] + partial[4 * i + 2] + partial[4 * i + 3];
        }
    }
}
