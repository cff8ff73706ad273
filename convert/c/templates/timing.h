#include <time.h>

static double nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double timed(double *least, double start) {
    const double took = nanoseconds() - start;
    if (took < *least) *least = took;
    return nanoseconds();
}

// The least nanoseconds of each step, of so many calls.
void time_steps(int calls, double *least) {
    int8_t *arena = arena_of_thread;
    for (int call = 0; call < calls; call++) {
        double start = nanoseconds();
@{calls}
    }
}
