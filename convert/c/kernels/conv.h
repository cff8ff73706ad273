// A convolution, alone or with the maximum pooling behind it; a dense layer is one of 1x1. The kernels for each CPU read the
// same weights: blocks of 16 output channels, in them the kernel's rows, in these groups of four bytes (a row padded with
// zeros), in a group 16 channels of four bytes each. Maximum and rescaling are both monotone: what is pooled is pooled
// before it is rescaled, and only what is pooled is computed.
struct conv {
    const int8_t *weights;           // [blocks][kernel_height][groups][16][4]
    const int32_t *bias;             // less the input's zero point times the sum of the weights
    const int32_t *unsigned_bias;    // the same for inputs plus 128
    const int16_t *few_weights;      // [blocks * 2][kernel_height][taps][8], where a row is few bytes; for NEON
    const int8_t *packed_weights;    // [channels / 4][kernel_height][groups][2][4], where all are of 4 bits: two in a byte
    const int8_t *wide_weights;      // [channels / 4][kernel_height][4][16], where a row is many bytes; its last eight as [4][8]
    const int32_t *multiplier, *shift;
    const double *scales;            // of a dense layer for which multiplier and shift are not exact
    int blocks, kernel_height, groups;
    int pairs;                       // of bytes of a kernel's row; as many as hold it
    int taps;                        // bytes of a kernel's row where there are few_weights, else 0
    int eights;                      // times eight bytes of a kernel's row where there are wide_weights, else 0
    int padded;                      // whether there is a border of zero points around the input, which is not stored
    int row;                         // bytes from one row of the input to the next, with its border
    int top, left, input_height, input_row;  // rows and bytes of border before the input; its rows, and bytes of a row
    int input_zero_point;
    int blocks_at_once;              // of 16 channels, for AVX-512
    int band;                        // rows of outputs for which kernels copy the input at once
    int step_y, step_x;              // bytes in the input from one output to the next, down and across
    int window, window_across;       // positions of the convolution that are pooled to an output, and those in a row; 1 and 1
    int position_y, position_x;      // bytes from one of them to the next, down and across
    int dense;                       // rounded once
    int height, width, channels;     // of the output
    int zero_point, least, most;     // of the output
};

enum { BLOCK = 16, GROUP = 4 };  // channels, bytes

#if defined FOUR_BITS
// A byte is 16 times a weight of one channel, plus one of the next channel: -119 to 119. Products are summed with whole
// bytes, and with 16 times their lower halves; from both come the sums of the two channels.
INLINE void separate(int32_t *one, int32_t *other) {
    *other >>= 4;
    *one = (*one - *other) >> 4;
}

// The weights of channels `o` to `o + 3`; those of `o + 2` and `o + 3` stand four bytes further.
INLINE const int8_t *packed_at(const struct conv *c, int o) {
    return c->packed_weights + (ptrdiff_t)(o / GROUP) * c->kernel_height * c->groups * 2 * GROUP;
}
#endif

// How many neighbouring outputs are computed at once, by at most so many positions: the fewest that take as few steps.
INLINE int outputs_at_once(const struct conv *c, int positions) {
    const int most = positions < c->window ? 1 : positions / c->window, steps = (c->width + most - 1) / most;
    return (c->width + steps - 1) / steps;
}

// Bytes to a position of some neighbouring outputs: of each output one window.
INLINE ptrdiff_t position(const struct conv *c, int p) {
    const int within = p % c->window;
    return (ptrdiff_t)(p / c->window) * c->step_x + (ptrdiff_t)(within / c->window_across) * c->position_y +
           (ptrdiff_t)(within % c->window_across) * c->position_x;
}

// Rows of the input, with its border, that a band of rows of outputs reads.
INLINE int band_rows(const struct conv *c, int outputs) {
    return ((outputs - 1) * c->step_y + (c->window / c->window_across - 1) * c->position_y) / c->row + c->kernel_height;
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

#if defined TARGET_X86 || defined TARGET_NEON || defined TARGET_RVV
INLINE int32_t four_bytes(const int8_t *from) {
    int32_t value;
    memcpy(&value, from, 4);
    return value;
}

// Whether there is such a row of the input. What of it is border gets a value: both its ends, or all of a row that is not there.
INLINE int fill_border(const struct conv *c, int8_t *to, int y, int value) {
    if (y < 0 || y >= c->input_height) {
        memset(to, value, (size_t)c->row);
        return 0;
    }
    memset(to, value, (size_t)c->left);
    memset(to + c->left + c->input_row, value, (size_t)(c->row - c->left - c->input_row));
    return 1;
}

// Copies what a band of outputs reads, with its border.
INLINE void copy_band(const struct conv *c, const int8_t *input, int first, int outputs, int8_t *to) {
    const int above = first * (c->step_y / c->row) - c->top;
    for (int i = 0; i < band_rows(c, outputs); i++, to += c->row) {
        const int y = above + i;
        if (fill_border(c, to, y, c->input_zero_point)) memcpy(to + c->left, input + (ptrdiff_t)y * c->input_row, (size_t)c->input_row);
    }
}
#endif

// Calls TILE_OF(input, output) over an output; neighbours at a row's end are computed twice rather than apart.
#define OVER_ROWS(TILE_OF, count, rows, from, to)                                                             \
    for (int y = 0; y < (rows); y++)                                                                          \
        for (int next = 0; next < c->width; next += (count)) {                                                \
            const int x = next + (count) <= c->width ? next : c->width - (count);                             \
            TILE_OF((from) + (ptrdiff_t)y * c->step_y + (ptrdiff_t)x * c->step_x,                             \
                    (to) + ((ptrdiff_t)y * c->width + x) * c->channels);                                      \
        }

// The same over all of an output, from copies of bands where there is a border.
#define OVER_OUTPUT(TILE_OF, count)                                                                           \
    for (int first = 0; first < c->height; first += c->band) {                                                \
        const int rows = first + c->band < c->height ? c->band : c->height - first;                           \
        if (c->padded) copy_band(c, input, first, rows, scratch);                                             \
        OVER_ROWS(TILE_OF, count, rows, c->padded ? scratch : input + (ptrdiff_t)first * c->step_y,           \
                  output + (ptrdiff_t)first * c->width * c->channels)                                         \
    }
