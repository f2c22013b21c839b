#include "CKernels.h"
#include <string.h>

// A straight line through 16 entries, rounded down, and by how much they exceed it: `base` to `base + spread`.
typedef struct {
    int slope, base, spread;
} line;

static line line_of(const int8_t *row, int slope, int shift) {
    // In 16 bits, of which compilers make vectors.
    int16_t least = INT16_MAX, most = INT16_MIN;
    for (int16_t j = 0; j < 16; j++) {
        const int16_t product = (int16_t)(slope * j);
        const int16_t above = (int16_t)(row[j] - (product >> shift));
        least = above < least ? above : least;
        most = above > most ? above : most;
    }
    return (line){slope, least, most - least};
}

// 680 times the slope of the least squares, since the sum of (2 j - 15)^2 is 1360.
static int steepness(const int8_t *row) {
    int sum = 0;
    for (int j = 0; j < 16; j++) sum += (2 * j - 15) * row[j];
    return sum;
}

// The least squares are not what keeps the largest distance small, but near it.
static line nearest_line(const int8_t *row, int shift) {
    const int scaled = steepness(row) * (1 << shift);
    const int middle = (scaled + (scaled < 0 ? -340 : 340)) / 680;
    line best = line_of(row, middle < -128 ? -128 : middle > 127 ? 127 : middle, shift);
    for (int step = 1; step <= 2; step++) {
        for (int sign = -1; sign <= 1; sign += 2) {
            if (best.spread < 2) return best;
            const int slope = middle + sign * step;
            if (slope < -128 || slope > 127) continue;
            const line other = line_of(row, slope, shift);
            if (other.spread < best.spread) best = other;
        }
    }
    return best;
}

void swiftlet_fit_table_s8(const int8_t *table, swiftlet_fitted_table *fitted) {
    memset(fitted, 0, sizeof *fitted);
    // Slopes as fine as a byte holds the steepest; steeper ones than 8 make exceptions.
    int steepest = 0;
    for (int k = 0; k < 16; k++) {
        const int s = steepness(table + 16 * k);
        steepest = s > steepest ? s : -s > steepest ? -s : steepest;
    }
    int shift = 6;
    while (shift > 4 && (steepest << shift) > 125 * 680) shift--;
    line lines[16];
    int wide = 0, widest = 0;    // rows of which one plane, or two, are not enough
    for (int k = 0; k < 16; k++) {
        lines[k] = nearest_line(table + 16 * k, shift);
        wide += lines[k].spread > 1;
        widest += lines[k].spread > 3;
    }
    if (widest > SWIFTLET_TABLE_EXCEPTIONS) return;
    fitted->shift = (uint8_t)shift;
    fitted->planeCount = wide > SWIFTLET_TABLE_EXCEPTIONS ? 2 : 1;
    for (int k = 0; k < 16; k++) {
        const int8_t *entries = table + 16 * k;
        const int row = k ^ 8;
        if (lines[k].spread >= 1 << fitted->planeCount) {
            memcpy(fitted->exceptions[fitted->exceptionCount], entries, 16);
            fitted->exceptionRows[fitted->exceptionCount++] = (uint8_t)row;
            continue;
        }
        fitted->slopes[row] = (int8_t)lines[k].slope;
        fitted->bases[row] = (int8_t)lines[k].base;
        for (int j = 0; j < 16; j++) {
            const int left = entries[j] - ((lines[k].slope * j) >> shift) - lines[k].base;
            fitted->planes[0][j / 8][row] |= (uint8_t)((left & 1) << j % 8);
            fitted->planes[1][j / 8][row] |= (uint8_t)((left >> 1) << j % 8);
        }
    }
}
