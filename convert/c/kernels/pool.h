// Pooling; windows are cut off at the borders of the input, and an average is over what is left of them.
struct pool {
    int pool_height, pool_width, stride_y, stride_x, top, left;  // rows and columns of padding before the input
    int input_height, input_width, height, width, channels, zero_point, least, most;
};

INLINE int32_t average(int32_t sum, int32_t count) { return (sum > 0 ? sum + count / 2 : sum - count / 2) / count; }

INLINE void pool(const struct pool *c, const int8_t *input, int8_t *output, int is_average) {
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++, output += c->channels) {
            const int y0 = y * c->stride_y - c->top, x0 = x * c->stride_x - c->left;
            const int y1 = clamp(y0 + c->pool_height, 0, c->input_height), x1 = clamp(x0 + c->pool_width, 0, c->input_width);
            const int first_y = clamp(y0, 0, y1), first_x = clamp(x0, 0, x1);
            for (int o = 0; o < c->channels; o++) {
                int32_t sum = 0, best = -128;
                for (int i = first_y; i < y1; i++)
                    for (int j = first_x; j < x1; j++) {
                        const int32_t value = input[((ptrdiff_t)i * c->input_width + j) * c->channels + o];
                        sum += value;
                        best = value > best ? value : best;
                    }
                const int32_t found = is_average ? average(sum, (y1 - first_y) * (x1 - first_x)) : best;
                output[o] = (int8_t)clamp(found, c->least, c->most);
            }
        }
}
