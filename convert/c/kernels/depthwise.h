// A depthwise convolution, 16 channels at a time so that compilers keep their sums in registers.
struct depthwise {
    const int8_t *weights;  // [kernel_height][kernel_width][channels]
    const int32_t *bias, *multiplier, *shift;
    int kernel_height, kernel_width, row, step_y, step_x, input_channels;
    int height, width, channels;
    int zero_point, least, most;
};

INLINE void depthwise_some(const struct depthwise *c, const int8_t *input, int8_t *output, int first, int count) {
    const int times = c->channels / c->input_channels;  // the depth multiplier
    int32_t sum[16];
    for (int o = 0; o < count; o++) sum[o] = c->bias[first + o];
    for (int i = 0; i < c->kernel_height; i++)
        for (int j = 0; j < c->kernel_width; j++) {
            const int8_t *x = input + (ptrdiff_t)i * c->row + (ptrdiff_t)j * c->input_channels;
            const int8_t *w = c->weights + ((ptrdiff_t)i * c->kernel_width + j) * c->channels + first;
            for (int o = 0; o < count; o++) sum[o] = plus(sum[o], x[(first + o) / times] * w[o]);
        }
    for (int o = 0; o < count; o++) {
        const int32_t y = rescale(sum[o], c->multiplier[first + o], c->shift[first + o]);
        output[first + o] = (int8_t)clamp(plus(y, c->zero_point), c->least, c->most);
    }
}

INLINE void depthwise(const struct depthwise *c, const int8_t *input, int8_t *output) {
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++, output += c->channels) {
            const int8_t *from = input + (ptrdiff_t)y * c->step_y + (ptrdiff_t)x * c->step_x;
            int first = 0;
            for (; first + 16 <= c->channels; first += 16) depthwise_some(c, from, output, first, 16);
            if (first < c->channels) depthwise_some(c, from, output, first, c->channels - first);
        }
}
