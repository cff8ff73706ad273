// The window's rows and columns that lie in the input.
struct inside { int row, rows, column, columns; };

INLINE struct inside inside_at(const struct depthwise *c, int y, int x) {
    const int row = y < 0 ? -y : 0, column = x < 0 ? -x : 0;
    const int rows = c->input_height - y < c->kernel_height ? c->input_height - y : c->kernel_height;
    const int columns = c->input_width - x < c->kernel_width ? c->input_width - x : c->kernel_width;
    return (struct inside){row, rows, column, columns};
}

// Four channels of one position: as many as a small CPU has registers for their sums; bytes beyond the channels are not stored.
static FAST void four_portable(const struct depthwise *c, const int8_t *window, struct inside inside, const int8_t *w, uint32_t sum[4]) {
    uint32_t s0 = sum[0], s1 = sum[1], s2 = sum[2], s3 = sum[3];
    const int channels = c->channels;
    const int8_t zero = (int8_t)c->input_zero_point, border[4] = {zero, zero, zero, zero};
    for (int i = 0; i < c->kernel_height; i++, window += (ptrdiff_t)c->input_width * channels) {
        const int is_row = i >= inside.row && i < inside.rows;
        const int8_t *x = window;
        for (int j = 0; j < c->kernel_width; j++, x += channels, w += channels) {
            const int8_t *const p = is_row && j >= inside.column && j < inside.columns ? x : border;
            s0 += (uint32_t)(p[0] * w[0]), s1 += (uint32_t)(p[1] * w[1]);
            s2 += (uint32_t)(p[2] * w[2]), s3 += (uint32_t)(p[3] * w[3]);
            KEEP_IN_REGISTERS(s0, s1, s2, s3)
        }
    }
    sum[0] = s0, sum[1] = s1, sum[2] = s2, sum[3] = s3;
}

static FAST void depthwise_portable(const struct depthwise *c, const int8_t *input, int8_t *output) {
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++, output += c->channels) {
            const int above = y * c->stride_y - c->top, before = x * c->stride_x - c->left;
            const int8_t *const window = input + ((ptrdiff_t)above * c->input_width + before) * c->channels;
            const struct inside inside = inside_at(c, above, before);
            for (int o = 0; o < c->channels; o += 4) {
                uint32_t sum[4];
                for (int i = 0; i < 4; i++) sum[i] = (uint32_t)c->bias[o + i];
                four_portable(c, window + o, inside, c->weights + o, sum);
                for (int i = 0; i < 4 && o + i < c->channels; i++) {
                    const int32_t value = rescale((int32_t)sum[i], c->multiplier[o + i], c->shift[o + i]);
                    output[o + i] = (int8_t)clamp(plus(value, c->zero_point), c->least, c->most);
                }
            }
        }
}
