// Pooling; windows are cut off at the borders of the input, and an average is over what is left of them.
struct pool {
    int pool_height, pool_width, stride_y, stride_x, top, left;  // rows and columns of padding before the input
    int input_height, input_width, height, width, channels, zero_point, least, most;
};

INLINE int32_t average(int32_t sum, int32_t count) { return (sum > 0 ? sum + count / 2 : sum - count / 2) / count; }

// One output of up to 16 channels, from what is left of its window.
INLINE void pool_some(const struct pool *c, const int8_t *input, int8_t *output, int rows, int columns, int count, int is_average) {
    int32_t sum[16];
    int8_t best[16];
    for (int o = 0; o < count; o++) sum[o] = 0, best[o] = -128;
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            const int8_t *from = input + ((ptrdiff_t)i * c->input_width + j) * c->channels;
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
            const int y0 = y * c->stride_y - c->top, x0 = x * c->stride_x - c->left;
            const int y1 = clamp(y0 + c->pool_height, 0, c->input_height), x1 = clamp(x0 + c->pool_width, 0, c->input_width);
            const int first_y = clamp(y0, 0, y1), first_x = clamp(x0, 0, x1), rows = y1 - first_y, columns = x1 - first_x;
            const int8_t *from = input + ((ptrdiff_t)first_y * c->input_width + first_x) * c->channels;
            int o = 0;
            for (; o + 16 <= c->channels; o += 16) pool_some(c, from + o, output + o, rows, columns, 16, is_average);
            if (o < c->channels) pool_some(c, from + o, output + o, rows, columns, c->channels - o, is_average);
        }
}
