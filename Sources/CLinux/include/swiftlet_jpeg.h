#pragma once
#include <stdint.h>

// Decoding of one JPEG at a time with libjpeg: C because its errors are longjmps and its structures bit fields.
// Memory of a decoder is kept from picture to picture: after a picture of the largest size, sequential pictures (all that
// cameras send) allocate nothing.

typedef struct swiftlet_jpeg swiftlet_jpeg;

typedef enum {
    swiftlet_jpeg_ok = 0,
    swiftlet_jpeg_not_jpeg = 1,
    // Data ended early; with decode, the rows that came are in the buffer.
    swiftlet_jpeg_truncated = 2,
    swiftlet_jpeg_corrupt = 3,
    // A coding process or colour space that libjpeg or this shim has no decoder for.
    swiftlet_jpeg_unsupported = 4,
    // More than the caller's buffer holds.
    swiftlet_jpeg_too_large = 5,
    swiftlet_jpeg_out_of_memory = 6,
} swiftlet_jpeg_status;

// Null when there is no memory.
swiftlet_jpeg *swiftlet_jpeg_create(void);
void swiftlet_jpeg_destroy(swiftlet_jpeg *decoder);

// Size and number of colour components of the picture in bytes.
int32_t swiftlet_jpeg_read_header(
    swiftlet_jpeg *decoder, const void *bytes, uint64_t byteCount, int32_t *width, int32_t *height,
    int32_t *components);

// Decodes at 1/denominator (1, 2, 4, 8) to 1 (gray) or 3 (RGB) bytes a pixel, rows without padding. DCT: accurate
// integer; chroma upsampling: triangle. Gray from colour is the Y component. *width and *height: what was decoded.
int32_t swiftlet_jpeg_decode(
    swiftlet_jpeg *decoder, const void *bytes, uint64_t byteCount, int32_t denominator, int32_t channels,
    uint8_t *pixels, uint64_t capacity, int32_t *width, int32_t *height);

// libjpeg's text about the last failure, NUL-terminated; empty after success.
const char *swiftlet_jpeg_message(const swiftlet_jpeg *decoder);

// Blocks of memory that all decoders together have asked the C library for, for tests.
uint64_t swiftlet_jpeg_allocation_count(void);
