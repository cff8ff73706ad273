// @{title}
// Plain C11, no allocation, nothing of libc but memcpy. On Linux, macOS and Windows each thread has an
// arena of its own, unless EDGECNN_NO_THREADS is defined.
#ifndef @{upper}_H
#define @{upper}_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    @{upper}_HEIGHT = @{height},  // of an image, in pixels
    @{upper}_WIDTH = @{width},
    @{upper}_CHANNELS = @{channels},
    @{upper}_INPUT_SIZE = @{input_size},  // bytes
    @{upper}_CLASSES = @{classes},
    @{upper}_ARENA_SIZE = @{arena},  // bytes of static memory; one arena a thread where there are threads
};

// A stored integer q stands for (q - zero point) * scale.
#define @{upper}_INPUT_SCALE @{input_scale}
#define @{upper}_INPUT_ZERO_POINT (@{input_zero_point})
#define @{upper}_OUTPUT_SCALE @{output_scale}
#define @{upper}_OUTPUT_ZERO_POINT (@{output_zero_point})

extern const char *const @{lower}_labels[@{upper}_CLASSES];

// Classifies raw pixels, height x width x channels, 0 to 255. Returns the index of the label.
int @{lower}_classify(const uint8_t *pixels);

// Runs the network: @{upper}_INPUT_SIZE bytes in, @{upper}_CLASSES bytes out.
void @{lower}_run(const int8_t *input, int8_t *output);

// Copies the output of this thread's last @{lower}_classify.
void @{lower}_output(int8_t *output);

// Both in one call.
int @{lower}_predict(const uint8_t *pixels, int8_t *output);

// Whether an output's most probable label is likely enough (--reject); if not, the image is unknown.
int @{lower}_is_known(const int8_t *output);

#if defined EDGECNN_POOL  // for libraries, with POSIX threads
// The same with up to so many threads for one call. The library keeps them; they sleep between calls.
void @{lower}_run_on(int threads, const int8_t *input, int8_t *output);
int @{lower}_predict_on(int threads, const uint8_t *pixels, int8_t *output);
#endif

// The kernels that this CPU gets: one of @{kernels}.
const char *@{lower}_kernels(void);

#ifdef __cplusplus
}
#endif

#endif
