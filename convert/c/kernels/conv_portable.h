// Four bytes of the input at an offset in it with its border.
INLINE void bordered_bytes(const struct conv *c, const int8_t *input, ptrdiff_t offset, int8_t x[GROUP]) {
    const int y = (int)(offset / c->row) - c->top, first = (int)(offset % c->row) - c->left;
    for (int t = 0; t < GROUP; t++) {
        const int inside = y >= 0 && y < c->input_height && first + t >= 0 && first + t < c->input_row;
        x[t] = inside ? input[(ptrdiff_t)y * c->input_row + first + t] : (int8_t)c->input_zero_point;
    }
}

INLINE void position_portable(const struct conv *c, const int8_t *input, ptrdiff_t offset, int block, int32_t sum[BLOCK]) {
    const int8_t *w = c->weights + (ptrdiff_t)block * c->kernel_height * c->groups * BLOCK * GROUP;
    memcpy(sum, c->bias + block * BLOCK, BLOCK * sizeof *sum);
    for (int i = 0; i < c->kernel_height; i++)
        for (int k = 0; k < c->groups; k++, w += BLOCK * GROUP) {
            const ptrdiff_t from = offset + (ptrdiff_t)i * c->row + k * GROUP;
            int8_t bordered[GROUP];
            const int8_t *x = c->padded ? bordered : input + from;
            if (c->padded) bordered_bytes(c, input, from, bordered);
            for (int o = 0; o < BLOCK; o++)
                sum[o] = plus(sum[o], x[0] * w[o * GROUP] + x[1] * w[o * GROUP + 1] + x[2] * w[o * GROUP + 2] +
                                          x[3] * w[o * GROUP + 3]);
        }
}

INLINE void output_portable(const struct conv *c, const int8_t *input, ptrdiff_t offset, int8_t *output, int block) {
    const int first = block * BLOCK, count = c->channels - first < BLOCK ? c->channels - first : BLOCK;
    int32_t best[BLOCK], sum[BLOCK];
    position_portable(c, input, offset, block, best);
    for (int p = 1; p < c->window; p++) {
        position_portable(c, input, offset + position(c, p), block, sum);
        for (int o = 0; o < BLOCK; o++) best[o] = best[o] > sum[o] ? best[o] : sum[o];
    }
    if (c->dense) {
        store_dense(c, best, output, first, BLOCK);
        return;
    }
    for (int o = first; o < first + count; o++) {
        const int32_t value = rescale(best[o - first], c->multiplier[o], c->shift[o]);
        output[o] = (int8_t)clamp(plus(value, c->zero_point), c->least, c->most);
    }
}

INLINE void conv_portable(const struct conv *c, const int8_t *input, int8_t *output) {
    for (int block = 0; block < c->blocks; block++)
        for (int y = 0; y < c->height; y++)
            for (int x = 0; x < c->width; x++)
                output_portable(c, input, (ptrdiff_t)y * c->step_y + (ptrdiff_t)x * c->step_x,
                                output + ((ptrdiff_t)y * c->width + x) * c->channels, block);
}
