#if defined(__x86_64__)
#include "avx2.h"

// `count` values, and up to 15 more.
SWIFTLET_AVX2_INLINE void fill(int16_t *output, intptr_t count, __m256i value) {
    for (intptr_t i = 0; i < count; i += 16) _mm256_storeu_si256((__m256i *)(output + i), value);
}

SWIFTLET_AVX2_INLINE void widen(const int8_t *input, intptr_t count, int16_t *output) {
    for (intptr_t i = 0; i < count; i += 16) {
        const __m128i bytes = _mm_loadu_si128((const __m128i *)(input + i));
        _mm256_storeu_si256((__m256i *)(output + i), _mm256_cvtepi8_epi16(bytes));
    }
}

SWIFTLET_AVX2 void swiftlet_widen_s8_1x16__avx2(const swiftlet_widen_s8_arguments *a) {
    const swiftlet_image_s8 *image = &a->image;
    const __m256i padding = _mm256_set1_epi16(image->padding[0]);
    const intptr_t inputs = a->inputs;
    const int32_t columns = (a->pixels - 1) * image->strideX + image->kernelWidth;
    const int32_t x = a->first * image->strideX - image->padLeft;
    // Columns to the left of the image, then those inside.
    const int32_t outside = x < 0 ? -x : 0;
    const int32_t left = outside < columns ? outside : columns;
    const int32_t width = image->width - (x + left);
    const int32_t inside = width < 0 ? 0 : width < columns - left ? width : columns - left;
    int32_t y = a->row * image->strideY - image->padTop;
    int16_t *output = a->output;
    for (int32_t ky = 0; ky < image->kernelHeight; ky++, y += image->dilationY, output += a->rowStride) {
        if ((uint32_t)y >= (uint32_t)image->height || inside == 0) {
            fill(output, columns * inputs, padding);
            continue;
        }
        const int8_t *input = image->input + ((intptr_t)y * image->width + x + left) * image->pixelStride;
        int16_t *next = output;
        fill(next, left * inputs, padding);
        next += left * inputs;
        if (image->pixelStride == inputs) {
            widen(input, inside * inputs, next);
            next += inside * inputs;
        } else {
            for (int32_t i = 0; i < inside; i++, input += image->pixelStride, next += inputs) widen(input, inputs, next);
        }
        fill(next, (columns - left - inside) * inputs, padding);
    }
}
#endif
