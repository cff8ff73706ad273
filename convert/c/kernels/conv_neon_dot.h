// NEON with the dot product (ARMv8.2). A tile is up to 4 positions by 16 channels: 16 accumulators; sixteen bytes of a position
// are loaded at once and read by lane.

enum { POSITIONS_DOT = 4 };

INLINE void store16_neon(const struct conv *c, const int32x4_t sum[4], int8_t *output, int channel) {
    if (c->dense) {
        int32_t each[BLOCK];
        for (int o = 0; o < 4; o++) vst1q_s32(each + 4 * o, sum[o]);
        store_dense(c, each, output, channel, BLOCK);
        return;
    }
    const int16x8_t low = scaled_neon(c, sum[0], sum[1], channel), high = scaled_neon(c, sum[2], sum[3], channel + 8);
    const int8x16_t bytes = bytes_neon(low, high, c->zero_point, c->least, c->most);
    const int left = c->channels - channel;
    if (left >= BLOCK) vst1q_s8(output + channel, bytes);
    else {
        int8_t some[BLOCK];
        vst1q_s8(some, bytes);
        memcpy(output + channel, some, (size_t)left);
    }
}

// Adds one group of four bytes of each position, lane `lane` of x.
#define GROUP_OF(lane)                                                                    \
    do {                                                                                  \
        const int8x16_t w0 = vld1q_s8(weights), w1 = vld1q_s8(weights + 16);              \
        const int8x16_t w2 = vld1q_s8(weights + 32), w3 = vld1q_s8(weights + 48);         \
        weights += BLOCK * GROUP;                                                         \
        _Pragma("GCC unroll 4") for (int p = 0; p < positions; p++) {                  \
            sum[p][0] = vdotq_laneq_s32(sum[p][0], w0, x[p], lane);                       \
            sum[p][1] = vdotq_laneq_s32(sum[p][1], w1, x[p], lane);                       \
            sum[p][2] = vdotq_laneq_s32(sum[p][2], w2, x[p], lane);                       \
            sum[p][3] = vdotq_laneq_s32(sum[p][3], w3, x[p], lane);                       \
        }                                                                                 \
    } while (0)

NEON_DOT INLINE void tile_neon_dot(const struct conv *c, const int8_t *input, int8_t *output, int block, int outputs) {
    const int positions = outputs * c->window;
    const int8_t *weights = c->weights + (ptrdiff_t)block * c->kernel_height * c->groups * BLOCK * GROUP;
    const int32_t *bias = c->bias + block * BLOCK;
    int32x4_t sum[POSITIONS_DOT][4];
    int8x16_t x[POSITIONS_DOT];
#pragma GCC unroll 4
    for (int p = 0; p < positions; p++)
#pragma GCC unroll 4
        for (int o = 0; o < 4; o++) sum[p][o] = vld1q_s32(bias + 4 * o);
    for (int i = 0; i < c->kernel_height; i++) {
        const int8_t *from = input + (ptrdiff_t)i * c->row;
        for (int k = 0; k < c->groups / 4; k++, from += 16) {
#pragma GCC unroll 4
            for (int p = 0; p < positions; p++) x[p] = vld1q_s8(from + position(c, p));
            GROUP_OF(0);
            GROUP_OF(1);
            GROUP_OF(2);
            GROUP_OF(3);
        }
#pragma GCC unroll 3
        for (int k = 0; k < c->groups % 4; k++, from += GROUP) {
#pragma GCC unroll 4
            for (int p = 0; p < positions; p++)
                x[p] = vreinterpretq_s8_s32(vdupq_n_s32(four_bytes(from + position(c, p))));
            GROUP_OF(0);
        }
    }
#pragma GCC unroll 4
    for (int o = 0; o < outputs; o++) {
        int32x4_t *best = sum[o * c->window];
#pragma GCC unroll 16
        for (int p = 4; p < c->window * 4; p++) best[p % 4] = vmaxq_s32(best[p % 4], best[p]);
        store16_neon(c, best, output + (ptrdiff_t)o * c->channels, block * BLOCK);
    }
}

NEON_DOT INLINE void conv_neon_dot(const struct conv *c, const int8_t *input, int8_t *output) {
    const int outputs = outputs_at_once(c, POSITIONS_DOT);
    for (int block = 0; block < c->blocks; block++) {
#define TILE_OF(from, to) tile_neon_dot(c, from, to, block, outputs)
        OVER_OUTPUT(TILE_OF, outputs)
#undef TILE_OF
    }
}
