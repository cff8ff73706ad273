#include <stddef.h>
#include <stdint.h>
#if !defined __INT_MAX__ || __INT_MAX__ < 2147483647
#error "This network needs an int of 32 bits: boards with AVR (Uno, Mega, Nano) and other 16-bit chips cannot run it"
#endif
#if __STDC_HOSTED__
#include <string.h>
#else
void *memcpy(void *restrict to, const void *restrict from, size_t size);  // all that is wanted of libc, and by kernels for
void *memset(void *to, int value, size_t size);                           // a CPU's own instructions this
#endif

#define INLINE static inline __attribute__((always_inline, unused))
// A function for each step: who calls all of it and who calls a share of it have the same code.
#define STEP static __attribute__((noinline, unused))
#define ENTRY static __attribute__((unused))  // not every build calls each
// A function that is fast where all others are to be small, as IDEs for microcontrollers have it; ARM's assembly wants all registers.
#if defined __thumb__ && !defined __clang__
#define FAST __attribute__((noinline, unused, optimize("O2", "omit-frame-pointer")))
#elif defined __OPTIMIZE_SIZE__ && !defined __clang__
#define FAST __attribute__((noinline, unused, optimize("O2")))
#else
#define FAST __attribute__((noinline, unused))
#endif
// Keeps compilers from adding products apart first, which takes more registers.
#define KEEP_IN_REGISTERS(a, b, c, d) __asm__("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d));
#define ALIGNED __attribute__((aligned(64)))
#if (defined __linux__ || defined __APPLE__ || defined _WIN32) && !defined EDGECNN_NO_THREADS
#define OF_THREAD static _Thread_local
#else
#define OF_THREAD static
#endif

// A stored integer q stands for (q - zero_point) * scale. An accumulator x becomes an output by x * scale_in * scale_weight
// / scale_out = x * multiplier * 2^-31 * 2^-shift, rounded as TFLite's reference kernels do: the doubling high product to
// nearest, half up; then the shift to nearest, half away from zero. Source: gemmlowp, fixedpoint/fixedpoint.h.
#if defined __ARM_ARCH_ISA_THUMB && __ARM_ARCH_ISA_THUMB == 1  // Cortex-M0 has products of 32 bits alone: by halves, not by a library
static __attribute__((noinline)) int32_t high_product(int32_t x, int32_t multiplier) {
    const uint32_t low = (uint32_t)x & 0xFFFF, m = (uint32_t)multiplier & 0xFFFF;
    const uint32_t one = low * (uint32_t)(multiplier >> 16) + (low * m >> 16);
    const int32_t high = x >> 16, other = high * (int32_t)m;
    const uint32_t middle = (one & 0xFFFF) + ((uint32_t)other & 0xFFFF);
    const uint32_t top = (uint32_t)(high * (multiplier >> 16)) + (one >> 16) + (uint32_t)(other >> 16) + (middle >> 16);
    return (int32_t)((top << 1) + (((middle << 16 >> 30) + 1) >> 1));
}
#else
INLINE int32_t high_product(int32_t x, int32_t multiplier) { return (int32_t)(((int64_t)x * multiplier + (1 << 30)) >> 31); }
#endif

INLINE int32_t rescale(int32_t x, int32_t multiplier, int shift) {
    const int32_t high = high_product(shift < 0 ? (int32_t)((uint32_t)x << -shift) : x, multiplier);
    const int right = shift > 0 ? shift : 0;
    const int32_t mask = (int32_t)((1u << right) - 1);
    return (high >> right) + ((high & mask) > (mask >> 1) - (high >> 31));  // in 32 bits
}

// A sum of 32 bits that wraps around, as TFLite's do where a bias is at their end.
INLINE int32_t plus(int32_t one, int32_t other) { return (int32_t)((uint32_t)one + (uint32_t)other); }

INLINE int32_t clamp(int32_t x, int32_t least, int32_t most) { return x < least ? least : x > most ? most : x; }
