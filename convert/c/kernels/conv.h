// A convolution, alone or with the maximum pooling behind it; a dense layer is one of 1x1. The kernels for each CPU read the
// same weights: blocks of 16 output channels, in them the kernel's rows, in these groups of four bytes (a row padded with
// zeros), in a group 16 channels of four bytes each. Maximum and rescaling are both monotone: what is pooled is pooled
// before it is rescaled, and only what is pooled is computed.
struct conv {
    const int8_t *weights;           // [blocks][kernel_height][groups][16][4]
    const int32_t *bias;             // less the input's zero point times the sum of the weights
    const int32_t *unsigned_bias;    // the same for inputs plus 128
    const int16_t *few_weights;      // [blocks * 2][kernel_height][taps][8], where a row is few bytes; for NEON
    const int32_t *multiplier, *shift;
    const double *scales;            // of a dense layer for which multiplier and shift are not exact
    int blocks, kernel_height, groups, taps;  // taps: bytes of a kernel's row where there are few_weights, else 0
    int row, input_size;             // bytes from one row of the input to the next; of all of it
    int step_y, step_x;              // bytes in the input from one output to the next, down and across
    int positions, positions_across; // of the convolution that are computed at once: those pooled, or neighbours in a row
    int position_y, position_x;      // bytes from one of them to the next, down and across
    int pooled, dense;               // dense: rounded once
    int height, width, channels;     // of the output
    int zero_point, least, most;     // of the output
};

enum { BLOCK = 16, GROUP = 4, TILE = 4 };  // channels, bytes, the most positions at once

INLINE ptrdiff_t position(const struct conv *c, int p) {
    return (ptrdiff_t)(p / c->positions_across) * c->position_y + (ptrdiff_t)(p % c->positions_across) * c->position_x;
}

// A rescaling that is rounded once, half up. TFLite's reference kernel for dense layers multiplies by a double and rounds
// half away from zero: the multiplier is one that gives the same for every sum that the layer can have.
INLINE int32_t rescale_once(int32_t x, int32_t multiplier, int shift) {
    return (int32_t)(((int64_t)x * multiplier + ((int64_t)1 << (30 + shift))) >> (31 + shift));
}

// Where there is no such multiplier.
INLINE int32_t rescale_by(int32_t x, double scale) {
    const double y = x * scale;
    const int32_t whole = (int32_t)y;
    return whole + (y >= whole + 0.5) - (y <= whole - 0.5);
}

// Rescales and stores up to `count` sums; outputs of dense layers are few.
INLINE void store_dense(const struct conv *c, const int32_t *sum, int8_t *output, int channel, int count) {
    for (int o = channel; o < channel + count && o < c->channels; o++) {
        const int32_t x = sum[o - channel];
        const int32_t y = c->scales ? rescale_by(x, c->scales[o]) : rescale_once(x, c->multiplier[o], c->shift[o]);
        output[o] = (int8_t)clamp(y + c->zero_point, c->least, c->most);
    }
}

#if defined TARGET_X86 || defined TARGET_NEON
INLINE int32_t four_bytes(const int8_t *from) {
    int32_t value;
    memcpy(&value, from, 4);
    return value;
}
#endif

// Calls TILE_OF(input, output, first block) over an output; neighbours at a row's end are computed twice rather than apart.
#define OVER_OUTPUT(TILE_OF)                                                                       \
    for (int y = 0; y < c->height; y++)                                                            \
        for (int next = 0; next < c->width; next += c->pooled ? 1 : c->positions) {                \
            const int last = c->width - c->positions;                                              \
            const int x = c->pooled || next <= last ? next : last;                                 \
            TILE_OF(input + (ptrdiff_t)y * c->step_y + (ptrdiff_t)x * c->step_x,                   \
                    output + ((ptrdiff_t)y * c->width + x) * c->channels);                         \
        }
