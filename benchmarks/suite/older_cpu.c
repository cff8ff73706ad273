// Lets libraries of this process see a CPU that has AVX2 and nothing newer. Libraries ask a CPU what it has by the instruction
// cpuid. Each of theirs becomes ud2, which no CPU executes; the signal's handler then answers for cpuid.
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { CPUID = 0xA20F, UD2 = 0x0B0F, SIZE = 2, PAGE = 4096 };
// The bits of leaf 7 for AVX-512, AVX-VNNI, AVX10 and AMX, and for what comes with them. Source: Intel's Software Developer's
// Manual, volume 2, CPUID.
enum { NEWER_1_EAX = 1 << 4 | 1 << 5 | 1 << 21 | 1 << 23 };
static const unsigned newer_ebx = 1u << 16 | 1u << 17 | 1u << 21 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 30 | 1u << 31;
static const unsigned newer_ecx = 1u << 1 | 1u << 6 | 1u << 8 | 1u << 9 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 14;
static const unsigned newer_edx = 1u << 2 | 1u << 3 | 1u << 8 | 1u << 22 | 1u << 23 | 1u << 24 | 1u << 25;

static void answer(int number, siginfo_t *info, void *context) {
    greg_t *const registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const unsigned leaf = (unsigned)registers[REG_RAX], part = (unsigned)registers[REG_RCX];
    unsigned a, b, c, d;
    __cpuid_count(leaf, part, a, b, c, d);
    if (leaf == 7 && part == 0) b &= ~newer_ebx, c &= ~newer_ecx, d &= ~newer_edx;
    if (leaf == 7 && part == 1) a &= ~(unsigned)NEWER_1_EAX, b = 0, c = 0, d = 0;
    registers[REG_RAX] = a, registers[REG_RBX] = b, registers[REG_RCX] = c, registers[REG_RDX] = d;
    registers[REG_RIP] += SIZE;
    (void)number, (void)info;
}

// Changes what stands at `count` addresses. How many were cpuid; -1 if the system does not allow it.
int make_older(const uint64_t *addresses, int count) {
    struct sigaction action = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO};
    int changed = 0;
    if (sigaction(SIGILL, &action, 0)) return -1;
    for (int i = 0; i < count; i++) {
        uint8_t *const code = (uint8_t *)addresses[i];
        void *const page = (void *)(addresses[i] & -(uint64_t)PAGE);
        if ((code[0] | code[1] << 8) != CPUID) continue;
        if (mprotect(page, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC)) return -1;
        code[1] = UD2 >> 8;
        if (mprotect(page, 2 * PAGE, PROT_READ | PROT_EXEC)) return -1;
        changed++;
    }
    return changed;
}
