// 32-bit RISC-V under QEMU's user emulation: start, and words by Linux's calls.
#include <stddef.h>
#include <stdint.h>

static int system_call(int number, int one, const void *other, int third) {
    register int a0 __asm__("a0") = one;
    register const void *a1 __asm__("a1") = other;
    register int a2 __asm__("a2") = third;
    register int a7 __asm__("a7") = number;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
    return a0;
}

static inline uint8_t *stack_pointer(void) {
    uint8_t *pointer;
    __asm__ volatile("mv %0, sp" : "=r"(pointer));
    return pointer;
}

static void say(const char *words) {
    int size = 0;
    while (words[size]) size++;
    system_call(64, 1, words, size);
}

static _Noreturn void leave(int status) {
    system_call(93, status, 0, 0);
    for (;;) {}
}

// getsid(2), at which the benchmark's plugin writes its count.
static void mark(void) { system_call(156, 0, 0, 0); }

static void measure(void);

__attribute__((used)) void begin(void) { measure(); }
__asm__(".globl _start\n_start:\n.option push\n.option norelax\nla gp, __global_pointer$\n.option pop\nandi sp, sp, -16\nj begin\n");
