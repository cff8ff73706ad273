// RISC-V vectors: a tile is up to 6 positions by as many channels as there are lanes. Each byte of a position is multiplied
// by its weights of all these channels, which are brought beside each other first: once for all tiles of a band.
enum { POSITIONS_RVV = 6 };

#define EACH_POSITION_RVV(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5)

INLINE int row_taps(const struct conv *c) { return c->taps ? c->taps : c->groups * GROUP; }

// The weights of some channels from `channel` on, as [kernel_height][taps][lanes].
RVV INLINE void gather_weights(const struct conv *c, int channel, size_t count, int lanes, int8_t *to) {
    const ptrdiff_t size = (ptrdiff_t)c->kernel_height * c->groups * BLOCK * GROUP;
    for (size_t first = 0; first < count; first += BLOCK) {
        const size_t vl = some_lanes((int)(count - first), BLOCK);
        const int8_t *from = c->weights + (channel + (int)first) / BLOCK * size;
        int8_t *tap = to + first;
        for (int i = 0; i < c->kernel_height; i++)
            for (int k = 0; k < c->groups; k++, from += BLOCK * GROUP) {
                const vint8m1x4_t four = __riscv_vlseg4e8_v_i8m1x4(from, vl);
                const int left = row_taps(c) - k * GROUP;
#define STORE_TAP(t) \
    if (t < left) __riscv_vse8_v_i8m1(tap, __riscv_vget_v_i8m1x4_i8m1(four, t), vl), tap += lanes;
                STORE_TAP(0) STORE_TAP(1) STORE_TAP(2) STORE_TAP(3)
#undef STORE_TAP
            }
    }
}

RVV INLINE void store_sum_rvv(const struct conv *c, vint32m4_t sum, int8_t *output, int channel, size_t vl) {
    if (c->dense) {
        int32_t each[MOST_LANES];
        __riscv_vse32_v_i32m4(each, sum, vl);
        for (int o = 0; o < (int)vl; o++) {
            store_dense(c, each + o, output, channel + o, 1);
            __asm__ volatile("" ::: "memory");  // compilers make vectors of doubles else, at which QEMU 7.2 ends
        }
        return;
    }
    const int32_t *multiplier = c->multiplier + channel, *shift = c->shift + channel;
    __asm__("" : "+r"(multiplier), "+r"(shift));  // read anew: registers are few
    const vint16m2_t words = rescale_each_rvv(sum, multiplier, shift, c->least >= c->zero_point, vl);
    store_rvv(output + channel, words, c->zero_point, c->least, c->most, vl);
}

RVV INLINE void tile_rvv(const struct conv *c, const int8_t *input, const int8_t *weights, int lanes, int8_t *output,
                         int channel, int outputs, size_t vl) {
    const int positions = outputs * c->window;
    const vint32m4_t bias = __riscv_vle32_v_i32m4(c->bias + channel, vl);
    vint32m4_t sum0 = bias, sum1 = bias, sum2 = bias, sum3 = bias, sum4 = bias, sum5 = bias;
    for (int i = 0; i < c->kernel_height; i++) {
        const int8_t *from = input + (ptrdiff_t)i * c->row;
#pragma GCC unroll 4
        for (int t = 0; t < row_taps(c); t++, weights += lanes) {
            const vint16m2_t w = __riscv_vsext_vf2_i16m2(__riscv_vle8_v_i8m1(weights, vl), vl);
#define ADD_TAP(p) \
    if (p < positions) sum##p = __riscv_vwmacc_vx_i32m4(sum##p, from[position(c, p) + t], w, vl);
            EACH_POSITION_RVV(ADD_TAP)
#undef ADD_TAP
        }
    }
    // The largest of each window comes to its first position.
#define POOL_PAIR(first, p)                                                            \
    if (p < positions && first % c->window == 0 && p / c->window == first / c->window) \
        sum##first = __riscv_vmax_vv_i32m4(sum##first, sum##p, vl);
    POOL_PAIR(0, 1) POOL_PAIR(0, 2) POOL_PAIR(0, 3) POOL_PAIR(2, 3) POOL_PAIR(3, 4) POOL_PAIR(3, 5) POOL_PAIR(4, 5)
#undef POOL_PAIR
#define STORE_SUM(p)                         \
    if (p < positions && p % c->window == 0) \
        store_sum_rvv(c, sum##p, output + (ptrdiff_t)(p / c->window) * c->channels, channel, vl);
    EACH_POSITION_RVV(STORE_SUM)
#undef STORE_SUM
}

// One position, as of a dense layer: each weight is read once, where it lies.
RVV INLINE void single_rvv(const struct conv *c, const int8_t *input, int8_t *output) {
    const int8_t *weights = c->weights;
    for (int channel = 0; channel < c->channels; channel += BLOCK) {
        const size_t vl = some_lanes(c->channels - channel, BLOCK);
        vint32m4_t sum = __riscv_vle32_v_i32m4(c->bias + channel, vl);
        for (int i = 0; i < c->kernel_height; i++) {
            const int8_t *from = input + (ptrdiff_t)i * c->row;
            for (int k = 0; k < c->groups; k++, from += GROUP, weights += BLOCK * GROUP) {
                const vint8m1x4_t four = __riscv_vlseg4e8_v_i8m1x4(weights, vl);
#define ADD_TAP(t)                              \
    sum = __riscv_vwmacc_vx_i32m4(sum, from[t], \
                                  __riscv_vsext_vf2_i16m2(__riscv_vget_v_i8m1x4_i8m1(four, t), vl), vl);
                ADD_TAP(0) ADD_TAP(1) ADD_TAP(2) ADD_TAP(3)
#undef ADD_TAP
            }
        }
        store_sum_rvv(c, sum, output, channel, vl);
    }
}

RVV INLINE void conv_rvv(const struct conv *c, const int8_t *input, int8_t *output) {
    const int lanes = lanes_rvv(), count = outputs_at_once(c, POSITIONS_RVV);
    int8_t *weights = scratch, *copy = scratch + (ptrdiff_t)c->kernel_height * c->groups * GROUP * MOST_LANES;
    if (c->width * c->window == 1 && c->height == 1 && !c->padded) {
        single_rvv(c, input, output);
        return;
    }
    for (int first = 0; first < c->height; first += c->band) {
        const int rows = first + c->band < c->height ? c->band : c->height - first;
        const int8_t *from = c->padded ? copy : input + (ptrdiff_t)first * c->step_y;
        if (c->padded) copy_band(c, input, first, rows, copy);
        for (int channel = 0; channel < c->channels; channel += lanes) {
            const size_t vl = some_lanes(c->channels - channel, lanes);
            gather_weights(c, channel, vl, lanes, weights);
#define TILE_OF(from, to) tile_rvv(c, from, weights, lanes, to, channel, count, vl)
            OVER_ROWS(TILE_OF, count, rows, from, output + (ptrdiff_t)first * c->width * c->channels)
#undef TILE_OF
        }
    }
}
