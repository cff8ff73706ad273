// Four taps of a kernel's row are one vpdpbusd. Each row of the input is copied once with its border, its sign bits flipped to
// make bytes unsigned, and spread so that each group of four taps lies together. Pixels and channels run on in a row: 64
// bytes of it are a chunk, whatever the channels. Unpacking leaves a chunk's bytes in an order that packing sums reverses:
// register k holds bytes 4k to 4k + 3 of each lane of 128 bits, so weights, biases and multipliers are put in that order.
enum { CHUNK = 64 };  // bytes of a row of outputs

struct order_avx512 {
    __m512i bias[4];
    struct rescaling_avx512 rescaling[4];
    __m512i weights[][4];  // [kernel_height * groups]
};

// After so many chunks a chunk begins with the same channel again.
INLINE int orders_of(const struct depthwise *c) {
    const int lowest = c->channels & -c->channels;
    return c->channels / (lowest < CHUNK ? lowest : CHUNK);
}

INLINE int order_size(const struct depthwise *c) {
    return (int)sizeof(struct order_avx512) + c->kernel_height * c->groups * 4 * CHUNK;
}

// Bytes of a copied row; with a stride of several columns there are as many parts, of columns that are read together.
INLINE int part_of(const struct depthwise *c) {
    return round_up((c->width + (c->kernel_width - 1) / c->stride_x + 1) * c->channels, CHUNK) + CHUNK;
}

AVX512VNNI INLINE void order_avx512(const struct depthwise *c, struct order_avx512 *to, int order, int is_relu) {
    const int taps = c->kernel_height * c->groups;
    for (int k = 0; k < 4; k++) {
        int32_t ALIGNED multiplier[16], shift[16];
        for (int lane = 0; lane < 4; lane++) {
            const int channel = (order * CHUNK + lane * 16 + k * 4) % c->channels;
            const int8_t *weights = c->grouped_weights + channel / 16 * taps * 64 + channel % 16 * 4;
            for (int tap = 0; tap < taps; tap++) memcpy((int8_t *)&to->weights[tap][k] + lane * 16, weights + tap * 64, 16);
            memcpy((int32_t *)&to->bias[k] + lane * 4, c->unsigned_bias + channel, 16);
            memcpy(multiplier + lane * 4, c->multiplier + channel, 16);
            memcpy(shift + lane * 4, c->shift + channel, 16);
        }
        to->rescaling[k] = rescaling_avx512(_mm512_load_si512(multiplier), _mm512_load_si512(shift), is_relu);
    }
}

AVX512VNNI INLINE void copy_avx512(const struct depthwise *c, const int8_t *input, uint8_t *row, int y) {
    const int pixel = c->channels, size = c->input_width * pixel, part = part_of(c);
    memset(row, c->input_zero_point + 128, (size_t)(part * c->stride_x));
    if (y < 0 || y >= c->input_height) return;
    input += (ptrdiff_t)y * size;
    if (c->stride_x == 1) flip_avx512(input, row + c->left * pixel, size);
    else
        for (int x = c->left; x < c->left + c->input_width; x++, input += pixel)
            flip_avx512(input, row + x % c->stride_x * part + x / c->stride_x * pixel, pixel);
}

AVX512VNNI INLINE void spread_avx512(const struct depthwise *c, const uint8_t *row, uint8_t *to, int chunks) {
    for (int group = 0; group < c->groups; group++)
        for (int n = 0; n < chunks; n++, to += 4 * CHUNK) {
            __m512i x[4];
#pragma GCC unroll 4
            for (int tap = 0; tap < 4; tap++) {
                const int j = group * 4 + tap;
                const uint8_t *from = row + j % c->stride_x * part_of(c) + j / c->stride_x * c->channels + n * CHUNK;
                x[tap] = j < c->kernel_width ? _mm512_loadu_si512(from) : _mm512_setzero_si512();
            }
            const __m512i one_low = _mm512_unpacklo_epi8(x[0], x[1]), one_high = _mm512_unpackhi_epi8(x[0], x[1]);
            const __m512i other_low = _mm512_unpacklo_epi8(x[2], x[3]), other_high = _mm512_unpackhi_epi8(x[2], x[3]);
            _mm512_store_si512(to, _mm512_unpacklo_epi16(one_low, other_low));
            _mm512_store_si512(to + CHUNK, _mm512_unpackhi_epi16(one_low, other_low));
            _mm512_store_si512(to + 2 * CHUNK, _mm512_unpacklo_epi16(one_high, other_high));
            _mm512_store_si512(to + 3 * CHUNK, _mm512_unpackhi_epi16(one_high, other_high));
        }
}

AVX512VNNI INLINE void depthwise_avx512vnni(const struct depthwise *c, const int8_t *input, int8_t *output) {
    const int is_relu = c->least >= c->zero_point, size = c->width * c->channels, chunks = round_up(size, CHUNK) / CHUNK;
    const int spread = c->groups * chunks * 4 * CHUNK, orders = orders_of(c);
    struct order_avx512 *order = (void *)scratch;
    uint8_t *rows = (uint8_t *)scratch + orders * order_size(c), *row = rows + c->kernel_height * spread;
    for (int i = 0; i < orders; i++) order_avx512(c, (void *)(scratch + i * order_size(c)), i, is_relu);
    int next = -c->top;  // row of the input
    for (int y = 0; y < c->height; y++) {
        const int first = y * c->stride_y - c->top;
        if (next < first) next = first;
        for (; next < first + c->kernel_height; next++) {
            copy_avx512(c, input, row, next);
            spread_avx512(c, row, rows + (next + c->top) % c->kernel_height * spread, chunks);
        }
        for (int n = 0, i = 0; n < chunks; n++, i = i + 1 < orders ? i + 1 : 0) {
            order = (void *)(scratch + i * order_size(c));
            __m512i sum[4];
#pragma GCC unroll 4
            for (int k = 0; k < 4; k++) sum[k] = order->bias[k];
#pragma GCC unroll 8
            for (int r = 0; r < c->kernel_height; r++) {
                const uint8_t *from = rows + (first + c->top + r) % c->kernel_height * spread + n * 4 * CHUNK;
#pragma GCC unroll 2
                for (int group = 0; group < c->groups; group++)
#pragma GCC unroll 4
                    for (int k = 0; k < 4; k++)
                        sum[k] = _mm512_dpbusd_epi32(sum[k], _mm512_load_si512(from + (group * chunks * 4 + k) * CHUNK),
                                                     order->weights[r * c->groups + group][k]);
            }
#pragma GCC unroll 4
            for (int k = 0; k < 4; k++) sum[k] = rescale_avx512(&order->rescaling[k], sum[k], is_relu);
            _mm512_mask_storeu_epi8(output + (ptrdiff_t)y * size + n * CHUNK, first_avx512(size - n * CHUNK),
                                    bytes_avx512(sum, c->zero_point, c->least, c->most));
        }
    }
}
