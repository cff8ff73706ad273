INLINE void depthwise_some(const struct depthwise *c, const int8_t *input, int8_t *output, int y, int x, int first, int count) {
    int32_t sum[16];
    for (int o = 0; o < count; o++) sum[o] = c->bias[first + o];
    for (int i = 0; i < c->kernel_height; i++)
        for (int j = 0; j < c->kernel_width; j++) {
            const int from_y = y * c->stride_y - c->top + i, from_x = x * c->stride_x - c->left + j;
            const int8_t *w = c->weights + ((ptrdiff_t)i * c->kernel_width + j) * c->channels + first;
            if (from_y < 0 || from_y >= c->input_height || from_x < 0 || from_x >= c->input_width) {
                for (int o = 0; o < count; o++) sum[o] = plus(sum[o], c->input_zero_point * w[o]);
                continue;
            }
            const int8_t *from = input + ((ptrdiff_t)from_y * c->input_width + from_x) * c->channels + first;
            for (int o = 0; o < count; o++) sum[o] = plus(sum[o], from[o] * w[o]);
        }
    for (int o = 0; o < count; o++) {
        const int32_t value = rescale(sum[o], c->multiplier[first + o], c->shift[first + o]);
        output[first + o] = (int8_t)clamp(plus(value, c->zero_point), c->least, c->most);
    }
}

INLINE void depthwise_portable(const struct depthwise *c, const int8_t *input, int8_t *output) {
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++, output += c->channels) {
            int first = 0;
            for (; first + 16 <= c->channels; first += 16) depthwise_some(c, input, output, y, x, first, 16);
            if (first < c->channels) depthwise_some(c, input, output, y, x, first, c->channels - first);
        }
}
