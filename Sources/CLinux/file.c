#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include "swiftlet_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_retrying(const char *path, int flags, mode_t mode) {
    int fd;
    do { fd = open(path, flags | O_CLOEXEC, mode); } while (fd < 0 && errno == EINTR);
    return fd;
}

int32_t swiftlet_file_map(const char *path, const void **bytes, uint64_t *byteCount, const char **failedCall) {
    *bytes = NULL;
    *byteCount = 0;
    *failedCall = "open";
    // O_NONBLOCK: opening a FIFO must not wait for a writer; regular files ignore it.
    int fd = open_retrying(path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0) return errno;
    struct stat status;
    int32_t result = 0;
    *failedCall = "fstat";
    if (fstat(fd, &status) != 0) {
        result = errno;
    } else if (S_ISDIR(status.st_mode)) {
        result = EISDIR;
    } else if (!S_ISREG(status.st_mode)) {
        result = ENODEV;
    } else if ((uint64_t)status.st_size > (uint64_t)(SIZE_MAX / 2)) {
        result = EFBIG;
    } else if (status.st_size > 0) {
        *failedCall = "mmap";
        void *map = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (map == MAP_FAILED) {
            result = errno;
        } else {
            *bytes = map;
            *byteCount = (uint64_t)status.st_size;
        }
    }
    close(fd);
    return result;
}

void swiftlet_file_unmap(const void *bytes, uint64_t byteCount) {
    if (byteCount > 0) munmap((void *)(uintptr_t)bytes, (size_t)byteCount);
}

int32_t swiftlet_file_replace(
    const char *path, const void *bytes, uint64_t byteCount, const char **failedCall) {
    size_t length = strlen(path);
    *failedCall = "malloc";
    char *temporary = malloc(length + 32);
    if (!temporary) return ENOMEM;
    snprintf(temporary, length + 32, "%s.%ld.part", path, (long)getpid());

    int32_t result = 0;
    *failedCall = "open";
    int fd = open_retrying(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0) {
        result = errno;
        free(temporary);
        return result;
    }
    const char *next = bytes;
    uint64_t left = byteCount;
    *failedCall = "write";
    while (left > 0 && result == 0) {
        ssize_t written = write(fd, next, left > (1u << 30) ? (1u << 30) : (size_t)left);
        if (written >= 0) {
            next += written;
            left -= (uint64_t)written;
        } else if (errno != EINTR) {
            result = errno;
        }
    }
    if (result == 0) {
        *failedCall = "fsync";
        while (fsync(fd) != 0) {
            if (errno == EINTR) continue;
            // Some file systems have no sync; the data is as safe as they make it.
            if (errno != EINVAL && errno != EROFS) result = errno;
            break;
        }
    }
    if (close(fd) != 0 && result == 0 && errno != EINTR) {
        *failedCall = "close";
        result = errno;
    }
    if (result == 0 && rename(temporary, path) != 0) {
        *failedCall = "rename";
        result = errno;
    }
    if (result != 0) unlink(temporary);
    free(temporary);
    return result;
}

void swiftlet_error_text(int32_t code, char *buffer, uint64_t capacity) {
    if (capacity == 0) return;
    char scratch[256];
    const char *text = strerror_r(code, scratch, sizeof scratch);
    snprintf(buffer, (size_t)capacity, "%s", text);
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SWIFTLET_WATCHES_ENDS 1
#endif
#endif

void *swiftlet_aligned_allocate(uint64_t byteCount) {
    if (byteCount > SIZE_MAX / 2) return NULL;
    const size_t size = byteCount == 0 ? 64 : (size_t)byteCount;
#if SWIFTLET_WATCHES_ENDS
    void *memory = NULL;
    if (posix_memalign(&memory, 64, size) != 0) return NULL;
    return memset(memory, 0, size);
#else
    // All pages at once: one by one, as they are first written, takes longer.
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
#endif
}

void swiftlet_aligned_free(void *memory, uint64_t byteCount) {
#if SWIFTLET_WATCHES_ENDS
    free(memory);
#else
    munmap(memory, byteCount == 0 ? 64 : (size_t)byteCount);
#endif
}
