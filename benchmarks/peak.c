// How many int8 multiply-accumulates a nanosecond this CPU's dot-product instruction does: sixteen independent chains of it.
// Prints the best of many rounds; nothing where the CPU has no such instruction.
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <time.h>

#define REPEATED(one) one(0) one(1) one(2) one(3) one(4) one(5) one(6) one(7) one(8) one(9) one(10) one(11) one(12) one(13) one(14) one(15)

#if defined __x86_64__
#define DOT(n) "vpdpbusd %%zmm30, %%zmm31, %%zmm" #n "\n"
enum { PRODUCTS = 64 };
#include <cpuid.h>
static int has_dot_product(void) {
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && c >> 11 & 1;
}
#define LOOP(rounds) \
    __asm__ volatile("1:\n" REPEATED(DOT) "dec %0\njnz 1b" : "+r"(rounds) : : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", \
                     "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15")
#elif defined __aarch64__
#include <sys/auxv.h>
#define DOT(n) "sdot v" #n ".4s, v30.16b, v31.16b\n"
enum { PRODUCTS = 16 };
static int has_dot_product(void) { return getauxval(16) >> 20 & 1; }
#define LOOP(rounds) \
    __asm__ volatile(".arch armv8.2-a+dotprod\n1:\n" REPEATED(DOT) "subs %0, %0, #1\nb.ne 1b" : "+r"(rounds) : : "cc", "v0", \
                     "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15")
#endif

static double nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

int main(void) {
    enum { TRIES = 300, ROUNDS = 20000, CHAINS = 16 };
    if (!has_dot_product()) return 0;
    double best = 1e30;
    for (int i = 0; i < TRIES; i++) {
        long rounds = ROUNDS;
        const double start = nanoseconds();
        LOOP(rounds);
        const double taken = nanoseconds() - start;
        best = taken < best ? taken : best;
    }
    printf("%.2f\n", (double)ROUNDS * CHAINS * PRODUCTS / best);
    return 0;
}
