// NEON with the dot product (ARMv8.2). A tile is up to 6 positions by 16 channels, 24 accumulators, or 8 positions by the few
// channels of a last block; sixteen bytes of a position are loaded at once and read by lane.
enum { POSITIONS_DOT = 6, MOST_POSITIONS_DOT = 8 };

// Stores the sums of a dense layer's block of channels, `fours` times four of them.
INLINE void store_dense_neon(const struct conv *c, const int32x4_t sum[4], int8_t *output, int channel, int fours) {
    int32_t single[BLOCK];
    for (int o = 0; o < fours; o++) vst1q_s32(single + 4 * o, sum[o]);
    store_dense(c, single, output, channel, 4 * fours);
}

// Stores a block of channels that are rescaled.
INLINE void store16_neon(const struct conv *c, const int32x4_t y[4], int8_t *output, int channel, int fours) {
    const int left = c->channels - channel;
    const int16x8_t low = words_neon(y[0], y[fours > 1]), high = fours > 2 ? words_neon(y[2], y[fours > 3 ? 3 : 2]) : low;
    const int8x16_t bytes = bytes_neon(low, high, c->zero_point, c->least, c->most);
    if (left >= BLOCK) vst1q_s8(output + channel, bytes);
    else if (left == 8) vst1_s8(output + channel, vget_low_s8(bytes));
    else {
        int8_t some[BLOCK];
        vst1q_s8(some, bytes);
        memcpy(output + channel, some, (size_t)left);
    }
}

// Adds one group of four bytes of each position, lane `lane` of x.
#define GROUP_OF(lane)                                                  \
    do {                                                                \
        _Pragma("GCC unroll 4") for (int o = 0; o < fours; o++) {       \
            const int8x16_t w = vld1q_s8(weights + 16 * o);             \
            _Pragma("GCC unroll 8") for (int p = 0; p < positions; p++) \
                sum[p][o] = vdotq_laneq_s32(sum[p][o], w, x[p], lane);  \
        }                                                               \
        weights += BLOCK * GROUP;                                       \
    } while (0)

// The next sixteen are loaded behind these: there are no registers for both.
#define SIXTEEN_OF()                                                                                        \
    do {                                                                                                    \
        _Pragma("GCC unroll 8") for (int p = 0; p < positions; p++) x[p] = vld1q_s8(from + position(c, p)); \
        GROUP_OF(0);                                                                                        \
        GROUP_OF(1);                                                                                        \
        GROUP_OF(2);                                                                                        \
        GROUP_OF(3);                                                                                        \
        from += 16;                                                                                         \
        if (positions > 4) __asm__("" : "+r"(from), "+r"(weights) : "w"(sum[positions - 1][fours - 1]));    \
    } while (0)

// Up to three groups of four bytes; of three the last byte at least is part of a row.
INLINE int8x16_t rest_of_row(const int8_t *from, int groups) {
    if (groups == 3) return vld1q_s8(from);
    if (groups == 2) return vcombine_s8(vld1_s8(from), vdup_n_s8(0));
    return vreinterpretq_s8_s32(vdupq_n_s32(four_bytes(from)));
}

// Where a row of the kernel is one group and neighbouring positions lie within eight bytes: one load is put into the lanes of
// all positions that read the row.
#define SHARED_OF(lane)                                                                          \
    _Pragma("GCC unroll 8") for (int p = 0; p < positions; p++) {                                \
        const int at = (int)position(c, p), i = y - at / c->row;                                 \
        if (at % c->row == (lane) * apart && i >= 0 && i < c->kernel_height)                     \
            _Pragma("GCC unroll 4") for (int o = 0; o < fours; o++) sum[p][o] = vdotq_laneq_s32( \
                sum[p][o], vld1q_s8(weights + (ptrdiff_t)i * BLOCK * GROUP + 16 * o), x, lane);  \
    }

INLINE int bytes_apart(const struct conv *c) { return c->window > 1 ? c->position_x : c->step_x; }

INLINE int is_shared(const struct conv *c, int positions) {
    const int apart = bytes_apart(c), furthest = (int)position(c, positions - 1) % c->row;
    return c->groups == 1 && c->step_x % apart == 0 && furthest + GROUP <= 8 && furthest < 4 * apart;
}

NEON_DOT INLINE void shared_rows(const struct conv *c, const int8_t *input, const int8_t *weights, int32x4_t sum[][4],
                                 int fours, int positions) {
    const int rows = (int)position(c, positions - 1) / c->row + c->kernel_height, apart = bytes_apart(c);
    uint8_t places[16];
    for (int i = 0; i < 16; i++) places[i] = (uint8_t)(i / GROUP * apart + i % GROUP);
    const uint8x16_t order = vld1q_u8(places);
#pragma GCC unroll 16
    for (int y = 0; y < rows; y++) {
        const int8x16_t row = vcombine_s8(vld1_s8(input + (ptrdiff_t)y * c->row), vdup_n_s8(0));
        const int8x16_t x = vqtbl1q_s8(row, order);
        SHARED_OF(0)
        SHARED_OF(1)
        SHARED_OF(2)
        SHARED_OF(3)
    }
}

// Pools the sums of a block where they are pooled, and stores them; multipliers are read once for all outputs.
INLINE void store_block_neon(const struct conv *c, int32x4_t sum[][4], int8_t *output, int block, int fours, int outputs) {
    const int32_t *multipliers = c->multiplier + block * BLOCK, *shifts = c->shift + block * BLOCK;
    if (outputs > 4) __asm__ volatile("" : "+r"(multipliers), "+r"(shifts));  // read by each tile, as above
#pragma GCC unroll 4
    for (int i = 0; i < fours; i++) {
        const int32x4_t multiplier = vld1q_s32(multipliers + 4 * i), right = vnegq_s32(vld1q_s32(shifts + 4 * i));
#pragma GCC unroll 8
        for (int o = 0; o < outputs; o++) {
            int32x4_t best = sum[o * c->window][i];
#pragma GCC unroll 8
            for (int p = 1; p < c->window; p++) best = vmaxq_s32(best, sum[o * c->window + p][i]);
            sum[o * c->window][i] = c->dense ? best : rescale_neon(best, multiplier, right, c->least >= c->zero_point);
        }
    }
#pragma GCC unroll 8
    for (int o = 0; o < outputs; o++) {
        int8_t *to = output + (ptrdiff_t)o * c->channels;
        if (c->dense) store_dense_neon(c, sum[o * c->window], to, block * BLOCK, fours);
        else store16_neon(c, sum[o * c->window], to, block * BLOCK, fours);
    }
}

NEON_DOT INLINE void tile_neon_dot(const struct conv *c, const int8_t *input, int8_t *output, int block, int fours,
                                   int outputs) {
    const int positions = outputs * c->window;
    const int8_t *weights = c->weights + (ptrdiff_t)block * c->kernel_height * c->groups * BLOCK * GROUP;
    const int32_t *bias = c->bias + block * BLOCK;
    int32x4_t sum[MOST_POSITIONS_DOT][4];
    int8x16_t x[MOST_POSITIONS_DOT];
    if (positions > 4) __asm__ volatile("" : "+r"(weights), "+r"(bias));  // read by each tile: no registers keep them
#pragma GCC unroll 8
    for (int p = 0; p < positions; p++) {
        __asm__("" : "+r"(bias));  // a load gives two registers, a copy of one that is loaded gives one
#pragma GCC unroll 4
        for (int o = 0; o < fours; o++) sum[p][o] = vld1q_s32(bias + 4 * o);
    }
    if (is_shared(c, positions)) shared_rows(c, input, weights, sum, fours, positions);
    for (int i = 0; i < c->kernel_height && !is_shared(c, positions); i++) {
        const int8_t *from = input + (ptrdiff_t)i * c->row;
        int k = 0;
        if (positions <= 4)  // there are registers for more at once
            for (; k + 2 <= c->groups / 4; k += 2) {
                SIXTEEN_OF();
                SIXTEEN_OF();
            }
        for (; k < c->groups / 4; k++) SIXTEEN_OF();
        if (!(c->groups % 4)) continue;
#pragma GCC unroll 8
        for (int p = 0; p < positions; p++) x[p] = rest_of_row(from + position(c, p), c->groups % 4);
        GROUP_OF(0);
        if (c->groups % 4 > 1) GROUP_OF(1);
        if (c->groups % 4 > 2) GROUP_OF(2);
    }
    store_block_neon(c, sum, output, block, fours, outputs);
}

NEON_DOT INLINE void conv_neon_dot(const struct conv *c, const int8_t *input, int8_t *output) {
    const int some = POSITIONS_DOT / c->window, more = MOST_POSITIONS_DOT / c->window;
    const int whole = c->channels / BLOCK, fours = (c->channels % BLOCK + 3) / 4;
#define TILE_OF(from, to, count) tile_neon_dot(c, from, to, block, 4, count)
#define LAST_OF(from, to, count) tile_neon_dot(c, from, to, whole, fours, count)
#define BAND_OF(from, to, rows)                                                               \
    for (int block = 0; block < whole; block++) OVER_ROWS_NEON(TILE_OF, some, rows, from, to) \
    if (fours) OVER_ROWS_NEON(LAST_OF, fours > 2 ? some : more, rows, from, to)
    OVER_BANDS_NEON(BAND_OF)
#undef BAND_OF
#undef LAST_OF
#undef TILE_OF
}
