// Runs a network's golden test, then one inference between two marks, and says how many outputs were wrong and how deep the
// stack was. -DTEST, -DCLASSIFY and -DPIXELS name the network's functions and its input's size; without CLASSIFY: the test alone.
#if defined __riscv
#include "riscv.h"
#else
#include "cortex_m.h"
#endif

int TEST(void);

// As newlib's for small code, which owners of boards get: a byte at a time.
__attribute__((optimize("no-tree-loop-distribute-patterns"))) void *memcpy(void *restrict to, const void *restrict from, size_t size) {
    uint8_t *t = to;
    const uint8_t *f = from;
    while (size--) {
        *t++ = *f++;
        __asm__ volatile("" ::: "memory");  // else compilers call memcpy
    }
    return to;
}

void *memset(void *to, int value, size_t size) {
    uint8_t *t = to;
    while (size--) {
        *t++ = (uint8_t)value;
        __asm__ volatile("" ::: "memory");
    }
    return to;
}

static void say_number(const char *name, uint32_t number) {
    char digits[12], *first = digits + sizeof digits - 1;
    *first = 0;
    do *--first = (char)('0' + number % 10);
    while (number /= 10);
    say(name);
    say(first);
    say("\n");
}

#if defined CLASSIFY
int CLASSIFY(const uint8_t *pixels);
static uint8_t pixels[PIXELS];

enum { DEPTH = 16384, PAINT = 0x5A };

// How many bytes below this frame a call wrote to. Paint begins at the stack pointer: a frame may be larger than one expects.
static __attribute__((noinline)) uint32_t stack_of_a_call(void) {
    volatile uint8_t *const end = stack_pointer(), *deepest = end - DEPTH;
    for (volatile uint8_t *place = end - DEPTH; place < end; place++) *place = PAINT;
    CLASSIFY(pixels);
    while (deepest < end && *deepest == PAINT) deepest++;
    return (uint32_t)(end - deepest);
}
#endif

static void measure(void) {
    const int wrong = TEST();
    say_number("wrong ", (uint32_t)wrong);
#if defined CLASSIFY
    for (int i = 0; i < PIXELS; i++) pixels[i] = (uint8_t)(i * 37);
    mark();
    CLASSIFY(pixels);
    mark();
    say_number("stack ", stack_of_a_call());
#endif
    leave(wrong != 0);
}
