// Four channels of one position at a time: a small CPU has registers for their sums, and for no more.
struct window_portable { const int8_t *from; int row; };  // a kernel's place in the input, and bytes from its row to the next

static FAST void add_window_portable(struct window_portable at, int height, int groups, const int8_t *w, uint32_t sum[GROUP]) {
    uint32_t a = sum[0], b = sum[1], c = sum[2], d = sum[3];  // they wrap around, as TFLite's do
    for (; height; height--, at.from += at.row) {
        const int8_t *x = at.from, *const end = x + groups * GROUP;
#define ADD_TAP(t)                                                                                                  \
    {                                                                                                               \
        const int32_t v = x[t];                                                                                     \
        a += (uint32_t)(v * w[t]), b += (uint32_t)(v * w[GROUP + t]), c += (uint32_t)(v * w[2 * GROUP + t]);        \
        d += (uint32_t)(v * w[3 * GROUP + t]);                                                                      \
        KEEP_IN_REGISTERS(a, b, c, d)                                                                               \
    }
        do {
            ADD_TAP(0) ADD_TAP(1) ADD_TAP(2) ADD_TAP(3)
            x += GROUP, w += BLOCK * GROUP;
        } while (x != end);
#undef ADD_TAP
    }
    sum[0] = a, sum[1] = b, sum[2] = c, sum[3] = d;
}

#if defined FOUR_BITS
static FAST void add_packed_portable(struct window_portable at, int height, int groups, const int8_t *w, uint32_t sum[GROUP]) {
    uint32_t a = 0, b = 0, c = 0, d = 0;
    for (; height; height--, at.from += at.row) {
        const int8_t *x = at.from, *const end = x + groups * GROUP;
        do {
            for (int t = 0; t < GROUP; t++) {
                const int32_t v = x[t], one = w[t], two = w[GROUP + t];
                a += (uint32_t)(v * one), b += (uint32_t)(v * (int8_t)((uint32_t)one << 4));
                c += (uint32_t)(v * two), d += (uint32_t)(v * (int8_t)((uint32_t)two << 4));
                KEEP_IN_REGISTERS(a, b, c, d)
            }
            x += GROUP, w += 2 * GROUP;
        } while (x != end);
    }
    int32_t sums[GROUP] = {(int32_t)a, (int32_t)b, (int32_t)c, (int32_t)d};
    separate(sums, sums + 1), separate(sums + 2, sums + 3);
    for (int i = 0; i < GROUP; i++) sum[i] += (uint32_t)sums[i];
}
#endif

// Adds the products of channels `o` to `o + 3` at a kernel's place.
INLINE void add_products_portable(const struct conv *c, struct window_portable at, int o, uint32_t sum[GROUP]) {
#if defined FOUR_BITS
    if (c->packed_weights) {
        add_packed_portable(at, c->kernel_height, c->groups, packed_at(c, o), sum);
        return;
    }
#endif
    const ptrdiff_t block = (ptrdiff_t)c->kernel_height * c->groups * BLOCK * GROUP;
    add_window_portable(at, c->kernel_height, c->groups, c->weights + o / BLOCK * block + o % BLOCK * GROUP, sum);
}

// A kernel's place that begins in row y at byte x of the input with its border; it is copied where it reaches into that.
INLINE struct window_portable window_at(const struct conv *c, const int8_t *input, int y, int x, int8_t *copy) {
    if (!c->padded) return (struct window_portable){input + (ptrdiff_t)y * c->row + x, c->row};
    y -= c->top, x -= c->left;
    const int bytes = c->groups * GROUP;
    const int8_t *const from = input + (ptrdiff_t)y * c->input_row + x;
    if (y >= 0 && y + c->kernel_height <= c->input_height && x >= 0 && x + 2 * c->pairs <= c->input_row)
        return (struct window_portable){from, c->input_row};
    for (int i = 0; i < c->kernel_height; i++) {
        const int is_row = y + i >= 0 && y + i < c->input_height;
        for (int t = 0; t < bytes; t++)
            copy[i * bytes + t] = is_row && x + t >= 0 && x + t < c->input_row ? from[(ptrdiff_t)i * c->input_row + t]
                                                                               : (int8_t)c->input_zero_point;
    }
    return (struct window_portable){copy, bytes};
}

// All channels of an output: of one position, or the largest of the positions that are pooled to it.
INLINE void output_portable(const struct conv *c, const struct window_portable *at, int8_t *output) {
    for (int o = 0; o < c->channels; o += GROUP) {
        int32_t best[GROUP] = {INT32_MIN, INT32_MIN, INT32_MIN, INT32_MIN};
        for (int p = 0; p < c->window; p++) {
            uint32_t sum[GROUP];
            for (int i = 0; i < GROUP; i++) sum[i] = (uint32_t)c->bias[o + i];
            add_products_portable(c, at[p], o, sum);
            for (int i = 0; i < GROUP; i++)
                if ((int32_t)sum[i] > best[i]) best[i] = (int32_t)sum[i];
        }
        if (c->dense) {
            store_dense(c, best, output, o, GROUP);
            continue;
        }
        for (int i = 0; i < GROUP && o + i < c->channels; i++) {
            const int32_t value = rescale(best[i], c->multiplier[o + i], c->shift[o + i]);
            output[o + i] = (int8_t)clamp(plus(value, c->zero_point), c->least, c->most);
        }
    }
}

static FAST void conv_portable(const struct conv *c, const int8_t *input, int8_t *output) {
    const int down = c->step_y / c->row, within = c->position_y / c->row, bytes = c->kernel_height * c->groups * GROUP;
    struct window_portable at[4];  // positions that are pooled, at most
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++, output += c->channels) {
            for (int p = 0; p < c->window; p++) {
                const int row = y * down + p / c->window_across * within, from = x * c->step_x + p % c->window_across * c->position_x;
                at[p] = window_at(c, input, row, from, window_copy + p * bytes);
            }
            output_portable(c, at, output);
        }
}
