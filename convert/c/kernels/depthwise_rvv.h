// RISC-V vectors: the lanes are channels of one position or, where these are few and the window moves by one, all channels of
// several neighbours, which lie behind each other in the input too. Two products of int8 fit 16 bits, since weights stay
// within -127..127. Rows and columns outside of the input are read from a row of zero points.
enum { MOST_TAPS = 64, HELD_TAPS = 9 };  // taps; those whose weights stay in registers

struct constants_rvv {
    int8_t weights[MOST_TAPS][MOST_LANES];
    int32_t bias[MOST_LANES], multiplier[MOST_LANES], shift[MOST_LANES];
};

// Constants of `count` channels from `channel` on, `times` beside each other.
INLINE void fill_lanes(const struct depthwise *c, int channel, int count, int times, struct constants_rvv *to) {
    for (int tap = 0; tap < c->kernel_height * c->kernel_width; tap++)
        for (int i = 0; i < times; i++)
            memcpy(to->weights[tap] + i * count, c->weights + (ptrdiff_t)tap * c->channels + channel, (size_t)count);
    for (int i = 0; i < times; i++) {
        const size_t size = (size_t)count * sizeof *to->bias;
        memcpy(to->bias + i * count, c->bias + channel, size);
        memcpy(to->multiplier + i * count, c->multiplier + channel, size);
        memcpy(to->shift + i * count, c->shift + channel, size);
    }
}

// The inputs of a tap from column `column` of a row on.
INLINE const int8_t *tap_rvv(const struct depthwise *c, const int8_t *row, int column, int channel, int inner) {
    const int is_inside = inner || (column >= 0 && column < c->input_width);
    return is_inside ? row + (ptrdiff_t)column * c->channels + channel : scratch;
}

#define EACH_TAP_RVV(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8)

// Positions from `x` to `last`, `at_once` of them, in vectors of `vl` lanes.
RVV INLINE void run_depthwise_rvv(const struct depthwise *c, const int8_t *const *rows, const struct constants_rvv *constants,
                                  int8_t *output, int x, int last, int at_once, int channel, int inner, size_t vl) {
    const int taps = c->kernel_height * c->kernel_width;
    const vint32m4_t bias = __riscv_vle32_v_i32m4(constants->bias, vl);
#define WEIGHTS(tap) __riscv_vle8_v_i8m1(constants->weights[tap], vl)
#define LOAD_WEIGHTS(tap) const vint8m1_t w##tap = WEIGHTS(tap < taps ? tap : 0);
    EACH_TAP_RVV(LOAD_WEIGHTS)
#undef LOAD_WEIGHTS
    for (int next = x; next < last; next += at_once) {
        const int at = next + at_once <= last ? next : last - at_once;  // neighbours at the end are computed twice
        const int column = at * c->stride_x - c->left;
        vint32m4_t sum = bias;
        vint16m2_t products;
#define INPUT(tap) \
    __riscv_vle8_v_i8m1(tap_rvv(c, rows[(tap) / c->kernel_width], column + (tap) % c->kernel_width, channel, inner), vl)
#define ADD_TAP(tap)                                                                     \
    if (tap < taps && taps <= HELD_TAPS) {                                               \
        products = tap % 2 ? __riscv_vwmacc_vv_i16m2(products, INPUT(tap), w##tap, vl)   \
                           : __riscv_vwmul_vv_i16m2(INPUT(tap), w##tap, vl);             \
        if (tap % 2 || tap + 1 == taps) sum = __riscv_vwadd_wv_i32m4(sum, products, vl); \
    }
        EACH_TAP_RVV(ADD_TAP)
#undef ADD_TAP
#pragma GCC unroll 32
        for (int tap = 0; tap < taps && taps > HELD_TAPS; tap += 2) {
            products = __riscv_vwmul_vv_i16m2(INPUT(tap), WEIGHTS(tap), vl);
            if (tap + 1 < taps)
                products = __riscv_vwmacc_vv_i16m2(products, INPUT(tap + 1), WEIGHTS(tap + 1), vl);
            sum = __riscv_vwadd_wv_i32m4(sum, products, vl);
        }
#undef INPUT
#undef WEIGHTS
        const int is_relu = c->least >= c->zero_point;
        const vint16m2_t words = rescale_each_rvv(sum, constants->multiplier, constants->shift, is_relu, vl);
        store_rvv(output + (ptrdiff_t)at * c->channels + channel, words, c->zero_point, c->least, c->most, vl);
    }
}

RVV INLINE void depthwise_rvv(const struct depthwise *c, const int8_t *input, int8_t *output) {
    const int most = lanes_rvv(), row = c->input_width * c->channels;
    // Positions from `begin` to `end` have all of their taps inside.
    const int left = (c->left + c->stride_x - 1) / c->stride_x, begin = left < c->width ? left : c->width;
    const int room = c->input_width + c->left - c->kernel_width, inside = room < 0 ? 0 : room / c->stride_x + 1;
    const int until = inside < c->width ? inside : c->width, end = until > begin ? until : begin;
    const int fit = c->stride_x == 1 ? most / c->channels : 1, times = fit > end - begin ? end - begin : fit;
    const int neighbours = times > 1 ? times : 1, lanes = neighbours > 1 ? c->channels : most;
    memset(scratch, c->input_zero_point, (size_t)row + MOST_LANES);
    for (int channel = 0; channel < c->channels; channel += lanes) {
        const size_t count = some_lanes(c->channels - channel, lanes);
        struct constants_rvv constants;
        fill_lanes(c, channel, (int)count, neighbours, &constants);
        for (int y = 0; y < c->height; y++) {
            const int8_t *rows[MOST_TAPS];
            for (int i = 0; i < c->kernel_height; i++) {
                const int from = y * c->stride_y - c->top + i;
                rows[i] = from >= 0 && from < c->input_height ? input + (ptrdiff_t)from * row : scratch;
            }
            int8_t *to = output + (ptrdiff_t)y * c->width * c->channels;
            if (begin) run_depthwise_rvv(c, rows, &constants, to, 0, begin, 1, channel, 0, count);
            if (begin < end)
                run_depthwise_rvv(c, rows, &constants, to, begin, end, neighbours, channel, 1, count * (size_t)neighbours);
            if (end < c->width) run_depthwise_rvv(c, rows, &constants, to, end, c->width, 1, channel, 0, count);
        }
    }
}
