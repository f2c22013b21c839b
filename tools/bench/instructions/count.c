// A plugin of qemu-user (interface version 1, qemu 6 to 8) that counts executed instructions, exactly, per symbol of the program.
// Arguments: out=FILE, where the counts go at exit, one line "COUNT SYMBOL" a symbol, largest first is not promised.
// The few declarations of the plugin interface that it needs are its own: Debian packages no header.
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef struct qemu_info_t qemu_info_t;

enum { QEMU_PLUGIN_INLINE_ADD_U64 = 0 };

extern void qemu_plugin_register_vcpu_tb_trans_cb(
    qemu_plugin_id_t id, void (*callback)(qemu_plugin_id_t id, struct qemu_plugin_tb *block));
extern void qemu_plugin_register_vcpu_tb_exec_inline(
    struct qemu_plugin_tb *block, int operation, void *counter, uint64_t amount);
extern void qemu_plugin_register_atexit_cb(
    qemu_plugin_id_t id, void (*callback)(qemu_plugin_id_t id, void *data), void *data);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
extern const char *qemu_plugin_insn_symbol(const struct qemu_plugin_insn *instruction);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

// Counters by name, in an open hash table. A block of code lies in one symbol: a symbol ends with a jump.
enum { slots = 1 << 16 };
static struct {
    char *name;
    uint64_t count;
} table[slots];
static char *path;

static uint64_t *counter(const char *name) {
    uint32_t hash = 2166136261u;
    for (const char *c = name; *c; c++) hash = (hash ^ (uint8_t)*c) * 16777619u;
    for (uint32_t i = hash % slots, tries = 0; tries < slots; i = (i + 1) % slots, tries++) {
        if (!table[i].name) table[i].name = strdup(name);
        if (!strcmp(table[i].name, name)) return &table[i].count;
    }
    fprintf(stderr, "count: more than %d symbols\n", slots);
    abort();
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
    (void)id;
    const char *symbol = qemu_plugin_insn_symbol(qemu_plugin_tb_get_insn(block, 0));
    qemu_plugin_register_vcpu_tb_exec_inline(
        block, QEMU_PLUGIN_INLINE_ADD_U64, counter(symbol ? symbol : "?"), qemu_plugin_tb_n_insns(block));
}

static void finished(qemu_plugin_id_t id, void *data) {
    (void)id;
    (void)data;
    FILE *file = fopen(path, "w");
    if (!file) {
        perror(path);
        abort();
    }
    for (int i = 0; i < slots; i++) {
        if (table[i].count) fprintf(file, "%llu %s\n", (unsigned long long)table[i].count, table[i].name);
    }
    if (fclose(file)) {
        perror(path);
        abort();
    }
}

__attribute__((visibility("default"))) int qemu_plugin_install(
    qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "out=", 4)) path = strdup(argv[i] + 4);
    }
    if (!path) {
        fprintf(stderr, "count: give out=FILE\n");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, finished, NULL);
    return 0;
}
