// NEON with products of matrices (ARMv8.6, i8mm): two positions times two channels, eight bytes of each. The weights of a
// block are brought into that order first: once for all tiles of a band.
// A tile is 4 positions by 16 channels, 16 accumulators, or 8 positions by the few channels of a last block.
enum { POSITIONS_I8MM = 4, LEAST_POSITIONS_I8MM = 8 };  // at once; of a convolution for which that order pays

// The weights as [kernel_height][eights][fours * 2][2][8], and before them the bias of each pair of channels twice.
INLINE void pair_weights(const struct conv *c, int block, int fours, int8_t *to) {
    const int8_t *from = c->weights + (ptrdiff_t)block * c->kernel_height * c->groups * BLOCK * GROUP;
    for (int o = 0; o < fours; o++, to += 32) {
        const int8x16_t bias = vreinterpretq_s8_s32(vld1q_s32(c->bias + block * BLOCK + 4 * o));
        vst1q_s8(to, vcombine_s8(vget_low_s8(bias), vget_low_s8(bias)));
        vst1q_s8(to + 16, vcombine_s8(vget_high_s8(bias), vget_high_s8(bias)));
    }
    for (int i = 0; i < c->kernel_height; i++)
        for (int k = 0; k < c->groups; k += 2) {
            const int is_last = k + 1 == c->groups;
#pragma GCC unroll 4
            for (int o = 0; o < fours; o++, to += 32) {
                const int32x4_t one = vreinterpretq_s32_s8(vld1q_s8(from + 16 * o));
                const int8_t *next = from + 16 * o + (is_last ? 0 : BLOCK * GROUP);
                const int32x4_t other = is_last ? vdupq_n_s32(0) : vreinterpretq_s32_s8(vld1q_s8(next));
                vst1q_s8(to, vreinterpretq_s8_s32(vzip1q_s32(one, other)));
                vst1q_s8(to + 16, vreinterpretq_s8_s32(vzip2q_s32(one, other)));
            }
            from += is_last ? BLOCK * GROUP : 2 * BLOCK * GROUP;
        }
}

INLINE int8x16_t halves_of(int8x16_t one, int8x16_t other, int half) {
    const int64x2_t a = vreinterpretq_s64_s8(one), b = vreinterpretq_s64_s8(other);
    return vreinterpretq_s8_s64(half ? vzip2q_s64(a, b) : vzip1q_s64(a, b));
}

// Adds eight bytes of each position, half `half` of what is loaded.
#define EIGHT_OF(half)                                                \
    do {                                                              \
        _Pragma("GCC unroll 8") for (int o = 0; o < 2 * fours; o++) { \
            const int8x16_t w = vld1q_s8(weights + 16 * o);           \
            _Pragma("GCC unroll 4") for (int q = 0; q < pairs; q++)   \
                sum[q][o] = vmmlaq_s32(sum[q][o], x[q][half], w);     \
        }                                                             \
        weights += 32 * fours;                                        \
    } while (0)

// Of an odd number of positions the last makes a pair with itself.
#define LOAD_PAIRS(LOAD)                                                                                    \
    _Pragma("GCC unroll 4") for (int q = 0; q < pairs; q++) {                                               \
        const int other = 2 * q + 1 < positions ? 2 * q + 1 : 2 * q;                                        \
        const int8x16_t one_x = LOAD(from + position(c, 2 * q)), other_x = LOAD(from + position(c, other)); \
        x[q][0] = halves_of(one_x, other_x, 0);                                                             \
        x[q][1] = halves_of(one_x, other_x, 1);                                                             \
    }

NEON_I8MM INLINE void tile_neon_i8mm(const struct conv *c, const int8_t *input, const int8_t *weights, int8_t *output,
                                     int block, int fours, int outputs) {
    const int positions = outputs * c->window, pairs = (positions + 1) / 2;
    int32x4_t sum[MOST_POSITIONS_DOT / 2][8], total[MOST_POSITIONS_DOT][4];
    int8x16_t x[MOST_POSITIONS_DOT / 2][2];
#pragma GCC unroll 4
    for (int q = 0; q < pairs; q++) {
        __asm__("" : "+r"(weights));  // a load gives two registers, a copy of one that is loaded gives one
#pragma GCC unroll 8
        for (int o = 0; o < 2 * fours; o++) sum[q][o] = vreinterpretq_s32_s8(vld1q_s8(weights + 16 * o));
    }
    weights += 32 * fours;
    for (int i = 0; i < c->kernel_height; i++) {
        const int8_t *from = input + (ptrdiff_t)i * c->row;
        for (int k = 0; k < c->groups / 4; k++, from += 16) {
            LOAD_PAIRS(vld1q_s8)
            EIGHT_OF(0);
            EIGHT_OF(1);
        }
        if (!(c->groups % 4)) continue;
#define REST_OF(from) rest_of_row(from, c->groups % 4)
        LOAD_PAIRS(REST_OF)
#undef REST_OF
        EIGHT_OF(0);
        if (c->groups % 4 > 2) EIGHT_OF(1);
    }
#pragma GCC unroll 8
    for (int p = 0; p < positions; p++)
#pragma GCC unroll 4
        for (int o = 0; o < fours; o++) {
            const int32x4_t *pair = sum[p / 2] + 2 * o;
            const int8x16_t low = vreinterpretq_s8_s32(pair[0]), high = vreinterpretq_s8_s32(pair[1]);
            total[p][o] = vreinterpretq_s32_s8(halves_of(low, high, p % 2));
        }
    store_block_neon(c, total, output, block, fours, outputs);
}

NEON_I8MM INLINE void conv_neon_i8mm(const struct conv *c, const int8_t *input, int8_t *output) {
    const int some = POSITIONS_I8MM / c->window, more = MOST_POSITIONS_DOT / c->window;
    const int whole = c->channels / BLOCK, fours = (c->channels % BLOCK + 3) / 4;
    if (c->groups == 1 || c->height * c->width * c->window < LEAST_POSITIONS_I8MM) {
        conv_neon_dot(c, input, output);
        return;
    }
    const ptrdiff_t band_size = ((ptrdiff_t)band_rows(c, c->band) * c->row + 127) / 64 * 64;
    int8_t *weights = scratch + (c->padded ? band_size : 0);
#define TILE_OF(from, to, count) tile_neon_i8mm(c, from, weights, to, block, 4, count)
#define LAST_OF(from, to, count) tile_neon_i8mm(c, from, weights, to, whole, fours, count)
#define BAND_OF(from, to, rows)                                          \
    for (int block = 0; block < whole; block++) {                        \
        pair_weights(c, block, 4, weights);                              \
        OVER_ROWS_NEON(TILE_OF, some, rows, from, to)                    \
    }                                                                    \
    if (fours) {                                                         \
        pair_weights(c, whole, fours, weights);                          \
        OVER_ROWS_NEON(LAST_OF, fours > 2 ? some : more, rows, from, to) \
    }
    OVER_BANDS_NEON(BAND_OF)
#undef BAND_OF
#undef LAST_OF
#undef TILE_OF
}
