#pragma once
#include <stdint.h>

// CPU features that the processor has and the operating system enables.
#define SWIFTLET_CPU_AVX2 1u
#define SWIFTLET_CPU_NEON 2u
#define SWIFTLET_CPU_DOTPROD 4u
#define SWIFTLET_CPU_AVXVNNI 8u
#define SWIFTLET_CPU_AVX512VNNI 16u
#define SWIFTLET_CPU_I8MM 32u
#define SWIFTLET_CPU_RVV 64u
#define SWIFTLET_CPU_AARCH64 128u

uint32_t swiftlet_cpu_features(void);

// Whether swiftlet_crc32c may be called: the CPU has an instruction for CRC-32C.
int32_t swiftlet_crc32c_is_available(void);
// The state after `count` more bytes; initial value and final xor are the caller's.
uint32_t swiftlet_crc32c(uint32_t state, const void *start, uint64_t count);

// Arguments of a tile of an int8 convolution: `pixels` output pixels (1 to the kernel's own), all taps, `channels`
// output channels in consecutive panels of 8. Weights, bias and scales as Packing.swift describes them.
//   acc = bias[o] + pixelBias[pixel] + sum over tap, quad, input of weight * rows[tap * tile + pixel][input]
//   output[pixel * outputPixelStride + o] = requantize(acc, scales[o])
// `tile` is the kernel's own number of pixels; entries of `rows` past `pixels` repeat a valid one.
// `pixelBias` is null for zeros, else has `tile` elements. All sums wrap.
typedef struct {
    const void *const *rows;    // int8 rows, one per tap and pixel
    const int8_t *weights;
    const int32_t *bias;
    const int32_t *pixelBias;
    const float *scales;
    int8_t *output;
    intptr_t outputPixelStride;
    int32_t taps;
    int32_t quads;
    int32_t pixels;
    int32_t channels;
    int32_t zeroPoint;
    int32_t lowest;
    int32_t highest;
} swiftlet_gemm_s8_arguments;

// `pixels` output pixels as `tiles` tiles whose sizes differ by at most one: the first pixel of a tile.
static inline int32_t swiftlet_tile_start(int32_t pixels, int32_t tiles, int32_t tile) {
    return (int32_t)((uint32_t)pixels * (uint32_t)tile / (uint32_t)tiles);
}

// Where the taps of an output pixel lie in an int8 image: as ConvolutionGeometry says, not transposed. A tap outside
// reads `padding`, a row of input zero points. For pack_s8 outputs and taps may be some of an image's, whose first ones lie
// inside: padTop and padLeft are below 0 then.
typedef struct {
    const int8_t *input;
    const int8_t *padding;
    intptr_t pixelStride;
    int32_t height;
    int32_t width;
    int32_t outputHeight;
    int32_t outputWidth;
    int32_t kernelHeight;
    int32_t kernelWidth;
    int32_t strideY;
    int32_t strideX;
    int32_t dilationY;
    int32_t dilationX;
    int32_t padTop;
    int32_t padLeft;
} swiftlet_image_s8;

// Packs int8 inputs for gemm_u8s8, `pixels` output pixels from `firstPixel` on. Tile t of P pixels, at most the kernel's
// own, at output + t * tileStride:
//   [quad 0..<taps * quads][pixel 0..<P][input 0..<4], each value x as uint8 x + 128.
// Rows come from the image or, where `rows` is not null, are given one per tap and pixel: rows[tap * pixels + pixel].
// Writes at most 48 * taps * quads bytes of a tile; pixels * tiles is less than 2^31.
//   pixelBias[p] = factor * sum over taps and i in 0..<inputs of x, wrapping; nothing where `factor` is 0.
// With few input channels (`flatInputs`, else 0) the taps of a pixel are one row, channels of the next tap right behind
// those of one, and the kernel counts one tap of taps * channels inputs, at most SWIFTLET_LARGEST_FLAT_ROW.
enum { SWIFTLET_LARGEST_FLAT_ROW = 512 };
typedef struct {
    swiftlet_image_s8 image;
    const int8_t *const *rows;
    uint8_t *output;
    intptr_t tileStride;
    int32_t *pixelBias;
    int32_t factor;
    int32_t firstPixel;
    int32_t pixels;
    int32_t tiles;
    int32_t taps;
    int32_t quads;
    int32_t inputs;
    int32_t flatInputs;
} swiftlet_pack_u8_arguments;

// What scan_s8 keeps of each 64 quads of a panel, 96 bytes: the largest input, as uint8, with which VPMADDUBSW's sums of
// products stay within 16 bits,
//   [0..<32]   of quads 2i and 2i + 1 together (0 where the panel has no quad 2i + 1)
//   [32..<96]  of quad i alone
// Above every input where weights are small. `limitStride` is 96 * (quads / 64, rounded up).
enum { SWIFTLET_LIMIT_QUADS = 64, SWIFTLET_LIMIT_BYTES = 96 };

// Looks through packed weights (see Packing.swift) for gemm_u8s8: correctedBias = bias - 128 * sum of the weights of each
// channel, wrapping, 8 per panel; weightSums, those sums; limits, as above. Where `limits` is null only the bias is
// corrected: weightSums is null, too.
typedef struct {
    const int8_t *weights;
    const int32_t *bias;
    int32_t *correctedBias;
    int32_t *weightSums;
    uint8_t *limits;
    intptr_t limitStride;
    int32_t quads;    // of all taps
    int32_t panels;
} swiftlet_scan_s8_arguments;

// A block of an int8 convolution: all tiles of packed inputs by consecutive panels of weights. Bias, weightSums and limits
// as scan_s8 made them; pixelBias null or one per pixel; otherwise as swiftlet_gemm_s8_arguments.
// On AVX2 the kernel first takes the range of each tile's inputs: what it needs is kept in `ranges`, rangeStride bytes a
// tile, 32 * (quads / 64, rounded up) + 32; with `movesInputs` the packed inputs lose the least one of their tile. With
// `isMeasured` an earlier call did this, and nothing of it has changed.
// The kernels with VPDPBUSD take all weights and inputs as they are: weightSums and limits null, ranges not used.
// hasSmallScales: no accumulator times its scale leaves ±2^30 (Packing.WeightTraits.areSmall).
typedef struct {
    uint8_t *activations;
    intptr_t tileStride;
    uint8_t *ranges;
    intptr_t rangeStride;
    const int8_t *weights;
    intptr_t panelStride;
    const uint8_t *limits;
    intptr_t limitStride;
    const int32_t *weightSums;
    const int32_t *bias;
    const int32_t *pixelBias;
    const float *scales;
    int8_t *output;
    intptr_t outputPixelStride;
    int32_t pixels;
    int32_t tiles;
    int32_t channels;
    int32_t zeroPoint;
    int32_t lowest;
    int32_t highest;
    int32_t movesInputs;
    int32_t isMeasured;
    int32_t hasSmallScales;
} swiftlet_gemm_u8s8_arguments;

// Widens to int16 what `pixels` outputs of row `row`, from column `first` on, read of an image whose dilationX is 1. For
// each ky in 0..<kernelHeight: the inputs, `inputs` a pixel, of the image's row row * strideY - padTop + ky * dilationY,
// (pixels - 1) * strideX + kernelWidth pixels from column first * strideX - padLeft on, at output + ky * rowStride. What
// lies outside the image is padding[0]. Writes up to 15 values more behind those of a row, for which rowStride leaves room.
typedef struct {
    swiftlet_image_s8 image;
    int16_t *output;
    intptr_t rowStride;
    int32_t inputs;
    int32_t row;
    int32_t first;
    int32_t pixels;
} swiftlet_widen_s8_arguments;

// A block of an int8 convolution whose inputs widen_s8 made: consecutive outputs of a row by consecutive panels of weights.
//   acc = bias[o] + sum over r in 0..<rows, i in 0..<2 * pairs of
//       weight[o][2 * pairs * r + i] * inputs[pixel * pixelStride + r * rowStride + i]
//   output[pixel * outputPixelStride + o] = requantize(acc, scales[o]), scales small (Packing.WeightTraits.areSmall)
// Weights are panels of 8 channels by quads, as Packing.swift describes them, zeros where a quad is not full. They are
// widened into `widenedWeights`, 64 values for each quad and two panels; with `isWidened` an earlier call did this.
typedef struct {
    const int16_t *inputs;
    intptr_t pixelStride;
    intptr_t rowStride;
    const int8_t *weights;
    intptr_t panelStride;
    int16_t *widenedWeights;
    const int32_t *bias;
    const float *scales;
    int8_t *output;
    intptr_t outputPixelStride;
    int32_t rows;
    int32_t pairs;
    int32_t pixels;
    int32_t channels;
    int32_t zeroPoint;
    int32_t lowest;
    int32_t highest;
    int32_t isWidened;
} swiftlet_gemm_s16s8_arguments;

// Packs int8 inputs for the kernels of family gemmpacked_s8 and gemmchain_s8 of the same instruction set, whose files say
// how: `pixels` output pixels from `firstPixel` on, straight from the image or, where `rows` is not null, the one tile
// whose rows are rows[tap * tile + pixel], `tile` being the kernel's own number of pixels. The last pixel is repeated to
// fill a tile. Where quads is not a multiple of four, the taps of a pixel are first copied into one row, at `joined`: 16 *
// taps * quads + 64 bytes. With few input channels (`flatInputs`, else 0) that row has no gaps between taps: flatInputs
// bytes each. Reads up to 31 bytes past the end of a pixel.
typedef struct {
    swiftlet_image_s8 image;
    const int8_t *const *rows;
    int8_t *output;
    int8_t *joined;
    int32_t firstPixel;
    int32_t pixels;
    int32_t taps;
    int32_t quads;
    int32_t flatInputs;
} swiftlet_pack_s8_arguments;

// Most runs of a block.
enum { SWIFTLET_TILE_RUNS = 16 };

// Output pixels that read the same taps of a filter: `pixels` of a rectangle, row by row. Their weights are `parts` times
// `quads` consecutive quads of a panel, a multiple of four where there are several parts.
typedef struct {
    intptr_t output;                // bytes from the first output of the block to the run's first
    intptr_t pixelStride;           // from one output to the next of its row
    intptr_t rowStride;             // from the last output of a row to the first of the next one
    intptr_t weights;               // bytes from the start of a panel to the first part
    intptr_t weightStride;          // from the start of a part to that of the next one
    const int32_t *skippedSums;     // sums of the weights that are left out, 8 a panel; null where there are none
    int32_t pixels;
    int32_t width;                  // of the rectangle
    int32_t column;                 // of the first pixel
    int32_t parts;
    int32_t quads;
} swiftlet_tile_run;

// Arguments of a block of an int8 convolution: output pixels by consecutive panels of weights.
//   gemmpacked_s8  the pixels of `runs`; those of a run are tiles that pack_s8 packed, which follow each other
//   gemmchain_s8   the pixels of one run, all in one row; rows[(tile * taps + tap) * kernel's pixels + pixel], `steps` as
//                  swiftlet_chain_steps_s8 wrote them
// quads: of a panel; of each of `taps` for gemmchain_s8. Skipped weights count as multiplied with inputZeroPoint.
// `panel` is memory for one panel of weights, 32 * (quads up to a multiple of 4) + 64 bytes; pixelBias is null or one per
// pixel; otherwise as swiftlet_gemm_s8_arguments.
typedef struct {
    const int8_t *activations;
    const swiftlet_tile_run *runs;
    const int8_t *const *rows;
    const int8_t *weights;
    const uint8_t *steps;
    const int32_t *bias;
    const int32_t *pixelBias;
    const float *scales;
    int8_t *output;
    intptr_t outputPixelStride;
    int8_t *panel;
    int32_t runCount;
    int32_t taps;
    int32_t quads;
    int32_t channels;
    int32_t inputZeroPoint;
    int32_t zeroPoint;
    int32_t lowest;
    int32_t highest;
} swiftlet_gemm_tiles_arguments;

// Sums of the weights of each channel outside of the taps [firstY, firstY + height) x [firstX, firstX + width) of a kernel
// `kernelWidth` wide: 8 a panel. `quads`: of a tap.
void swiftlet_skipped_sums_s8(
    const int8_t *weights, int32_t panels, int32_t kernelHeight, int32_t kernelWidth, int32_t quads, int32_t firstY,
    int32_t height, int32_t firstX, int32_t width, int32_t *sums);

// How gemmchain_s8 may sum the products of four consecutive quads of one tap in 16 bits, for any inputs. Below
// SWIFTLET_STEP_QUADS a step is a set: bit i says that channels 2 i and 2 i + 1 sum two quads and two, else four.
enum {
    SWIFTLET_STEP_QUADS = 16,    // every quad by itself
    SWIFTLET_STEP_END = 18,      // no four quads are left of this tap
};

// Writes for each panel and tap quads / 4 steps and an end.
void swiftlet_chain_steps_s8(const int8_t *weights, int32_t panels, int32_t taps, int32_t quads, uint8_t *steps);

// Winograd's F(4x4, 3x3) in integers: 6x6 inputs and 3x3 weights become 36 values each, whose products, summed over
// input channels, give 4x4 outputs. Tiles of three rows or columns of outputs read 5 of inputs and do without the values
// of row or column 4 of 0...5.

// Transforms the inputs of one tile: rows[6 * y + x] are the input pixels; the values of eight channels c at position p
// go to output + p * positionStride + c / 8 * 64, in elements. Reads up to 7 bytes past the end of a row.
typedef struct {
    const int8_t *const *rows;
    int16_t *output;
    intptr_t positionStride;
    int32_t channels;
    int32_t tileRows;       // of outputs, 3 or 4
    int32_t tileColumns;
} swiftlet_winoinput_s8_arguments;

// Transforms one panel of packed 3x3 weights: [position][input channel, up to a multiple of 8][output channel 0..<8].
typedef struct {
    const int8_t *weights;
    int16_t *output;
    int32_t quads;
} swiftlet_winoweights_s8_arguments;

// One panel by up to 8 tiles. Transformed inputs: [position][eight input channels][tile 0..<8][channel 0..<8]; `products`
// is memory for 36 * 8 * 8 sums. The outputs of tile t, tileRows[t] by tileColumns[t], begin at output[t]; rows[t] by
// columns[t] of them are wanted. Tiles of four rows follow each other, and so do those of four columns.
// |sum of weight * input| of every output must be less than 2^25.
typedef struct {
    const int16_t *inputs;
    const int16_t *weights;
    int32_t *products;
    const int32_t *bias;
    const float *scales;
    int8_t *const *output;
    const uint8_t *rows;
    const uint8_t *columns;
    const uint8_t *tileRows;
    const uint8_t *tileColumns;
    intptr_t outputPixelStride;
    intptr_t outputRowStride;
    int32_t eights;    // input channels / 8, rounded up
    int32_t tiles;
    int32_t channels;
    int32_t zeroPoint;
    int32_t lowest;
    int32_t highest;
} swiftlet_winogemm_s8_arguments;

// The largest sum of absolute weights of a filter. Weights packed as Packing.swift describes; depth in quads of all taps.
int64_t swiftlet_largest_filter_sum_s8(const int8_t *weights, int32_t panels, int32_t depth);

// pixelBias[p] = factor * sum over tap and i in 0..<inputs of rows[tap * tile + p][i], int8, wrapping, for p < pixels; 0
// for the rest of the tile. Reads up to 7 bytes past the end of a row.
void swiftlet_pixel_bias_s8(
    const void *const *rows, int32_t tile, int32_t taps, int32_t inputs, int32_t pixels, int32_t factor,
    int32_t *pixelBias);

// A tile of three or four rows and columns of outputs, some of them outside the image perhaps.
typedef struct {
    int32_t y;
    int32_t x;
    int32_t rows;
    int32_t columns;
} swiftlet_winograd_tile;

// A 3 x 3 convolution of stride 1 by Winograd's minimal filtering: `tiles`, of which those of four rows follow each other,
// and those of four columns, by consecutive panels of weights. Bias is as Packing.swift says. Exact where the sum of the
// absolute weights of each output channel is at most 262143.
//   transformedInputs    36 * inputStride values; inputStride is at least tileCount * 16 * ceil(quads / 4)
//   transformedWeights   36 * SWIFTLET_WINOGRAD_WEIGHT_STRIDE values
//   sums                 72 * sumStride values; sumStride is at least 8 * tileCount
// all three 32-byte aligned at best. Reads up to 15 bytes past the channels of an input pixel. With `isTransformed` the
// transformed inputs of these tiles are there from an earlier call.
enum {
    SWIFTLET_WINOGRAD_BLOCKS = 4,                                               // of 16 input channels
    SWIFTLET_WINOGRAD_WEIGHT_STRIDE = SWIFTLET_WINOGRAD_BLOCKS * 256 + 32,    // off a power of two
};
typedef struct {
    swiftlet_image_s8 image;
    const int8_t *weights;
    const int32_t *bias;
    const float *scales;
    int8_t *output;
    intptr_t outputPixelStride;
    int16_t *transformedInputs;
    intptr_t inputStride;
    int16_t *transformedWeights;
    int32_t *sums;
    intptr_t sumStride;
    const swiftlet_winograd_tile *tiles;
    int32_t tileCount;
    int32_t quads;
    int32_t channels;
    int32_t zeroPoint;
    int32_t lowest;
    int32_t highest;
    int32_t isTransformed;
} swiftlet_winograd_s8_arguments;

// Arguments of a tile of an int8 depthwise convolution, as for gemm: every channel has its own weights. `weightOffset`,
// within -255...255, is added to every weight.
typedef struct {
    const int8_t *const *rows;
    const int8_t *weights;
    const int32_t *bias;
    const float *scales;
    int8_t *output;
    intptr_t outputPixelStride;
    int32_t taps;
    int32_t pixels;
    int32_t channels;
    int32_t weightOffset;
    int32_t zeroPoint;
    int32_t lowest;
    int32_t highest;
} swiftlet_depthwise_s8_arguments;

// Arguments of `rows` whole output rows, from `firstRow` on, of an int8 depthwise convolution whose kernel is 3 x 3 or
// 5 x 5 with a horizontal stride of 1 or 2 and no horizontal dilation. Output (y, x) reads input row y * strideY - padTop
// + ky * dilationY and column x * strideX - padLeft + kx, `padding` (16 equal bytes) outside the input. Otherwise as
// above, with scales that take no accumulator out of ±2^30. `output` is row `firstRow`, column 0. padLeft >= 0.
typedef struct {
    const int8_t *input;
    intptr_t inputPixelStride;
    intptr_t inputRowStride;
    const int8_t *padding;
    const int8_t *weights;
    const int32_t *bias;
    const float *scales;
    int8_t *output;
    intptr_t outputPixelStride;
    intptr_t outputRowStride;
    int32_t inputHeight;
    int32_t inputWidth;
    int32_t outputWidth;
    int32_t firstRow;
    int32_t rows;
    int32_t strideY;
    int32_t strideX;
    int32_t dilationY;
    int32_t padTop;
    int32_t padLeft;
    int32_t channels;
    int32_t weightOffset;
    int32_t zeroPoint;
    int32_t lowest;
    int32_t highest;
} swiftlet_depthwise_rows_s8_arguments;

// output[i] = quantizedStep(Float(a[i] - aZeroPoint) * aMultiplier + Float(b[j] - bZeroPoint) * bMultiplier),
// j = bIsScalar ? 0 : i, for `count` values in each of `rows` rows, the strides apart. The output may be one of the inputs,
// whose rows are read up to 31 bytes past their ends.
typedef struct {
    const int8_t *a;
    const int8_t *b;
    int8_t *output;
    intptr_t aStride;
    intptr_t bStride;
    intptr_t outputStride;
    intptr_t count;
    intptr_t rows;
    int32_t bIsScalar;
    int32_t aZeroPoint;
    int32_t bZeroPoint;
    float aMultiplier;
    float bMultiplier;
    int32_t zeroPoint;
    int32_t lowest;
    int32_t highest;
} swiftlet_add_s8_arguments;

// output[i] = requantize((a[i] - aZeroPoint) * (b[j] - bZeroPoint), multiplier), otherwise as add.
typedef struct {
    const int8_t *a;
    const int8_t *b;
    int8_t *output;
    intptr_t aStride;
    intptr_t bStride;
    intptr_t outputStride;
    intptr_t count;
    intptr_t rows;
    int32_t bIsScalar;
    int32_t aZeroPoint;
    int32_t bZeroPoint;
    float multiplier;
    int32_t zeroPoint;
    int32_t lowest;
    int32_t highest;
} swiftlet_mul_s8_arguments;

// A function of int8 in a form that takes fewer look-ups than its 256 entries where it is nearly straight from each multiple
// of 16 to the next, as activations are. Row k: the 16 inputs whose upper four bits are k, so 0...15 first and -16...-1 last.
// Input j of row k gives, modulo 256,
//   bases[k] + (slopes[k] * j >> shift) + b0 + 2 * b1,    b0 and b1 bit j % 8 of planes[0 and 1][j / 8][k],
// but exceptions[e][j] in row exceptionRows[e].
enum { SWIFTLET_TABLE_EXCEPTIONS = 2 };
typedef struct {
    int8_t slopes[16];
    int8_t bases[16];
    uint8_t planes[2][2][16];
    int8_t exceptions[SWIFTLET_TABLE_EXCEPTIONS][16];
    uint8_t exceptionRows[SWIFTLET_TABLE_EXCEPTIONS];
    uint8_t exceptionCount;
    uint8_t planeCount;    // 1 or 2; 0: the function has no such form
    uint8_t shift;
} swiftlet_fitted_table;

// Finds that form of table[input + 128], exactly, or that there is none.
void swiftlet_fit_table_s8(const int8_t *table, swiftlet_fitted_table *fitted);

// output[i] = table[input[i] + 128] for `count` values in each of `rows` rows, the strides apart. The output may be the
// input. `fitted` is null or what swiftlet_fit_table_s8 made of the table. Reads up to 63 bytes past the end of a row.
typedef struct {
    const int8_t *table;
    const swiftlet_fitted_table *fitted;
    const int8_t *input;
    int8_t *output;
    intptr_t inputStride;
    intptr_t outputStride;
    intptr_t count;
    intptr_t rows;
} swiftlet_table_s8_arguments;

// output[c] = maximum over y < rows, x < columns of input[y * rowStride + x * columnStride + c]; -128 where there are none.
typedef struct {
    const int8_t *input;
    intptr_t columnStride;
    intptr_t rowStride;
    int32_t columns;
    int32_t rows;
    int32_t channels;
    int8_t *output;
} swiftlet_maximum_s8_arguments;

// sums[c] = sum over the same values; 0 where there are none. At most 2^24 of them.
typedef struct {
    const int8_t *input;
    intptr_t columnStride;
    intptr_t rowStride;
    int32_t columns;
    int32_t rows;
    int32_t channels;
    int32_t *sums;
} swiftlet_sum_s8_arguments;

// One row of a bilinear resize. With values a, b of the top row and c, d of the bottom row at columns left[x], right[x],
// all minus inputZeroPoint, as float:
//   upper = a + (b - a) * columnWeights[x], lower = c + (d - c) * columnWeights[x]
//   output[x] = quantizedStep((upper + (lower - upper) * rowWeight) * multiplier), not clamped but to int8
typedef struct {
    const int8_t *top;
    const int8_t *bottom;
    intptr_t inputPixelStride;
    const int32_t *left;
    const int32_t *right;
    const float *columnWeights;
    float rowWeight;
    float multiplier;
    int8_t *output;
    intptr_t outputPixelStride;
    int32_t width;
    int32_t channels;
    int32_t inputZeroPoint;
    int32_t zeroPoint;
} swiftlet_bilinear_s8_arguments;

// The same on stored integers, weights in 1/2048, 0...2048:
//   upper = 2048 * a + (b - a) * columnWeights[x], lower = 2048 * c + (d - c) * columnWeights[x]
//   output[x] = (2048 * upper + (lower - upper) * rowWeight + 2^21) >> 22
typedef struct {
    const int8_t *top;
    const int8_t *bottom;
    intptr_t inputPixelStride;
    const int32_t *left;
    const int32_t *right;
    const int32_t *columnWeights;
    int32_t rowWeight;
    int8_t *output;
    intptr_t outputPixelStride;
    int32_t width;
    int32_t channels;
} swiftlet_bilinearfixed_s8_arguments;

// A tile of a float convolution: acc = bias[o]; then for tap, input in order acc += weight * row, product and sum each
// rounded; clamped to [lowest, highest].
typedef struct {
    const float *const *rows;
    const float *weights;
    const float *bias;
    float *output;
    intptr_t outputPixelStride;    // in elements
    int32_t taps;
    int32_t inputs;
    int32_t pixels;
    int32_t channels;
    float lowest;
    float highest;
} swiftlet_gemm_f32_arguments;

// A tile of a float depthwise convolution; weights are [tap][channels filled up to 8].
typedef struct {
    const float *const *rows;
    const float *weights;
    const float *bias;
    float *output;
    intptr_t outputPixelStride;
    int32_t taps;
    int32_t pixels;
    int32_t channels;
    float lowest;
    float highest;
} swiftlet_depthwise_f32_arguments;

// Arguments of a tile of an int8 convolution whose weights are sparse: blocks of four, in the order of the channels.
// Block i of a channel lies in quad (counted over all taps) gaps[0] + ... + gaps[i]; the channel's bytes of gaps hold two
// each, the first in the low half, and start at a byte.
//   acc = bias[o] + sum over block, input of weight * rows[tap * pixels + pixel][4 * quad + input]
// Rows and weights are read up to 15 bytes past their ends. `packed` has 4 * taps * quads bytes for each pixel of the tile,
// their number rounded up to a multiple of 8. A kernel of family sparse_u8s8 counts inputs from -128: its bias is
// bias - 128 * sum of the channel's weights. No weight is -128, and no pair of a block's weights, first two or last two,
// sums up to less than -128 or more than 128.
typedef struct {
    const int8_t *const *rows;
    uint8_t *packed;
    const uint16_t *counts;
    const uint8_t *gaps;
    const int8_t *weights;
    const int32_t *bias;
    const float *scales;
    int8_t *output;
    intptr_t outputPixelStride;
    int32_t taps;
    int32_t quads;
    int32_t pixels;
    int32_t channels;
    int32_t zeroPoint;
    int32_t lowest;
    int32_t highest;
} swiftlet_sparse_s8_arguments;

typedef union {
    void (*gemm_s8)(const swiftlet_gemm_s8_arguments *);
    void (*gemm_u8s8)(const swiftlet_gemm_u8s8_arguments *);
    void (*pack_u8)(const swiftlet_pack_u8_arguments *);
    void (*depthwise_s8)(const swiftlet_depthwise_s8_arguments *);
    void (*add_s8)(const swiftlet_add_s8_arguments *);
    void (*mul_s8)(const swiftlet_mul_s8_arguments *);
    void (*table_s8)(const swiftlet_table_s8_arguments *);
    void (*gemm_f32)(const swiftlet_gemm_f32_arguments *);
    void (*depthwise_f32)(const swiftlet_depthwise_f32_arguments *);
    // As gemm_s8 and depthwise_s8, for NEON kernels which, unlike those, are exact with weights of -128, and
    // with a weight offset of a depthwise convolution, too.
    void (*gemmany_s8)(const swiftlet_gemm_s8_arguments *);
    void (*depthwiseany_s8)(const swiftlet_depthwise_s8_arguments *);
    // By kernel size.
    void (*depthwise3x3_s8)(const swiftlet_depthwise_rows_s8_arguments *);
    void (*depthwise5x5_s8)(const swiftlet_depthwise_rows_s8_arguments *);
    void (*scan_s8)(const swiftlet_scan_s8_arguments *);
    void (*maximum_s8)(const swiftlet_maximum_s8_arguments *);
    void (*sum_s8)(const swiftlet_sum_s8_arguments *);
    void (*bilinear_s8)(const swiftlet_bilinear_s8_arguments *);
    void (*bilinearfixed_s8)(const swiftlet_bilinearfixed_s8_arguments *);
    void (*gemmpacked_s8)(const swiftlet_gemm_tiles_arguments *);
    void (*gemmchain_s8)(const swiftlet_gemm_tiles_arguments *);
    void (*pack_s8)(const swiftlet_pack_s8_arguments *);
    void (*winoinput_s8)(const swiftlet_winoinput_s8_arguments *);
    void (*winoweights_s8)(const swiftlet_winoweights_s8_arguments *);
    void (*winogemm_s8)(const swiftlet_winogemm_s8_arguments *);
    void (*winograd_s8)(const swiftlet_winograd_s8_arguments *);
    void (*sparse_s8)(const swiftlet_sparse_s8_arguments *);
    void (*sparse_u8s8)(const swiftlet_sparse_s8_arguments *);
    void (*gemm_s16s8)(const swiftlet_gemm_s16s8_arguments *);
    void (*widen_s8)(const swiftlet_widen_s8_arguments *);
} swiftlet_kernel_function;

// Families, in the order of the union.
enum {
    SWIFTLET_FAMILY_gemm_s8 = 0,
    SWIFTLET_FAMILY_gemm_u8s8 = 1,
    SWIFTLET_FAMILY_pack_u8 = 2,
    SWIFTLET_FAMILY_depthwise_s8 = 3,
    SWIFTLET_FAMILY_add_s8 = 4,
    SWIFTLET_FAMILY_mul_s8 = 5,
    SWIFTLET_FAMILY_table_s8 = 6,
    SWIFTLET_FAMILY_gemm_f32 = 7,
    SWIFTLET_FAMILY_depthwise_f32 = 8,
    SWIFTLET_FAMILY_gemmany_s8 = 9,
    SWIFTLET_FAMILY_depthwiseany_s8 = 10,
    SWIFTLET_FAMILY_depthwise3x3_s8 = 11,
    SWIFTLET_FAMILY_depthwise5x5_s8 = 12,
    SWIFTLET_FAMILY_scan_s8 = 13,
    SWIFTLET_FAMILY_maximum_s8 = 14,
    SWIFTLET_FAMILY_sum_s8 = 15,
    SWIFTLET_FAMILY_bilinear_s8 = 16,
    SWIFTLET_FAMILY_bilinearfixed_s8 = 17,
    SWIFTLET_FAMILY_gemmpacked_s8 = 18,
    SWIFTLET_FAMILY_gemmchain_s8 = 19,
    SWIFTLET_FAMILY_pack_s8 = 20,
    SWIFTLET_FAMILY_winoinput_s8 = 21,
    SWIFTLET_FAMILY_winoweights_s8 = 22,
    SWIFTLET_FAMILY_winogemm_s8 = 23,
    SWIFTLET_FAMILY_winograd_s8 = 24,
    SWIFTLET_FAMILY_sparse_s8 = 25,
    SWIFTLET_FAMILY_sparse_u8s8 = 26,
    SWIFTLET_FAMILY_gemm_s16s8 = 27,
    SWIFTLET_FAMILY_widen_s8 = 28,
};

// Instruction sets, numbered as `ISA` in Swift.
enum {
    SWIFTLET_ISA_SCALAR = 0,
    SWIFTLET_ISA_AVX2 = 1,
    SWIFTLET_ISA_NEON = 2,
    SWIFTLET_ISA_DOTPROD = 3,
    SWIFTLET_ISA_I8MM = 4,
    SWIFTLET_ISA_AVXVNNI = 5,
    SWIFTLET_ISA_AVX512VNNI = 6,
};

// Where a kernel is compiled.
enum {
    SWIFTLET_ARCHITECTURES_SWIFT = 0,
    SWIFTLET_ARCHITECTURES_X86 = 1,
    SWIFTLET_ARCHITECTURES_ARM = 2,
    SWIFTLET_ARCHITECTURES_ARM64 = 3,
};

typedef struct {
    const char *name;
    swiftlet_kernel_function function;    // null members where not compiled for this architecture, or written in Swift
    uint8_t isa;
    uint8_t family;
    uint8_t pixels;
    uint8_t channels;
    uint8_t architectures;                // SWIFTLET_ARCHITECTURES_...
    uint8_t isCompiled;                   // exists in this binary
} swiftlet_kernel;

int32_t swiftlet_kernel_count(void);
const swiftlet_kernel *swiftlet_kernel_at(int32_t index);

// Which kernels have run since the start of the process; one byte each.
void swiftlet_kernel_mark_executed(int32_t index);
uint8_t swiftlet_kernel_was_executed(int32_t index);
