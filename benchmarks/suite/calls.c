// Times calls of a network's C from C: a library that is loaded beside the network's own.
#define _POSIX_C_SOURCE 199309L
#include <time.h>

static double microseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

void time_calls(void (*run)(const void *, void *), const void *input, void *output, int calls, double *times) {
    for (int i = 0; i < calls; i++) {
        const double start = microseconds();
        run(input, output);
        times[i] = microseconds() - start;
    }
}
