#include <stddef.h>
#include <stdint.h>
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
#define ALIGNED __attribute__((aligned(64)))
#if __STDC_HOSTED__ && !defined EDGECNN_NO_THREADS
#define OF_THREAD static _Thread_local
#else
#define OF_THREAD static
#endif

// A stored integer q stands for (q - zero_point) * scale. An accumulator x becomes an output by x * scale_in * scale_weight
// / scale_out = x * multiplier * 2^-31 * 2^-shift, rounded as TFLite's reference kernels do: the doubling high product to
// nearest, half up; then the shift to nearest, half away from zero. Source: gemmlowp, fixedpoint/fixedpoint.h.
INLINE int32_t rescale(int32_t x, int32_t multiplier, int shift) {
    if (shift < 0) x = (int32_t)((uint32_t)x << -shift);
    const int32_t high = (int32_t)(((int64_t)x * multiplier + (1 << 30)) >> 31);
    return shift > 0 ? (int32_t)(((int64_t)high + (1u << shift >> 1) + (high >> 31)) >> shift) : high;
}

// A sum of 32 bits that wraps around, as TFLite's do where a bias is at their end.
INLINE int32_t plus(int32_t one, int32_t other) { return (int32_t)((uint32_t)one + (uint32_t)other); }

INLINE int32_t clamp(int32_t x, int32_t least, int32_t most) { return x < least ? least : x > most ? most : x; }
