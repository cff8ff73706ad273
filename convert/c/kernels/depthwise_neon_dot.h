// NEON with the dot product (ARMv8.2), for windows of up to three columns that move by one: four columns of a row of the
// input, of 8 channels, are brought beside each other once for all rows of the output that read them, and for two positions,
// the second of which has its weights one column further.
enum { ROWS_DOT = 2 };  // of the output at once

struct weights_dot {
    int8x16_t of[MOST_TAPS][2][2];  // by the kernel's row, the position, and four channels
};

INLINE int8x8_t column_dot(const struct depthwise *c, const int8_t *row, int column, int channel, int inner) {
    if (!inner && (column < 0 || column >= c->input_width)) return vdup_n_s8((int8_t)c->input_zero_point);
    return vld1_s8(row + (ptrdiff_t)column * c->channels + channel);
}

NEON_DOT INLINE void tile_depthwise_dot(const struct depthwise *c, const int8_t *const *rows,
                                        const struct weights_dot *weights, const struct scale_neon *scale, int8_t *output,
                                        int x, int channel, int inner, int count, int height) {
    const int8x8_t none = vdup_n_s8(0);
    int32x4_t sum[ROWS_DOT][2][2];
#pragma GCC unroll 2
    for (int y = 0; y < height; y++) {
#pragma GCC unroll 2
        for (int p = 0; p < count; p++) {
            __asm__("" : "+r"(scale));  // a load gives two registers, a copy of one that is loaded gives one
            memcpy(sum[y][p], scale->bias, sizeof sum[y][p]);
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < height - 1 + c->kernel_height; i++) {
        int8x8_t q[4];
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) q[j] = column_dot(c, rows[i], x - c->left + j, channel, inner);
        const int8x16_t even = vzip1q_s8(vcombine_s8(q[0], none), vcombine_s8(q[1], none));
        const int8x16_t odd = vzip1q_s8(vcombine_s8(q[2], none), vcombine_s8(q[3], none));
        const int8x16_t columns[2] = {
            vreinterpretq_s8_s16(vzip1q_s16(vreinterpretq_s16_s8(even), vreinterpretq_s16_s8(odd))),
            vreinterpretq_s8_s16(vzip2q_s16(vreinterpretq_s16_s8(even), vreinterpretq_s16_s8(odd))),
        };
#pragma GCC unroll 2
        for (int y = 0; y < height; y++)
            if (i >= y && i - y < c->kernel_height)
#pragma GCC unroll 4
                for (int part = 0; part < 2 * count; part++)
                    sum[y][part / 2][part % 2] =
                        vdotq_s32(sum[y][part / 2][part % 2], columns[part % 2], weights->of[i - y][part / 2][part % 2]);
    }
#pragma GCC unroll 2
    for (int y = 0; y < height; y++) {
        int32x4_t z[4];
        int8_t *to = output + ((ptrdiff_t)y * c->width + x) * c->channels + channel;
#pragma GCC unroll 4
        for (int part = 0; part < 2 * count; part++)
            z[part] = rescale_neon(sum[y][part / 2][part % 2], scale->multiplier[part % 2], scale->right[part % 2],
                                   c->least >= c->zero_point);
        const int16x8_t low = words_neon(z[0], z[1]), high = count > 1 ? words_neon(z[2], z[3]) : low;
        const int8x16_t bytes = bytes_neon(low, high, c->zero_point, c->least, c->most);
        vst1_s8(to, vget_low_s8(bytes));
        if (count > 1) vst1_s8(to + c->channels, vget_high_s8(bytes));
    }
}

// Some rows of eight channels of the output. Positions from `begin` to `end` have all of their columns inside.
NEON_DOT INLINE void rows_depthwise_dot(const struct depthwise *c, const int8_t *input, int8_t *output, int y, int channel,
                                        int height, const struct weights_dot *weights, const struct scale_neon *scale) {
    const int row = c->input_width * c->channels, begin = c->left ? 2 : 0, inside = c->input_width + c->left - 2;
    const int most = (inside < c->width ? inside : c->width) / 2 * 2, end = most > begin ? most : begin;
    const int8_t *rows[MOST_TAPS + ROWS_DOT];
#pragma GCC unroll 16
    for (int i = 0; i < height - 1 + c->kernel_height; i++) {
        const int from = y - c->top + i;
        rows[i] = from >= 0 && from < c->input_height ? input + (ptrdiff_t)from * row : scratch;
    }
    output += (ptrdiff_t)y * c->width * c->channels;
#define TILE(x, inner, count) tile_depthwise_dot(c, rows, weights, scale, output, x, channel, inner, count, height)
    if (begin) TILE(0, 0, 2);
    for (int x = begin; x < end; x += 2) TILE(x, 1, 2);
#pragma GCC unroll 2
    for (int x = end; x + 2 <= c->width; x += 2) TILE(x, 0, 2);
    if (c->width % 2) TILE(c->width - 1, 0, 1);
#undef TILE
}

NEON_DOT INLINE void depthwise_neon_dot(const struct depthwise *c, const int8_t *input, int8_t *output) {
    if (c->kernel_width > 3 || c->stride_x != 1 || c->stride_y != 1 || c->channels % 8 || c->width < 2) {
        depthwise_neon(c, input, output);
        return;
    }
    for (int i = 0; i < c->input_width * c->channels; i += 8) vst1_s8(scratch + i, vdup_n_s8((int8_t)c->input_zero_point));
    for (int channel = 0; channel < c->channels; channel += 8) {
        const int8_t *from = c->grouped_weights + (ptrdiff_t)(channel / 16) * c->kernel_height * 64 + channel % 16 * 4;
        const struct scale_neon scale = scale_of_lanes(c, (struct lanes){channel, 1});
        struct weights_dot weights;
#pragma GCC unroll 16
        for (int i = 0; i < c->kernel_height; i++)
#pragma GCC unroll 2
            for (int part = 0; part < 2; part++) {
                weights.of[i][0][part] = vld1q_s8(from + i * 64 + 16 * part);
                weights.of[i][1][part] = vreinterpretq_s8_u32(vshlq_n_u32(vreinterpretq_u32_s8(weights.of[i][0][part]), 8));
            }
        int y = 0;
        for (; y + ROWS_DOT <= c->height; y += ROWS_DOT)
            rows_depthwise_dot(c, input, output, y, channel, ROWS_DOT, &weights, &scale);
        if (y < c->height) rows_depthwise_dot(c, input, output, y, channel, 1, &weights, &scale);
    }
}
