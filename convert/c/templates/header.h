// %(title)s
// Plain C11, no allocation, nothing of libc but memcpy. Each thread has an arena of its own; where there is no thread-local
// storage, define EDGECNN_NO_THREADS. Build without contraction of products and sums (-ffp-contract=off).
#ifndef NAME_H
#define NAME_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    NAME_HEIGHT = %(height)d,  // of an image, in pixels
    NAME_WIDTH = %(width)d,
    NAME_CHANNELS = %(channels)d,
    NAME_INPUT_SIZE = %(input_size)d,  // bytes
    NAME_CLASSES = %(classes)d,
    NAME_ARENA_SIZE = %(arena)d,  // bytes of static memory; one arena a thread where there are threads
};

// A stored integer q stands for (q - zero point) * scale.
#define NAME_INPUT_SCALE %(input_scale)s
#define NAME_INPUT_ZERO_POINT (%(input_zero_point)d)
#define NAME_OUTPUT_SCALE %(output_scale)s
#define NAME_OUTPUT_ZERO_POINT (%(output_zero_point)d)

extern const char *const network_labels[NAME_CLASSES];

// Classifies raw pixels, height x width x channels, 0 to 255. Returns the index of the label.
int network_classify(const uint8_t *pixels);

// Runs the network: NAME_INPUT_SIZE bytes in, NAME_CLASSES bytes out.
void network_run(const int8_t *input, int8_t *output);

// Copies the output of this thread's last network_classify.
void network_output(int8_t *output);

// The kernels that this CPU gets: "avx512vnni", "avx2", "neon_dot", "neon" or "portable".
const char *network_kernels(void);

#ifdef __cplusplus
}
#endif

#endif
