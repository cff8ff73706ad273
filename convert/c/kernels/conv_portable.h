INLINE void tile_portable(const struct conv *c, const int8_t *input, int8_t *output, int block) {
    const int8_t *weights = c->weights + (ptrdiff_t)block * c->kernel_height * c->groups * BLOCK * GROUP;
    const int first = block * BLOCK, count = c->channels - first < BLOCK ? c->channels - first : BLOCK;
    int32_t best[BLOCK];
    for (int p = 0; p < c->positions; p++) {
        const int8_t *from = input + position(c, p), *w = weights;
        int32_t sum[BLOCK];
        memcpy(sum, c->bias + first, sizeof sum);
        for (int i = 0; i < c->kernel_height; i++)
            for (int k = 0; k < c->groups; k++, w += BLOCK * GROUP) {
                const int8_t *x = from + (ptrdiff_t)i * c->row + k * GROUP;
                for (int o = 0; o < BLOCK; o++)
                    sum[o] = plus(sum[o], x[0] * w[o * GROUP] + x[1] * w[o * GROUP + 1] + x[2] * w[o * GROUP + 2] +
                                              x[3] * w[o * GROUP + 3]);
            }
        for (int o = 0; o < BLOCK; o++) best[o] = c->pooled && p && best[o] > sum[o] ? best[o] : sum[o];
        if (c->pooled && p + 1 < c->positions) continue;
        if (c->dense) {
            store_dense(c, best, output, first, BLOCK);
            return;
        }
        int8_t *to = output + first + (c->pooled ? 0 : (ptrdiff_t)p * c->channels);
        for (int o = 0; o < count; o++) {
            const int32_t y = rescale(best[o], c->multiplier[first + o], c->shift[first + o]);
            to[o] = (int8_t)clamp(plus(y, c->zero_point), c->least, c->most);
        }
    }
}

INLINE void conv_portable(const struct conv *c, const int8_t *input, int8_t *output) {
    for (int block = 0; block < c->blocks; block++) {
#define TILE_OF(from, to) tile_portable(c, from, to, block)
        OVER_OUTPUT(TILE_OF)
#undef TILE_OF
    }
}
