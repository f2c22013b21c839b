#include "swiftlet_jpeg.h"

#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

// Per-picture memory: a chain of blocks that grows and is never given back before the decoder goes.
typedef struct block {
    struct block *next;
    size_t capacity;
    size_t used;
} block;

enum { alignment = 64, smallest_block = 1 << 16 };

struct swiftlet_jpeg {
    struct jpeg_decompress_struct info;
    struct jpeg_error_mgr errors;
    struct jpeg_memory_mgr library;
    jmp_buf escape;
    block *blocks;
    int32_t status;
    char message[JMSG_LENGTH_MAX];
};

static _Atomic uint64_t allocations;

uint64_t swiftlet_jpeg_allocation_count(void) { return atomic_load(&allocations); }

static swiftlet_jpeg *decoder_of(j_common_ptr info) { return info->client_data; }

static int32_t status_of(int code) {
    switch (code) {
    case JERR_NO_SOI:
    case JERR_INPUT_EMPTY: return swiftlet_jpeg_not_jpeg;
    case JWRN_JPEG_EOF:
    case JERR_INPUT_EOF:
    case JERR_NO_IMAGE: return swiftlet_jpeg_truncated;
    case JERR_SOF_UNSUPPORTED:
    case JERR_BAD_PRECISION:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_ARITH_NOTIMPL:
    case JERR_CCIR601_NOTIMPL:
    case JERR_FRACT_SAMPLE_NOTIMPL:
    case JERR_NOT_COMPILED: return swiftlet_jpeg_unsupported;
    case JERR_IMAGE_TOO_BIG:
    case JERR_WIDTH_OVERFLOW: return swiftlet_jpeg_too_large;
    case JERR_OUT_OF_MEMORY: return swiftlet_jpeg_out_of_memory;
    default: return swiftlet_jpeg_corrupt;
    }
}

static void note(j_common_ptr info) {
    swiftlet_jpeg *decoder = decoder_of(info);
    int32_t status = status_of(info->err->msg_code);
    // Truncation explains the warnings that follow from it, so it wins.
    if (decoder->status != swiftlet_jpeg_ok && status != swiftlet_jpeg_truncated) return;
    decoder->status = status;
    info->err->format_message(info, decoder->message);
}

static void on_error(j_common_ptr info) {
    note(info);
    longjmp(decoder_of(info)->escape, 1);
}

static void on_message(j_common_ptr info, int level) {
    if (level >= 0) return;
    info->err->num_warnings++;
    note(info);
}

static void on_output(j_common_ptr info) { (void)info; }

static void *take(swiftlet_jpeg *decoder, size_t size) {
    if (size > SIZE_MAX / 2) ERREXIT1(&decoder->info, JERR_OUT_OF_MEMORY, 1);
    size = (size + alignment - 1) / alignment * alignment;
    block **link = &decoder->blocks;
    for (; *link; link = &(*link)->next) {
        block *b = *link;
        if (b->capacity - b->used >= size) {
            void *memory = (uint8_t *)b + alignment + b->used;
            b->used += size;
            return memory;
        }
    }
    size_t capacity = size > smallest_block ? size : smallest_block;
    void *memory = NULL;
    if (posix_memalign(&memory, alignment, alignment + capacity) != 0) ERREXIT1(&decoder->info, JERR_OUT_OF_MEMORY, 2);
    atomic_fetch_add(&allocations, 1);
    block *b = memory;
    *b = (block){NULL, capacity, size};
    *link = b;
    return (uint8_t *)b + alignment;
}

static void *alloc_small(j_common_ptr info, int pool, size_t size) {
    swiftlet_jpeg *decoder = decoder_of(info);
    return pool == JPOOL_IMAGE ? take(decoder, size) : decoder->library.alloc_small(info, pool, size);
}

static void *alloc_large(j_common_ptr info, int pool, size_t size) {
    swiftlet_jpeg *decoder = decoder_of(info);
    return pool == JPOOL_IMAGE ? take(decoder, size) : decoder->library.alloc_large(info, pool, size);
}

static JSAMPARRAY alloc_sarray(j_common_ptr info, int pool, JDIMENSION samples, JDIMENSION rows) {
    swiftlet_jpeg *decoder = decoder_of(info);
    if (pool != JPOOL_IMAGE) return decoder->library.alloc_sarray(info, pool, samples, rows);
    // Rows as libjpeg makes them: aligned, with room for a SIMD store past the end.
    size_t stride = ((size_t)samples + 2 * alignment - 1) / alignment * alignment;
    if (rows > 0 && stride > SIZE_MAX / 4 / rows) ERREXIT(info, JERR_WIDTH_OVERFLOW);
    JSAMPARRAY result = take(decoder, rows * sizeof(JSAMPROW));
    JSAMPROW memory = take(decoder, stride * rows);
    for (JDIMENSION i = 0; i < rows; i++) result[i] = memory + i * stride;
    return result;
}

static JBLOCKARRAY alloc_barray(j_common_ptr info, int pool, JDIMENSION blocks, JDIMENSION rows) {
    swiftlet_jpeg *decoder = decoder_of(info);
    if (pool != JPOOL_IMAGE) return decoder->library.alloc_barray(info, pool, blocks, rows);
    JBLOCKARRAY result = take(decoder, rows * sizeof(JBLOCKROW));
    JBLOCKROW memory = take(decoder, (size_t)blocks * rows * sizeof(JBLOCK));
    for (JDIMENSION i = 0; i < rows; i++) result[i] = memory + (size_t)i * blocks;
    return result;
}

static void free_pool(j_common_ptr info, int pool) {
    swiftlet_jpeg *decoder = decoder_of(info);
    if (pool == JPOOL_IMAGE) {
        for (block *b = decoder->blocks; b; b = b->next) b->used = 0;
    }
    // The library's own part: virtual arrays of progressive pictures.
    decoder->library.free_pool(info, pool);
}

swiftlet_jpeg *swiftlet_jpeg_create(void) {
    swiftlet_jpeg *decoder = calloc(1, sizeof *decoder);
    if (!decoder) return NULL;
    atomic_fetch_add(&allocations, 1);
    decoder->info.err = jpeg_std_error(&decoder->errors);
    decoder->errors.error_exit = on_error;
    decoder->errors.emit_message = on_message;
    decoder->errors.output_message = on_output;
    decoder->info.client_data = decoder;
    if (setjmp(decoder->escape)) {
        jpeg_destroy_decompress(&decoder->info);
        free(decoder);
        return NULL;
    }
    jpeg_create_decompress(&decoder->info);
    decoder->library = *decoder->info.mem;
    decoder->info.mem->alloc_small = alloc_small;
    decoder->info.mem->alloc_large = alloc_large;
    decoder->info.mem->alloc_sarray = alloc_sarray;
    decoder->info.mem->alloc_barray = alloc_barray;
    decoder->info.mem->free_pool = free_pool;
    return decoder;
}

void swiftlet_jpeg_destroy(swiftlet_jpeg *decoder) {
    // The library frees its pools through free_pool and the rest by itself.
    jpeg_destroy_decompress(&decoder->info);
    while (decoder->blocks) {
        block *next = decoder->blocks->next;
        free(decoder->blocks);
        decoder->blocks = next;
    }
    free(decoder);
}

const char *swiftlet_jpeg_message(const swiftlet_jpeg *decoder) { return decoder->message; }

static void begin(swiftlet_jpeg *decoder, const void *bytes, uint64_t byteCount) {
    decoder->status = swiftlet_jpeg_ok;
    decoder->message[0] = 0;
    decoder->errors.num_warnings = 0;
    if (byteCount > (uint64_t)1 << 30) ERREXIT1(&decoder->info, JERR_IMAGE_TOO_BIG, JPEG_MAX_DIMENSION);
    jpeg_mem_src(&decoder->info, bytes, (unsigned long)byteCount);
    jpeg_read_header(&decoder->info, TRUE);
}

int32_t swiftlet_jpeg_read_header(
    swiftlet_jpeg *decoder, const void *bytes, uint64_t byteCount, int32_t *width, int32_t *height,
    int32_t *components) {
    if (setjmp(decoder->escape) == 0) {
        begin(decoder, bytes, byteCount);
        *width = (int32_t)decoder->info.image_width;
        *height = (int32_t)decoder->info.image_height;
        *components = decoder->info.num_components;
    }
    jpeg_abort_decompress(&decoder->info);
    return decoder->status;
}

static inline uint8_t divide_by_255(uint32_t product) {
    uint32_t t = product + 128;
    return (uint8_t)((t + (t >> 8)) >> 8);
}

// Ink to light: what is left of white after black, less the coloured ink's share of it.
static void convert_cmyk(const uint8_t *cmyk, uint8_t *out, int32_t width, int32_t channels, int inverted) {
    for (int32_t x = 0; x < width; x++, cmyk += 4) {
        uint32_t rgb[3];
        uint32_t light = inverted ? cmyk[3] : 255u - cmyk[3];
        for (int c = 0; c < 3; c++) {
            uint32_t ink = inverted ? 255u - cmyk[c] : cmyk[c];
            rgb[c] = light - divide_by_255(ink * light);
        }
        if (channels == 3) {
            for (int c = 0; c < 3; c++) *out++ = (uint8_t)rgb[c];
        } else {
            // BT.601 luma in 16 bits.
            *out++ = (uint8_t)((rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 32768) >> 16);
        }
    }
}

int32_t swiftlet_jpeg_decode(
    swiftlet_jpeg *decoder, const void *bytes, uint64_t byteCount, int32_t denominator, int32_t channels,
    uint8_t *pixels, uint64_t capacity, int32_t *width, int32_t *height) {
    struct jpeg_decompress_struct *info = &decoder->info;
    if (setjmp(decoder->escape) == 0) {
        begin(decoder, bytes, byteCount);
        info->scale_num = 1;
        info->scale_denom = (unsigned)denominator;
        info->dct_method = JDCT_ISLOW;
        info->do_fancy_upsampling = TRUE;
        int fromInk = info->jpeg_color_space == JCS_CMYK || info->jpeg_color_space == JCS_YCCK;
        info->out_color_space = fromInk ? JCS_CMYK : channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
        if (info->jpeg_color_space == JCS_UNKNOWN) ERREXIT(info, JERR_CONVERSION_NOTIMPL);
        jpeg_calc_output_dimensions(info);
        if ((uint64_t)info->output_width * info->output_height * (uint64_t)channels > capacity) {
            ERREXIT1(info, JERR_IMAGE_TOO_BIG, JPEG_MAX_DIMENSION);
        }
        // An interlaced or multi-scan picture of hostile size costs memory for all its coefficients.
        if (info->progressive_mode && (uint64_t)info->image_width * info->image_height > (uint64_t)1 << 26) {
            ERREXIT1(info, JERR_IMAGE_TOO_BIG, JPEG_MAX_DIMENSION);
        }
        jpeg_start_decompress(info);
        *width = (int32_t)info->output_width;
        *height = (int32_t)info->output_height;
        size_t stride = (size_t)info->output_width * (size_t)channels;
        JSAMPARRAY ink = NULL;
        if (fromInk) {
            ink = info->mem->alloc_sarray((j_common_ptr)info, JPOOL_IMAGE, info->output_width * 4, 1);
        }
        while (info->output_scanline < info->output_height) {
            uint8_t *row = pixels + (size_t)info->output_scanline * stride;
            if (fromInk) {
                jpeg_read_scanlines(info, ink, 1);
                convert_cmyk(ink[0], row, *width, channels, info->saw_Adobe_marker);
            } else {
                jpeg_read_scanlines(info, &row, 1);
            }
        }
        jpeg_finish_decompress(info);
        return decoder->status;
    }
    jpeg_abort_decompress(&decoder->info);
    return decoder->status;
}
