// Classifies pictures: @{lower} IMAGE...; @{lower} --bench times the network. A picture is a binary PGM (one channel) or PPM
// (three) of the network's own size.
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "@{header}"

static int fail(const char *file, const char *what) {
    fprintf(stderr, "error: %s: %s\n", file, what);
    return 2;
}

// A number of a picture's head, behind blanks and comments.
static int number(FILE *file) {
    int c = getc(file), value = 0;
    while (c == '#' || c == ' ' || c == '\t' || c == '\r' || c == '\n') {
        if (c == '#')
            while (c != '\n' && c != EOF) c = getc(file);
        c = getc(file);
    }
    for (; c >= '0' && c <= '9' && value < 1000000; c = getc(file)) value = value * 10 + c - '0';
    return value;
}

static int classify(const char *path) {
    static uint8_t pixels[@{upper}_INPUT_SIZE];
    const char *magic = @{upper}_CHANNELS == 1 ? "P5" : "P6";
    FILE *file = fopen(path, "rb");
    if (!file) return fail(path, "cannot be opened");
    char head[2] = {0};
    const int known = fread(head, 1, 2, file) == 2 && !memcmp(head, magic, 2);
    const int width = known ? number(file) : 0, height = known ? number(file) : 0, most = known ? number(file) : 0;
    const size_t got = fread(pixels, 1, sizeof pixels, file);
    fclose(file);
    if (!known) return fail(path, @{upper}_CHANNELS == 1 ? "is no binary PGM (P5)" : "is no binary PPM (P6)");
    if (width != @{upper}_WIDTH || height != @{upper}_HEIGHT || most != 255) {
        fprintf(stderr, "error: %s: is %dx%d up to %d; %dx%d up to 255 wanted\n", path, width, height, most, @{upper}_WIDTH,
                @{upper}_HEIGHT);
        return 2;
    }
    if (got != sizeof pixels) return fail(path, "ends too early");
    int8_t output[@{upper}_CLASSES];
    const int best = @{lower}_predict(pixels, output);
    printf("%s: %s\n", path, @{lower}_is_known(output) ? @{lower}_labels[best] : "unknown");
    return 0;
}

static double microseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int ascending(const void *one, const void *other) {
    const double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

static int bench(void) {
    enum { CALLS = 2000, WARM_UP = 200 };
    static double times[CALLS];
    static uint8_t pixels[@{upper}_INPUT_SIZE];
    for (int i = 0; i < @{upper}_INPUT_SIZE; i++) pixels[i] = (uint8_t)(i * 37);
    for (int i = 0; i < WARM_UP; i++) @{lower}_classify(pixels);
    for (int i = 0; i < CALLS; i++) {
        const double start = microseconds();
        @{lower}_classify(pixels);
        times[i] = microseconds() - start;
    }
    qsort(times, CALLS, sizeof *times, ascending);
    printf("@{lower}, kernels %s, raw pixels to label: p50 %.2f us, p90 %.2f us, p99 %.2f us of %d calls\n", @{lower}_kernels(),
           times[CALLS / 2], times[CALLS * 9 / 10], times[CALLS * 99 / 100], CALLS);
    return 0;
}

int main(int count, char **words) {
    const char *usage = @{upper}_CHANNELS == 1 ? "give IMAGE.pgm or --bench" : "give IMAGE.ppm or --bench";
    int status = count > 1 ? 0 : fail("@{lower}", usage);
    for (int i = 1; i < count; i++) {
        const int found = strcmp(words[i], "--bench") ? classify(words[i]) : bench();
        if (found) status = found;
    }
    return status;
}
