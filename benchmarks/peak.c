// How many multiply-accumulates a nanosecond this CPU does at most: sixteen independent chains of the instruction that does
// most of them, for int8 (products of int8 summed in int32: a dot product, or of int16 where there is none) and for float32.
// Prints a line for each type it has a loop for: the type, and the best of many rounds.
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <time.h>

#define REPEATED(one) one(0) one(1) one(2) one(3) one(4) one(5) one(6) one(7) one(8) one(9) one(10) one(11) one(12) one(13)
#define CHAINS 14

static double nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double best_per_ns(void (*loop)(long rounds), int products) {
    enum { TRIES = 300, ROUNDS = 20000 };
    double best = 1e30;
    for (int i = 0; i < TRIES; i++) {
        const double start = nanoseconds();
        loop(ROUNDS);
        const double taken = nanoseconds() - start;
        best = taken < best ? taken : best;
    }
    return (double)ROUNDS * CHAINS * products / best;
}

#if defined __x86_64__
#include <cpuid.h>
#define CLOBBERED "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13"
#define LOOP(name, one) \
    static void name(long rounds) { __asm__ volatile("1:\n" REPEATED(one) "dec %0\njnz 1b" : "+r"(rounds) : : CLOBBERED); }
#define VNNI(n) "vpdpbusd %%zmm14, %%zmm15, %%zmm" #n "\n"
#define FMA512(n) "vfmadd231ps %%zmm14, %%zmm15, %%zmm" #n "\n"
#define FMA256(n) "vfmadd231ps %%ymm14, %%ymm15, %%ymm" #n "\n"
#define PAIRS256(n) "vpmaddwd %%ymm14, %%ymm15, %%ymm" #n "\n"
LOOP(vnni, VNNI)
LOOP(fma512, FMA512)
LOOP(fma256, FMA256)
LOOP(pairs256, PAIRS256)

int main(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b >> 5 & 1)) return 0;  // AVX2
    const int avx512 = b >> 16 & 1, dot = avx512 && c >> 11 & 1;
    printf("int8 %.2f\n", dot ? best_per_ns(vnni, 64) : best_per_ns(pairs256, 16));
    printf("float32 %.2f\n", avx512 ? best_per_ns(fma512, 16) : best_per_ns(fma256, 8));
    return 0;
}
#elif defined __aarch64__
#include <sys/auxv.h>
#define CLOBBERED "cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13"
#define LOOP(name, one)                                                                                                      \
    static void name(long rounds) {                                                                                          \
        __asm__ volatile(".arch armv8.2-a+dotprod\n1:\n" REPEATED(one) "subs %0, %0, #1\nb.ne 1b" : "+r"(rounds) : : CLOBBERED); \
    }
#define DOT(n) "sdot v" #n ".4s, v14.16b, v15.16b\n"
#define LONG(n) "smlal v" #n ".4s, v14.4h, v15.4h\n"
#define FMA(n) "fmla v" #n ".4s, v14.4s, v15.4s\n"
LOOP(dot, DOT)
LOOP(widening, LONG)
LOOP(fma, FMA)

int main(void) {
    const int has_dot = getauxval(16) >> 20 & 1;  // AT_HWCAP, ASIMDDP
    printf("int8 %.2f\n", has_dot ? best_per_ns(dot, 16) : best_per_ns(widening, 4));
    printf("float32 %.2f\n", best_per_ns(fma, 4));
    return 0;
}
#else
int main(void) { return 0; }
#endif
