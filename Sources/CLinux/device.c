#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include "swiftlet_device.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t stop_signal;

static void request_stop(int signal) { stop_signal = signal; }

void swiftlet_catch_signals(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    action.sa_handler = request_stop;
    // No SA_RESTART: a read or sleep under way ends with EINTR.
    action.sa_flags = (int)SA_RESETHAND;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    action.sa_handler = SIG_IGN;
    action.sa_flags = 0;
    sigaction(SIGPIPE, &action, NULL);
}

int32_t swiftlet_stop_signal(void) { return stop_signal; }
void swiftlet_set_stop_signal(int32_t signal) { stop_signal = signal; }

static int32_t open_retrying(const char *path, int flags) {
    for (;;) {
        int descriptor = open(path, flags | O_CLOEXEC, 0666);
        if (descriptor >= 0) return descriptor;
        if (errno != EINTR || stop_signal) return -errno;
    }
}

int32_t swiftlet_open_for_reading(const char *path) { return open_retrying(path, O_RDONLY); }
int32_t swiftlet_open_for_writing(const char *path) { return open_retrying(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND); }
void swiftlet_close(int32_t descriptor) { close(descriptor); }

// Longest time, in milliseconds, that a signal which came right before a system call goes unnoticed.
enum { stop_latency = 100 };

int64_t swiftlet_read(int32_t descriptor, void *buffer, uint64_t capacity) {
    if (capacity > 1u << 30) capacity = 1u << 30;
    for (;;) {
        if (stop_signal) return -EINTR;
        struct pollfd ready = {descriptor, POLLIN, 0};
        int readyCount = poll(&ready, 1, stop_latency);
        if (readyCount == 0 || (readyCount < 0 && errno == EINTR)) continue;
        ssize_t count = read(descriptor, buffer, (size_t)capacity);
        if (count >= 0) return count;
        if (errno != EINTR) return -errno;
    }
}

int32_t swiftlet_rewind(int32_t descriptor) { return lseek(descriptor, 0, SEEK_SET) < 0 ? -errno : 0; }

int32_t swiftlet_write_all(int32_t descriptor, const void *bytes, uint64_t byteCount) {
    const char *next = bytes;
    while (byteCount > 0) {
        ssize_t count = write(descriptor, next, byteCount > (1u << 30) ? (1u << 30) : (size_t)byteCount);
        if (count >= 0) {
            next += count;
            byteCount -= (uint64_t)count;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

int32_t swiftlet_sync(int32_t descriptor) {
    while (fdatasync(descriptor) != 0) {
        if (errno == EINTR) continue;
        // Pipes and some file systems have no sync; the data is as safe as they make it.
        return errno == EINVAL || errno == EROFS ? 0 : -errno;
    }
    return 0;
}

int32_t swiftlet_rename(const char *from, const char *to) { return rename(from, to) == 0 ? 0 : -errno; }
int32_t swiftlet_remove(const char *path) { return unlink(path) == 0 ? 0 : -errno; }

int64_t swiftlet_read_small_file(const char *path, void *buffer, uint64_t capacity) {
    int32_t descriptor = open_retrying(path, O_RDONLY | O_NONBLOCK);
    if (descriptor < 0) return descriptor;
    uint64_t used = 0;
    int64_t result = 0;
    while (used < capacity) {
        ssize_t count = read(descriptor, (char *)buffer + used, (size_t)(capacity - used));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) result = -errno;
        if (count <= 0) break;
        used += (uint64_t)count;
    }
    close(descriptor);
    return used > 0 ? (int64_t)used : result;
}

int32_t swiftlet_file_kind(const char *path) {
    struct stat status;
    if (stat(path, &status) != 0) return 0;
    if (S_ISREG(status.st_mode)) return 1;
    if (S_ISDIR(status.st_mode)) return 2;
    if (S_ISCHR(status.st_mode)) return 3;
    return 4;
}

int32_t swiftlet_sleep_until(uint64_t nanoseconds) {
    for (;;) {
        if (stop_signal) return -EINTR;
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        uint64_t current = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
        if (current >= nanoseconds) return 0;
        uint64_t next = current + stop_latency * 1000000u;
        if (next > nanoseconds) next = nanoseconds;
        struct timespec moment = {(time_t)(next / 1000000000u), (long)(next % 1000000000u)};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &moment, NULL);
    }
}

uint64_t swiftlet_unix_nanoseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int argument_count;
static char **arguments;

// The C library hands the command line to constructors, too.
__attribute__((constructor)) static void keep_arguments(int count, char **values) {
    argument_count = count;
    arguments = values;
}

int32_t swiftlet_argument_count(void) { return argument_count; }
const char *swiftlet_argument(int32_t index) { return arguments[index]; }

swiftlet_directory *swiftlet_directory_open(const char *path, int32_t *error) {
    DIR *directory = opendir(path);
    *error = directory ? 0 : -errno;
    return (swiftlet_directory *)directory;
}

const char *swiftlet_directory_next(swiftlet_directory *directory) {
    struct dirent *entry;
    do {
        entry = readdir((DIR *)directory);
        if (!entry) return NULL;
    } while (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0);
    return entry->d_name;
}

void swiftlet_directory_close(swiftlet_directory *directory) { closedir((DIR *)directory); }

void swiftlet_exit(int32_t code) { exit(code); }
