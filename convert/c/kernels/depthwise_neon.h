// NEON: 16 lanes at once, which are 16 channels of a position or, where 8 are left, these of two neighbours. Two products of
// int8 fit 16 bits, since weights stay within -127..127. Rows outside of the input are a row of zero points; columns outside
// are known to the compiler.
struct lanes {
    int first, half;  // channel; whether these are 8 of two positions
};

struct scale_neon {
    int32x4_t bias[4], multiplier[4], right[4];
};

INLINE int8x16_t lanes_of(const int8_t *from, struct lanes lanes) {
    return lanes.half ? vcombine_s8(vld1_s8(from), vld1_s8(from)) : vld1q_s8(from);
}

INLINE struct scale_neon scale_of_lanes(const struct depthwise *c, struct lanes lanes) {
    struct scale_neon scale;
#pragma GCC unroll 4
    for (int o = 0; o < 4; o++) {
        const int channel = lanes.first + 4 * (lanes.half ? o % 2 : o);
        scale.bias[o] = vld1q_s32(c->bias + channel);
        scale.multiplier[o] = vld1q_s32(c->multiplier + channel);
        scale.right[o] = vnegq_s32(vld1q_s32(c->shift + channel));
    }
    return scale;
}

INLINE int8x8_t half_neon(const struct depthwise *c, const int8_t *row, int column, int first, int inner) {
    if (!inner && (column < 0 || column >= c->input_width)) return vdup_n_s8((int8_t)c->input_zero_point);
    return vld1_s8(row + (ptrdiff_t)column * c->channels + first);
}

// The inputs of a tap: `column` is that of the first position. Inner columns are those that are surely inside.
INLINE int8x16_t tap_neon(const struct depthwise *c, const int8_t *row, int column, struct lanes lanes, int inner) {
    const int other = column + (c->width > 1 ? c->stride_x : 0);
    const int is_inside = inner || (column >= 0 && (lanes.half ? other : column) < c->input_width);
    if (lanes.half && !(c->channels == 8 && other == column + 1 && is_inside))
        return vcombine_s8(half_neon(c, row, column, lanes.first, inner), half_neon(c, row, other, lanes.first, inner));
    if (!is_inside) return vdupq_n_s8((int8_t)c->input_zero_point);
    return vld1q_s8(row + (ptrdiff_t)column * c->channels + lanes.first);
}

INLINE void store_depthwise_neon(const struct depthwise *c, const int32x4_t sum[4], const struct scale_neon *scale,
                                 int8_t *output, struct lanes lanes) {
    int32x4_t y[4];
#pragma GCC unroll 4
    for (int o = 0; o < 4; o++)
        y[o] = rescale_neon(sum[o], scale->multiplier[o], scale->right[o], c->least >= c->zero_point);
    const int8x16_t bytes = bytes_neon(words_neon(y[0], y[1]), words_neon(y[2], y[3]), c->zero_point, c->least, c->most);
    if (!lanes.half || (c->channels == 8 && c->width > 1)) {
        vst1q_s8(output + lanes.first, bytes);
        return;
    }
    vst1_s8(output + lanes.first, vget_low_s8(bytes));
    if (c->width > 1) vst1_s8(output + lanes.first + c->channels, vget_high_s8(bytes));
}

enum { MOST_TAPS = 64, HELD_TAPS = 9, TILES_NEON = 2 };  // taps; those whose weights stay in registers; tiles at once

// `count` tiles beside each other.
INLINE void tiles_depthwise_neon(const struct depthwise *c, const int8_t *const *rows, int8x16_t *weights,
                                 const struct scale_neon *scale, int8_t *output, int x, struct lanes lanes, int inner,
                                 int count) {
    const int taps = c->kernel_height * c->kernel_width, apart = lanes.half && c->width > 1 ? 2 : 1;
    int32x4_t sum[TILES_NEON][4];
    __asm__("" : "+r"(scale));  // read anew: registers are few
    if (taps <= HELD_TAPS)
#pragma GCC unroll 16
        for (int tap = 0; tap < taps; tap++) __asm__("" : "+w"(weights[tap]));  // else halves of them are kept apart
#pragma GCC unroll 4
    for (int t = 0; t < count; t++) memcpy(sum[t], scale->bias, sizeof sum[t]);
#pragma GCC unroll 32
    for (int tap = 0; tap < taps; tap += 2) {
        const int next = tap + 1 < taps ? tap + 1 : tap;
        const int8_t *row = rows[tap / c->kernel_width], *next_row = rows[next / c->kernel_width];
#pragma GCC unroll 4
        for (int t = 0; t < count; t++) {
            const int column = (x + t * apart) * c->stride_x - c->left;
            const int8x16_t one = tap_neon(c, row, column + tap % c->kernel_width, lanes, inner);
            int16x8_t low = vmull_s8(vget_low_s8(one), vget_low_s8(weights[tap]));
            int16x8_t high = vmull_s8(vget_high_s8(one), vget_high_s8(weights[tap]));
            if (next > tap) {
                const int8x16_t other = tap_neon(c, next_row, column + next % c->kernel_width, lanes, inner);
                low = vmlal_s8(low, vget_low_s8(other), vget_low_s8(weights[next]));
                high = vmlal_s8(high, vget_high_s8(other), vget_high_s8(weights[next]));
            }
            sum_words_neon(sum[t], low, high);
        }
    }
#pragma GCC unroll 4
    for (int t = 0; t < count; t++)
        store_depthwise_neon(c, sum[t], scale, output + (ptrdiff_t)(x + t * apart) * c->channels, lanes);
}

// Rows `y` to `last` of the output.
INLINE void depthwise_rows_neon(const struct depthwise *c, const int8_t *input, int8_t *output, int y, int last,
                                struct lanes lanes) {
    const struct scale_neon scale = scale_of_lanes(c, lanes);
    const int taps = c->kernel_height * c->kernel_width, row = c->input_width * c->channels;
    const int at_once = lanes.half && c->width > 1 ? 2 : 1;
    // Positions from `begin` to `end` have all of their taps inside; before and behind them all is known to the compiler.
    const int left = (c->left + c->stride_x - 1) / c->stride_x, begin = (left + at_once - 1) / at_once * at_once;
    const int room = c->input_width + c->left - c->kernel_width, inside = room < 0 ? 0 : room / c->stride_x + 1;
    const int most = inside < c->width ? inside : c->width;
    const int end = most > begin ? begin + (most - begin) / at_once * at_once : begin;
    const int both = begin + (end - begin) / (TILES_NEON * at_once) * TILES_NEON * at_once;
    int8x16_t weights[MOST_TAPS];
#pragma GCC unroll 64
    for (int tap = 0; tap < taps; tap++) weights[tap] = lanes_of(c->weights + tap * c->channels + lanes.first, lanes);
    for (; y < last; y++) {
        const int8_t *rows[MOST_TAPS];
#pragma GCC unroll 64
        for (int i = 0; i < c->kernel_height; i++) {
            const int from = y * c->stride_y - c->top + i;
            rows[i] = from >= 0 && from < c->input_height ? input + (ptrdiff_t)from * row : scratch;
        }
        int8_t *to = output + (ptrdiff_t)y * c->width * c->channels;
#define TILE(x, inner, count) tiles_depthwise_neon(c, rows, weights, &scale, to, x, lanes, inner, count)
#define BORDER(from, until)                                                             \
    _Pragma("GCC unroll 8") for (int x = from; x < until && x < c->width; x += at_once) \
        TILE(x < c->width - at_once ? x : c->width - at_once, 0, 1)
        BORDER(0, begin);
        for (int x = begin; x < both; x += TILES_NEON * at_once) TILE(x, 1, TILES_NEON);
        if (both < end) TILE(both, 1, 1);
        BORDER(end, c->width);
#undef TILE
#undef BORDER
    }
}

INLINE void depthwise_neon(const struct depthwise *c, const int8_t *input, int8_t *output) {
    enum { NEAR = 1 << 14 };  // bytes of rows that stay in a cache while all channels are computed
    const int row = c->stride_y * c->input_width * c->channels, rows = row < NEAR ? NEAR / row : 1;
    for (int i = 0; i < c->input_width * c->channels; i += 16) vst1q_s8(scratch + i, vdupq_n_s8((int8_t)c->input_zero_point));
    for (int y = 0; y < c->height; y += rows) {
        const int last = y + rows < c->height ? y + rows : c->height, left = c->channels % 16;
#define ROWS(channel, half) depthwise_rows_neon(c, input, output, y, last, (struct lanes){channel, half})
        for (int first = 0; first + 16 <= c->channels; first += 16) ROWS(first, 0);
        if (left > 8 && c->channels > 16) ROWS(c->channels - 16, 0);
        else if (left) ROWS(c->channels - 8, 1);
        if (left > 8 && c->channels < 16) ROWS(0, 1);
#undef ROWS
    }
}
