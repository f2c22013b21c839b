#pragma once
#include <stdint.h>

// Whole-file operations. Each gives 0 or an errno value, and names the system call that failed: open, mmap, off_t and
// errno have ABI-dependent forms that only C headers know. EINTR is retried here, once for everybody.

// Maps a regular file read-only. An empty file gives a null pointer and size 0.
int32_t swiftlet_file_map(const char *path, const void **bytes, uint64_t *byteCount, const char **failedCall);
void swiftlet_file_unmap(const void *bytes, uint64_t byteCount);

// Puts byteCount bytes into path: written to a temporary file beside it, synced, renamed over it. On failure path is as
// it was and the temporary file is gone.
int32_t swiftlet_file_replace(
    const char *path, const void *bytes, uint64_t byteCount, const char **failedCall);

// The system's text for an errno value, NUL-terminated, cut to capacity.
void swiftlet_error_text(int32_t code, char *buffer, uint64_t capacity);

// 64-byte aligned, zero-filled memory of its own pages; null when there is none. Freed with the same count.
void *swiftlet_aligned_allocate(uint64_t byteCount);
void swiftlet_aligned_free(void *memory, uint64_t byteCount);
