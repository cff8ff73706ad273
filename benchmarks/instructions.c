/* A plugin for QEMU's emulation: counts the guest's instructions, and writes the count into the file `out` each
 * time the guest calls getsid(2), or on a bare machine runs a function `mark`: the begin and the end of what is measured.
 *
 *   cc -O2 -shared -fPIC -o instructions.so instructions.c
 *   QEMU_PLUGIN=./instructions.so,out=counts.txt qemu-aarch64 ...
 *
 * Debian has no header for plugins: what is used of the plugin API, version 1, is declared here.
 * Source: QEMU documentation, "TCG Plugins".
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef uint64_t plugin_id;
struct tb;
typedef struct {
    const char *target_name;
    struct { int min, cur; } version;
    bool system_emulation;
} info;
typedef void (*on_translation)(plugin_id, struct tb *);
typedef void (*on_syscall)(plugin_id, unsigned, int64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                           uint64_t, uint64_t);
enum { INLINE_ADD_U64 = 0 };
enum { GETSID_ARM64 = 156, GETSID_ARM = 147, GETSID_X86_64 = 124, GETSID_RISCV = GETSID_ARM64 };
typedef void (*on_execution)(unsigned cpu, void *);
enum { NO_REGISTERS = 0 };
struct insn;

size_t qemu_plugin_tb_n_insns(const struct tb *);
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, on_translation);
void qemu_plugin_register_vcpu_tb_exec_inline(struct tb *, int operation, void *counter, uint64_t value);
void qemu_plugin_register_vcpu_syscall_cb(plugin_id, on_syscall);
struct insn *qemu_plugin_tb_get_insn(const struct tb *, size_t);
const char *qemu_plugin_insn_symbol(const struct insn *);
void qemu_plugin_register_vcpu_insn_exec_cb(struct insn *, on_execution, int, void *);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

static uint64_t executed;
static int64_t getsid;
static bool is_bare;  // no system that is called
static FILE *out;

static void write_count(unsigned cpu, void *nothing) {
    fprintf(out, "%llu\n", (unsigned long long)executed);
    fflush(out);
}

static void translated(plugin_id id, struct tb *block) {
    qemu_plugin_register_vcpu_tb_exec_inline(block, INLINE_ADD_U64, &executed, qemu_plugin_tb_n_insns(block));
    const char *symbol = is_bare ? qemu_plugin_insn_symbol(qemu_plugin_tb_get_insn(block, 0)) : NULL;
    if (symbol && !strcmp(symbol, "mark"))
        qemu_plugin_register_vcpu_insn_exec_cb(qemu_plugin_tb_get_insn(block, 0), write_count, NO_REGISTERS, NULL);
}

static void called(plugin_id id, unsigned cpu, int64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                   uint64_t e, uint64_t f, uint64_t g, uint64_t h) {
    if (number == getsid) write_count(cpu, NULL);
}

__attribute__((visibility("default"))) int qemu_plugin_install(plugin_id id, const info *host, int argc, char **argv) {
    const char *target = host->target_name;
    getsid = !strcmp(target, "aarch64") ? GETSID_ARM64 : !strcmp(target, "x86_64") ? GETSID_X86_64 : GETSID_ARM;
    if (!strncmp(target, "riscv", 5)) getsid = GETSID_RISCV;
    is_bare = host->system_emulation;
    for (int i = 0; i < argc; i++)
        if (!strncmp(argv[i], "out=", 4)) out = fopen(argv[i] + 4, "w");
    if (!out) return 1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    return 0;
}
