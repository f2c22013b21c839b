#pragma once
#include <stdint.h>

// Streams, sleeping, signals and directories: errno, struct and constant forms that only C headers know. A result below 0
// is a negated errno value.

// Opens for reading. A FIFO waits for its writer.
int32_t swiftlet_open_for_reading(const char *path);
// Opens for appending to an empty file, made or emptied.
int32_t swiftlet_open_for_writing(const char *path);
void swiftlet_close(int32_t descriptor);
// Bytes read, 0 at the end. Returns -EINTR (4) only when a stop was requested.
int64_t swiftlet_read(int32_t descriptor, void *buffer, uint64_t capacity);
// Puts the stream's position back; -ESPIPE (29) for pipes.
int32_t swiftlet_rewind(int32_t descriptor);
// All bytes, or a negated errno value.
int32_t swiftlet_write_all(int32_t descriptor, const void *bytes, uint64_t byteCount);
int32_t swiftlet_sync(int32_t descriptor);
int32_t swiftlet_rename(const char *from, const char *to);
int32_t swiftlet_remove(const char *path);
// At most capacity bytes of a small file, as under /proc and /sys: bytes read, or a negated errno value.
int64_t swiftlet_read_small_file(const char *path, void *buffer, uint64_t capacity);
// 0: nothing there, 1: a regular file, 2: a directory, 3: a character device, 4: something else.
int32_t swiftlet_file_kind(const char *path);

// Sleeps until that moment of CLOCK_MONOTONIC; 0, or -EINTR (4) when a stop was requested.
int32_t swiftlet_sleep_until(uint64_t nanoseconds);
// Nanoseconds since 1970.
uint64_t swiftlet_unix_nanoseconds(void);

// The command line as the C library got it: the start-up code of Embedded Swift keeps none.
int32_t swiftlet_argument_count(void);
const char *swiftlet_argument(int32_t index);

// SIGINT and SIGTERM request a stop (a second one of the same kind kills, as usual); SIGPIPE is ignored, so that writing
// to a closed pipe gives EPIPE (32).
void swiftlet_catch_signals(void);
// The signal that requested a stop, or 0.
int32_t swiftlet_stop_signal(void);
// Requests a stop, or with 0 forgets one: for tests.
void swiftlet_set_stop_signal(int32_t signal);

// Names in a directory, "." and ".." left out. Null with the negated errno value in *error.
typedef struct swiftlet_directory swiftlet_directory;
swiftlet_directory *swiftlet_directory_open(const char *path, int32_t *error);
// The next name, valid until the next call; null at the end.
const char *swiftlet_directory_next(swiftlet_directory *directory);
void swiftlet_directory_close(swiftlet_directory *directory);

// Ends the process through the C library's exit.
_Noreturn void swiftlet_exit(int32_t code);
