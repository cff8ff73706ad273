// Pooling; windows are cut off at the borders of the input, and an average is over what is left of them.
struct pool {
    int pool_height, pool_width, stride_y, stride_x, top, left;  // rows and columns of padding before the input
    int input_height, input_width, height, width, channels, zero_point, least, most;
};

// What is left of the window of an output.
struct window {
    int rows, columns;
    ptrdiff_t start;  // in the input
};

INLINE struct window window_of(const struct pool *c, int y, int x) {
    const int y0 = y * c->stride_y - c->top, x0 = x * c->stride_x - c->left;
    const int y1 = clamp(y0 + c->pool_height, 0, c->input_height), x1 = clamp(x0 + c->pool_width, 0, c->input_width);
    const int first_y = clamp(y0, 0, y1), first_x = clamp(x0, 0, x1);
    return (struct window){y1 - first_y, x1 - first_x, ((ptrdiff_t)first_y * c->input_width + first_x) * c->channels};
}

INLINE ptrdiff_t place_in(const struct pool *c, int row, int column) {
    return ((ptrdiff_t)row * c->input_width + column) * c->channels;
}

// For vectors: the sum of up to 255 bytes and half their count fit 15 bits; it is divided by its product with the reciprocal of
// the count, rounded up: exact for so few bits (Granlund and Montgomery, Division by Invariant Integers).
struct division {
    uint16_t reciprocal;  // * 2^-15 * 2^-shift
    int count, shift;
};

INLINE struct division division_by(int count) {
    int shift = 0;
    while (1 << shift < count) shift++;
    return (struct division){(uint16_t)(((1u << (15 + shift)) + (unsigned)count - 1) / (unsigned)count), count, shift};
}

INLINE int32_t average(int32_t sum, int32_t count) { return (sum > 0 ? sum + count / 2 : sum - count / 2) / count; }

// One output of up to 16 channels, from what is left of its window.
INLINE void pool_some(const struct pool *c, const int8_t *input, int8_t *output, int rows, int columns, int count, int is_average) {
    int32_t sum[16];
    int8_t best[16];
    for (int o = 0; o < count; o++) sum[o] = 0, best[o] = -128;
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            const int8_t *from = input + place_in(c, i, j);
            for (int o = 0; o < count; o++) {
                if (is_average) sum[o] += from[o];
                else best[o] = from[o] > best[o] ? from[o] : best[o];
            }
        }
    for (int o = 0; o < count; o++) {
        const int32_t value = is_average ? average(sum[o], rows * columns) : best[o];
        output[o] = (int8_t)clamp(value, c->least, c->most);
    }
}

INLINE void pool(const struct pool *c, const int8_t *input, int8_t *output, int is_average) {
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++, output += c->channels) {
            const struct window window = window_of(c, y, x);
            const int8_t *from = input + window.start;
            int o = 0;
            for (; o + 16 <= c->channels; o += 16) pool_some(c, from + o, output + o, window.rows, window.columns, 16, is_average);
            if (o < c->channels) pool_some(c, from + o, output + o, window.rows, window.columns, c->channels - o, is_average);
        }
}
