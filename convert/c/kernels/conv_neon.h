// NEON without the dot product. A tile is up to 4 positions by 8 channels. Two products of int8 fit 16 bits, since weights
// stay within -127..127; vpadal adds pairs of these to 32 bits, so that a channel's sum lies in two lanes until the end.

// Sums of eight channels, rescaled.
INLINE int16x8_t scaled_neon(const struct conv *c, int32x4_t low, int32x4_t high, int channel) {
    const int32_t *multiplier = c->multiplier + channel, *shift = c->shift + channel;
    const int is_relu = c->least >= c->zero_point;
    return words_neon(rescale_neon(low, vld1q_s32(multiplier), vnegq_s32(vld1q_s32(shift)), is_relu),
                      rescale_neon(high, vld1q_s32(multiplier + 4), vnegq_s32(vld1q_s32(shift + 4)), is_relu));
}

INLINE int32x4_t channels_neon(int32x4_t low, int32x4_t high) {
#ifdef __aarch64__
    return vpaddq_s32(low, high);
#else
    return vcombine_s32(vpadd_s32(vget_low_s32(low), vget_high_s32(low)), vpadd_s32(vget_low_s32(high), vget_high_s32(high)));
#endif
}

INLINE void store8_neon(const struct conv *c, int32x4_t low, int32x4_t high, int8_t *output, int channel) {
    if (c->dense) {
        int32_t sum[8];
        vst1q_s32(sum, low);
        vst1q_s32(sum + 4, high);
        store_dense(c, sum, output, channel, 8);
        return;
    }
    const int16x8_t words = scaled_neon(c, low, high, channel);
    const int8x8_t bytes = vget_low_s8(bytes_neon(words, words, c->zero_point, c->least, c->most));
    const int left = c->channels - channel;
    if (left >= 8) vst1_s8(output + channel, bytes);
    else if (left > 0) {
        int8_t some[8];
        vst1_s8(some, bytes);
        memcpy(output + channel, some, (size_t)left);
    }
}

enum { TILE = 4 };  // positions at once

// Pools a tile's sums of 8 channels if it is pooled, adds the bias and stores them.
INLINE void store_tile_neon(const struct conv *c, int32x4_t sum[TILE][2], int8_t *output, int channel, int outputs) {
    const int32x4_t low = vld1q_s32(c->bias + channel), high = vld1q_s32(c->bias + channel + 4);
#pragma GCC unroll 4
    for (int o = 0; o < outputs; o++) {
        int32x4_t *best = sum[o * c->window];
#pragma GCC unroll 4
        for (int p = 1; p < c->window; p++) {
            best[0] = vmaxq_s32(best[0], best[2 * p]);
            best[1] = vmaxq_s32(best[1], best[2 * p + 1]);
        }
        store8_neon(c, vaddq_s32(best[0], low), vaddq_s32(best[1], high), output + (ptrdiff_t)o * c->channels, channel);
    }
}

// Adds a group of four bytes of each position, lane `lane` of x; with `count` 2 the next one too.
#define GROUPS_NEON(lane, count)                                                                       \
    do {                                                                                               \
        int8x16_t w[2][2];                                                                             \
        _Pragma("GCC unroll 2") for (int k = 0; k < (count); k++, weights += BLOCK * GROUP) {          \
            w[k][0] = vld1q_s8(weights);                                                               \
            w[k][1] = vld1q_s8(weights + 16);                                                          \
        }                                                                                              \
        _Pragma("GCC unroll 4") for (int p = 0; p < positions; p++) {                               \
            const int8x16_t one = LANE_NEON(x[p], lane);                                               \
            int16x8_t products[4] = {                                                                  \
                vmull_s8(vget_low_s8(one), vget_low_s8(w[0][0])),                                      \
                vmull_s8(vget_high_s8(one), vget_high_s8(w[0][0])),                                    \
                vmull_s8(vget_low_s8(one), vget_low_s8(w[0][1])),                                      \
                vmull_s8(vget_high_s8(one), vget_high_s8(w[0][1])),                                    \
            };                                                                                         \
            if ((count) == 2) {                                                                        \
                const int8x16_t other = LANE_NEON(x[p], (lane) + (count) - 1);                         \
                products[0] = vmlal_s8(products[0], vget_low_s8(other), vget_low_s8(w[1][0]));         \
                products[1] = vmlal_s8(products[1], vget_high_s8(other), vget_high_s8(w[1][0]));       \
                products[2] = vmlal_s8(products[2], vget_low_s8(other), vget_low_s8(w[1][1]));         \
                products[3] = vmlal_s8(products[3], vget_high_s8(other), vget_high_s8(w[1][1]));       \
            }                                                                                          \
            _Pragma("GCC unroll 4") for (int pair = 0; pair < 4; pair++)                               \
                sum[p][pair] = vpadalq_s16(sum[p][pair], products[pair]);                              \
        }                                                                                              \
    } while (0)

#ifdef __aarch64__
#define LANE_NEON(x, lane) vreinterpretq_s8_s32(vdupq_laneq_s32(vreinterpretq_s32_s8(x), lane))
#else
#define LANE_NEON(x, lane) vreinterpretq_s8_s32(vdupq_n_s32(vgetq_lane_s32(vreinterpretq_s32_s8(x), lane)))
#endif

INLINE void tile_neon(const struct conv *c, const int8_t *input, int8_t *output, int block, int half, int outputs) {
    const int positions = outputs * c->window;
    const int channel = block * BLOCK + half * 8;
    const int8_t *weights = c->weights + (ptrdiff_t)block * c->kernel_height * c->groups * BLOCK * GROUP + half * 32;
    int32x4_t sum[TILE][4], total[TILE][2];
    int8x16_t x[TILE];
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
#pragma GCC unroll 3
        for (int k = 0; k < c->groups % 4; k++, from += GROUP) {
#pragma GCC unroll 4
            for (int p = 0; p < positions; p++)
                x[p] = vreinterpretq_s8_s32(vdupq_n_s32(four_bytes(from + position(c, p))));
            GROUPS_NEON(0, 1);
        }
    }
#pragma GCC unroll 4
    for (int p = 0; p < positions; p++) {
        total[p][0] = channels_neon(sum[p][0], sum[p][1]);
        total[p][1] = channels_neon(sum[p][2], sum[p][3]);
    }
    store_tile_neon(c, total, output, channel, outputs);
}

// Where a row of the kernel is a few bytes, each times 8 channels: widened to 16 bits and read by lane.
#define TAP_NEON(tap, part)                                                                       \
    if (tap < c->taps) {                                                                          \
        const int16x8_t w = vld1q_s16(weights + (i * c->taps + tap) * 8);                         \
        sum[p][0] = vmlal_lane_s16(sum[p][0], vget_low_s16(w), part, tap % 4);                    \
        sum[p][1] = vmlal_lane_s16(sum[p][1], vget_high_s16(w), part, tap % 4);                   \
    }

INLINE void tile_neon_few(const struct conv *c, const int8_t *input, int8_t *output, int block, int half, int outputs) {
    const int positions = outputs * c->window;
    const int channel = block * BLOCK + half * 8;
    const int16_t *weights = c->few_weights + (ptrdiff_t)channel * c->kernel_height * c->taps;
    int32x4_t sum[TILE][2];
#pragma GCC unroll 4
    for (int p = 0; p < positions; p++) {
        sum[p][0] = sum[p][1] = vdupq_n_s32(0);
#pragma GCC unroll 8
        for (int i = 0; i < c->kernel_height; i++) {
            int16x8_t x = vmovl_s8(vld1_s8(input + position(c, p) + (ptrdiff_t)i * c->row));
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
    store_tile_neon(c, sum, output, channel, outputs);
}

INLINE void conv_neon(const struct conv *c, const int8_t *input, int8_t *output) {
    const int outputs = outputs_at_once(c, TILE);
    for (int block = 0; block < c->blocks; block++)
        for (int half = 0; half < 2; half++) {
#define TILE_OF(from, to) \
    if (c->taps) tile_neon_few(c, from, to, block, half, outputs); \
    else tile_neon(c, from, to, block, half, outputs)
            OVER_OUTPUT(TILE_OF, outputs)
#undef TILE_OF
        }
}
