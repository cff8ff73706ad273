// NEON without the dot product. Two products of int8 fit 16 bits, since weights stay within -127..127; vpadal adds pairs of
// these to 32 bits, so that a channel's sum lies in several lanes until the end. There are tiles for kernels of many bytes, of
// some and of few.
enum { POSITIONS_NEON = 4 };

// How many tiles of so many outputs a row begins with; what is left is one tile, or two alike where it would be small.
INLINE int whole_tiles(const struct conv *c, int count) {
    const int left = c->width % count;
    return c->width / count - (count > 4 && left && 2 * left < count && c->width > count);
}

// Calls TILE_OF(input, output, outputs at once) over some rows of an output.
#define OVER_ROWS_NEON(TILE_OF, count, rows, from, to)                                                              \
    for (int y = 0; y < (rows); y++) {                                                                              \
        const int left = c->width - whole_tiles(c, count) * (count), part = left > (count) ? left / 2 : 0;          \
        const int8_t *in = (from) + (ptrdiff_t)y * c->step_y;                                                       \
        int8_t *out = (to) + (ptrdiff_t)y * c->width * c->channels;                                                 \
        for (int i = 0; i < whole_tiles(c, count); i++) {                                                           \
            TILE_OF(in, out, count);                                                                                \
            in += (ptrdiff_t)(count) * c->step_x, out += (ptrdiff_t)(count) * c->channels;                          \
        }                                                                                                           \
        if (left) {                                                                                                 \
            TILE_OF(in, out, left - part);                                                                          \
        }                                                                                                           \
        if (part) {                                                                                                 \
            TILE_OF(in + (ptrdiff_t)(left - part) * c->step_x, out + (ptrdiff_t)(left - part) * c->channels, part); \
        }                                                                                                           \
    }

// Calls BAND_OF(input, output, rows) over all of an output, on copies where there is a border.
#define OVER_BANDS_NEON(BAND_OF)                                                    \
    for (int first = 0; first < c->height; first += c->band) {                      \
        const int rows = first + c->band < c->height ? c->band : c->height - first; \
        if (c->padded) copy_band(c, input, first, rows, scratch);                   \
        BAND_OF(c->padded ? scratch : input + (ptrdiff_t)first * c->step_y,         \
                output + (ptrdiff_t)first * c->width * c->channels, rows);          \
    }

// Sums of four channels, rescaled.
INLINE int32x4_t scaled_neon(const struct conv *c, int32x4_t sum, int channel) {
    const int32x4_t multiplier = vld1q_s32(c->multiplier + channel), shift = vld1q_s32(c->shift + channel);
    return rescale_neon(sum, multiplier, vnegq_s32(shift), c->least >= c->zero_point);
}

// The sums of neighbouring lanes.
INLINE int32x4_t pairs_neon(int32x4_t low, int32x4_t high) {
#ifdef __aarch64__
    return vpaddq_s32(low, high);
#else
    return vcombine_s32(vpadd_s32(vget_low_s32(low), vget_high_s32(low)), vpadd_s32(vget_low_s32(high), vget_high_s32(high)));
#endif
}

INLINE void store8_neon(const struct conv *c, int32x4_t low, int32x4_t high, int8_t *output, int channel) {
    const int left = c->channels - channel;
    if (c->dense) {
        int32_t sum[8];
        vst1q_s32(sum, low);
        vst1q_s32(sum + 4, high);
        store_dense(c, sum, output, channel, 8);
        return;
    }
    const int16x8_t words = words_neon(scaled_neon(c, low, channel), scaled_neon(c, high, channel + 4));
    const int8x8_t bytes = vget_low_s8(bytes_neon(words, words, c->zero_point, c->least, c->most));
    if (left >= 8) vst1_s8(output + channel, bytes);
    else {
        int8_t some[8];
        vst1_s8(some, bytes);
        memcpy(output + channel, some, (size_t)left);
    }
}

// Pools the sums of 8 channels where they are pooled, adds the bias and stores them.
INLINE void store_tile_neon(const struct conv *c, int32x4_t sum[][2], int8_t *output, int channel, int outputs) {
    const int32x4_t low = vld1q_s32(c->bias + channel), high = vld1q_s32(c->bias + channel + 4);
#pragma GCC unroll 4
    for (int o = 0; o < outputs; o++) {
        int32x4_t *best = sum[o * c->window];
#pragma GCC unroll 4
        for (int p = 1; p < c->window; p++) {
            best[0] = vmaxq_s32(best[0], sum[o * c->window + p][0]);
            best[1] = vmaxq_s32(best[1], sum[o * c->window + p][1]);
        }
        store8_neon(c, vaddq_s32(best[0], low), vaddq_s32(best[1], high), output + (ptrdiff_t)o * c->channels, channel);
    }
}

// Adds a group of four bytes of each position, lane `lane` of x, for 8 channels; with `count` 2 the next one too.
#define GROUPS_NEON(lane, count)                                                                 \
    do {                                                                                         \
        int8x16_t w[2][2];                                                                       \
        _Pragma("GCC unroll 2") for (int k = 0; k < (count); k++, weights += BLOCK * GROUP) {    \
            w[k][0] = vld1q_s8(weights);                                                         \
            w[k][1] = vld1q_s8(weights + 16);                                                    \
        }                                                                                        \
        _Pragma("GCC unroll 4") for (int p = 0; p < positions; p++) {                            \
            const int8x16_t one = LANE_NEON(x[p], lane);                                         \
            int16x8_t products[4] = {                                                            \
                vmull_s8(vget_low_s8(one), vget_low_s8(w[0][0])),                                \
                vmull_s8(vget_high_s8(one), vget_high_s8(w[0][0])),                              \
                vmull_s8(vget_low_s8(one), vget_low_s8(w[0][1])),                                \
                vmull_s8(vget_high_s8(one), vget_high_s8(w[0][1])),                              \
            };                                                                                   \
            if ((count) == 2) {                                                                  \
                const int8x16_t other = LANE_NEON(x[p], (lane) + (count) - 1);                   \
                products[0] = vmlal_s8(products[0], vget_low_s8(other), vget_low_s8(w[1][0]));   \
                products[1] = vmlal_s8(products[1], vget_high_s8(other), vget_high_s8(w[1][0])); \
                products[2] = vmlal_s8(products[2], vget_low_s8(other), vget_low_s8(w[1][1]));   \
                products[3] = vmlal_s8(products[3], vget_high_s8(other), vget_high_s8(w[1][1])); \
            }                                                                                    \
            _Pragma("GCC unroll 4") for (int pair = 0; pair < 4; pair++)                         \
                sum[p][pair] = vpadalq_s16(sum[p][pair], products[pair]);                        \
        }                                                                                        \
    } while (0)

#ifdef __aarch64__
#define LANE_NEON(x, lane) vreinterpretq_s8_s32(vdupq_laneq_s32(vreinterpretq_s32_s8(x), lane))
#else
#define LANE_NEON(x, lane) vreinterpretq_s8_s32(vdupq_n_s32(vgetq_lane_s32(vreinterpretq_s32_s8(x), lane)))
#endif

INLINE void tile_neon(const struct conv *c, const int8_t *input, int8_t *output, int channel, int outputs) {
    const int positions = outputs * c->window, block = channel / BLOCK;
    const ptrdiff_t size = (ptrdiff_t)c->kernel_height * c->groups * BLOCK * GROUP;
    const int8_t *weights = c->weights + block * size + channel % BLOCK * GROUP;
    int32x4_t sum[POSITIONS_NEON][4], total[POSITIONS_NEON][2];
    int8x16_t x[POSITIONS_NEON];
    if (c->kernel_height * c->groups > 2) __asm__ volatile("" : "+r"(weights));  // no registers keep so many
#pragma GCC unroll 4
    for (int p = 0; p < positions; p++)
        sum[p][0] = sum[p][1] = sum[p][2] = sum[p][3] = vdupq_n_s32(0);
    for (int i = 0; i < c->kernel_height; i++) {
        const int8_t *from = input + (ptrdiff_t)i * c->row;
        for (int k = 0; k < c->groups / 4; k++, from += 16) {
#pragma GCC unroll 4
            for (int p = 0; p < positions; p++) x[p] = vld1q_s8(from + position(c, p));
            GROUPS_NEON(0, 2);
            GROUPS_NEON(2, 2);
        }
        if (c->groups % 4 >= 2) {
#pragma GCC unroll 4
            for (int p = 0; p < positions; p++) x[p] = vcombine_s8(vld1_s8(from + position(c, p)), vdup_n_s8(0));
            GROUPS_NEON(0, 2);
            from += 2 * GROUP;
        }
        if (c->groups % 2) {
#pragma GCC unroll 4
            for (int p = 0; p < positions; p++)
                x[p] = vreinterpretq_s8_s32(vdupq_n_s32(four_bytes(from + position(c, p))));
            GROUPS_NEON(0, 1);
        }
    }
#pragma GCC unroll 4
    for (int p = 0; p < positions; p++) {
        total[p][0] = pairs_neon(sum[p][0], sum[p][1]);
        total[p][1] = pairs_neon(sum[p][2], sum[p][3]);
    }
    store_tile_neon(c, total, output, channel, outputs);
}

// Where a row of the kernel is a few bytes, each times 8 channels: widened to 16 bits and read by lane. Positions whose bytes
// lie in the same eight of a row are computed from one load.
#define TAP_NEON(lane, part)                                                                 \
    _Pragma("GCC unroll 4") for (int p = 0; p < positions; p++) {                            \
        const int at = (int)position(c, p), i = y - at / c->row, tap = (lane) - at % c->row; \
        if (i >= 0 && i < c->kernel_height && tap >= 0 && tap < c->taps) {                   \
            const int16x8_t w = vld1q_s16(weights + (i * c->taps + tap) * 8);                \
            sum[p][0] = vmlal_lane_s16(sum[p][0], vget_low_s16(w), part, (lane) % 4);        \
            sum[p][1] = vmlal_lane_s16(sum[p][1], vget_high_s16(w), part, (lane) % 4);       \
        }                                                                                    \
    }

INLINE void few_taps_neon(const struct conv *c, const int8_t *input, const int16_t *weights, int32x4_t sum[][2],
                          int positions) {
    const int rows = (int)position(c, positions - 1) / c->row + c->kernel_height;
#pragma GCC unroll 4
    for (int p = 0; p < positions; p++) sum[p][0] = sum[p][1] = vdupq_n_s32(0);
#pragma GCC unroll 8
    for (int y = 0; y < rows; y++) {
        int16x8_t x = vmovl_s8(vld1_s8(input + (ptrdiff_t)y * c->row));
        __asm__("" : "+w"(x));  // one instruction, which compilers make three of when they see that lanes are not read
        const int16x4_t first = vget_low_s16(x), second = vget_high_s16(x);
        TAP_NEON(0, first)
        TAP_NEON(1, first)
        TAP_NEON(2, first)
        TAP_NEON(3, first)
        TAP_NEON(4, second)
        TAP_NEON(5, second)
        TAP_NEON(6, second)
        TAP_NEON(7, second)
    }
}

INLINE void tile_neon_few(const struct conv *c, const int8_t *input, int8_t *output, int channel, int outputs) {
    const int16_t *weights = c->few_weights + (ptrdiff_t)channel * c->kernel_height * c->taps;
    const int positions = outputs * c->window;
    int32x4_t sum[POSITIONS_NEON][2];
    if (position(c, positions - 1) % c->row + c->taps <= 8) few_taps_neon(c, input, weights, sum, positions);
    else
#pragma GCC unroll 4
        for (int p = 0; p < positions; p++) few_taps_neon(c, input + position(c, p), weights, sum + p, 1);
    store_tile_neon(c, sum, output, channel, outputs);
}

// Pools the sums of four channels where they are pooled, adds the bias and stores them.
INLINE void store4_neon(const struct conv *c, const int32x4_t sum[], int8_t *output, int channel, int outputs) {
    const int32x4_t bias = vld1q_s32(c->bias + channel);
    const size_t left = c->channels - channel < 4 ? (size_t)(c->channels - channel) : 4;
    int32x4_t y[POSITIONS_NEON];
#pragma GCC unroll 4
    for (int o = 0; o < POSITIONS_NEON; o++) {
        if (o >= outputs) {
            y[o] = y[0];
            continue;
        }
        int32x4_t best = sum[o * c->window];
#pragma GCC unroll 4
        for (int p = 1; p < c->window; p++) best = vmaxq_s32(best, sum[o * c->window + p]);
        y[o] = scaled_neon(c, vaddq_s32(best, bias), channel);
    }
    const int16x8_t low = words_neon(y[0], y[1]), high = words_neon(y[2], y[3]);
    const int32x4_t bytes = vreinterpretq_s32_s8(bytes_neon(low, high, c->zero_point, c->least, c->most));
#define STORE_LANE(lane)                                                         \
    if (lane < outputs) {                                                        \
        const int32_t four = vgetq_lane_s32(bytes, lane);                        \
        memcpy(output + (ptrdiff_t)(lane) * c->channels + channel, &four, left); \
    }
    STORE_LANE(0)
    STORE_LANE(1)
    STORE_LANE(2)
    STORE_LANE(3)
#undef STORE_LANE
}

// The products of a position come behind the sums of the one before it: compilers keep too many at once else, for which
// there are no registers.
#define IN_TURN_NEON(sum, x) __asm__("" : "+w"((sum)[0]), "+w"((sum)[1]), "+w"((sum)[2]), "+w"((sum)[3]), "+w"(x))

// Where a row of the kernel is many bytes: sixteen of each position at once, for four channels; a channel's sum lies in four
// lanes. The first sixteen set the sums.
#define SIXTEEN_NEON(is_first)                                                                       \
    do {                                                                                             \
        int8x16_t x = vld1q_s8(from + position(c, 0));                                               \
        _Pragma("GCC unroll 4") for (int o = 0; o < 4; o++, weights += 16) w[o] = vld1q_s8(weights); \
        _Pragma("GCC unroll 4") for (int p = 0; p < positions; p++) {                                \
            int8x16_t next = x;                                                                      \
            if (p + 1 < positions) next = vld1q_s8(from + position(c, p + 1));                       \
            _Pragma("GCC unroll 4") for (int o = 0; o < 4; o++) {                                    \
                int16x8_t products = vmull_s8(vget_low_s8(x), vget_low_s8(w[o]));                    \
                products = vmlal_s8(products, vget_high_s8(x), vget_high_s8(w[o]));                  \
                sum[p][o] = (is_first) ? vpaddlq_s16(products) : vpadalq_s16(sum[p][o], products);   \
            }                                                                                        \
            IN_TURN_NEON(sum[p], next);                                                              \
            x = next;                                                                                \
        }                                                                                            \
        __asm__("" : "+r"(weights) : "w"(x), "w"(sum[positions - 1][3]));                            \
        from += 16;                                                                                  \
    } while (0)

// The last eight bytes of a kernel's row, with `rows` 2 those of the row before it too.
#define EIGHTS_NEON(rows)                                                                                            \
    do {                                                                                                             \
        int8x8_t half[2][4];                                                                                         \
        _Pragma("GCC unroll 4") for (int o = 0; o < 4; o++, weights += 8) {                                          \
            half[0][o] = vld1_s8(weights);                                                                           \
            if ((rows) == 2) half[1][o] = vld1_s8(weights - c->eights * 32);                                         \
        }                                                                                                            \
        _Pragma("GCC unroll 4") for (int p = 0; p < positions; p++) {                                                \
            const int8x8_t x = vld1_s8(from + position(c, p));                                                       \
            _Pragma("GCC unroll 4") for (int o = 0; o < 4; o++) {                                                    \
                int16x8_t products = vmull_s8(x, half[0][o]);                                                        \
                if ((rows) == 2) products = vmlal_s8(products, vld1_s8(from - c->row + position(c, p)), half[1][o]); \
                sum[p][o] = vpadalq_s16(sum[p][o], products);                                                        \
            }                                                                                                        \
        }                                                                                                            \
    } while (0)

INLINE void tile_neon_wide(const struct conv *c, const int8_t *input, int8_t *output, int channel, int outputs) {
    const int positions = outputs * c->window;
    const int8_t *weights = c->wide_weights + (ptrdiff_t)channel * c->kernel_height * c->eights * 8;
    int32x4_t sum[POSITIONS_NEON][4], total[POSITIONS_NEON];
    int8x16_t w[4];
#pragma GCC unroll 5
    for (int i = 0; i < c->kernel_height; i++) {
        const int8_t *from = input + (ptrdiff_t)i * c->row;
        if (i == 0) SIXTEEN_NEON(1);
#pragma GCC unroll 4
        for (int k = i == 0; k < c->eights / 2; k++) SIXTEEN_NEON(0);
        if (c->eights % 2 == 0) continue;
        if (i % 2) EIGHTS_NEON(2);
        else if (i + 1 == c->kernel_height) EIGHTS_NEON(1);
        else weights += 32;
    }
#pragma GCC unroll 4
    for (int p = 0; p < positions; p++)
        total[p] = pairs_neon(pairs_neon(sum[p][0], sum[p][1]), pairs_neon(sum[p][2], sum[p][3]));
    store4_neon(c, total, output, channel, outputs);
}

INLINE void conv_neon(const struct conv *c, const int8_t *input, int8_t *output) {
    const int outputs = POSITIONS_NEON / c->window, at_once = c->eights ? 4 : 8;
#define TILE_OF(from, to, count)                                  \
    if (c->eights) tile_neon_wide(c, from, to, channel, count);   \
    else if (c->taps) tile_neon_few(c, from, to, channel, count); \
    else tile_neon(c, from, to, channel, count)
#define BAND_OF(from, to, rows)                                      \
    for (int channel = 0; channel < c->channels; channel += at_once) \
        OVER_ROWS_NEON(TILE_OF, outputs, rows, from, to)
    OVER_BANDS_NEON(BAND_OF)
#undef BAND_OF
#undef TILE_OF
}
