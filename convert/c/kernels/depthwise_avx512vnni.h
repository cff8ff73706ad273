// Four taps of a kernel's row are one vpdpbusd. Each row of the input is spread once, with its border, so that each group of
// four taps lies together; sign bits are flipped to make bytes unsigned. Pixels and channels run on in a row: 64 bytes of it
// are a chunk, whatever the channels. Unpacking leaves a chunk's bytes in an order that packing sums reverses: register k
// holds bytes 4k to 4k + 3 of each lane of 128 bits, so weights, biases and multipliers are put in that order.
enum {
    CHUNK = 64,     // bytes of a row of outputs
    MOST_TAPS = 3,  // groups of taps whose weights stay in registers
    MOST_ROWS = 16  // of a kernel
};

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

// With a stride of several columns a row is copied in as many parts, of columns that are read together.
INLINE int part_columns(const struct depthwise *c) { return c->width + (c->kernel_width - 1) / c->stride_x + 1; }

INLINE int part_of(const struct depthwise *c) { return round_up(part_columns(c) * c->channels, CHUNK) + CHUNK; }

AVX512VNNI INLINE __m512i lanes_avx512(const void *one, const void *two, const void *three, const void *four) {
    const __m512i low = _mm512_inserti32x4(_mm512_castsi128_si512(_mm_loadu_si128(one)), _mm_loadu_si128(two), 1);
    return _mm512_inserti32x4(_mm512_inserti32x4(low, _mm_loadu_si128(three), 2), _mm_loadu_si128(four), 3);
}

AVX512VNNI INLINE void order_avx512(const struct depthwise *c, struct order_avx512 *to, int order, int is_relu) {
    const int taps = c->kernel_height * c->groups;
    const int32_t *bias = c->unsigned_bias, *multiplier = c->multiplier, *shift = c->shift;
    for (int k = 0; k < 4; k++) {
        int o[4];  // channels
        const int8_t *w[4];
        for (int lane = 0; lane < 4; lane++) {
            o[lane] = (order * CHUNK + lane * 16 + k * 4) % c->channels;
            w[lane] = c->grouped_weights + o[lane] / 16 * taps * 64 + o[lane] % 16 * 4;
        }
        for (int tap = 0; tap < taps; tap++)
            to->weights[tap][k] = lanes_avx512(w[0] + tap * 64, w[1] + tap * 64, w[2] + tap * 64, w[3] + tap * 64);
        to->bias[k] = lanes_avx512(bias + o[0], bias + o[1], bias + o[2], bias + o[3]);
        to->rescaling[k] =
            rescaling_avx512(lanes_avx512(multiplier + o[0], multiplier + o[1], multiplier + o[2], multiplier + o[3]),
                             lanes_avx512(shift + o[0], shift + o[1], shift + o[2], shift + o[3]), is_relu);
    }
}

// Copies a row into its parts, but no columns behind the last that is read; the border around it stays.
AVX512VNNI INLINE void part_avx512(const struct depthwise *c, const int8_t *input, uint8_t *parts) {
    const int pixel = c->channels, part = part_of(c), end = c->left + c->input_width, read = part_columns(c) * c->stride_x;
    for (int x = c->left; x < end && x < read; x++, input += pixel)
        flip_avx512(input, parts + x % c->stride_x * part + x / c->stride_x * pixel, pixel);
}

// 64 bytes of a row of the input from `offset` on, the sign bits flipped; beyond its ends is the border.
AVX512VNNI INLINE __m512i bordered_avx512(const struct depthwise *c, const int8_t *input, int offset) {
    const int size = c->input_width * c->channels;
    __m512i bytes;
    if (offset >= 0 && offset + CHUNK <= size) bytes = _mm512_loadu_si512(input + offset);
    else {
        const __mmask64 inside = first_avx512(size - offset < 0 ? 0 : size - offset) & ~first_avx512(offset < 0 ? -offset : 0);
        bytes = _mm512_mask_loadu_epi8(_mm512_set1_epi8((int8_t)c->input_zero_point), inside, input + offset);
    }
    return _mm512_xor_si512(bytes, _mm512_set1_epi8(-128));
}

AVX512VNNI INLINE void spread_avx512(const struct depthwise *c, const int8_t *input, uint8_t *parts, uint8_t *to, int chunks) {
    if (c->stride_x > 1) part_avx512(c, input, parts);
    for (int group = 0; group < c->groups; group++)
        for (int n = 0; n < chunks; n++, to += 4 * CHUNK) {
            __m512i x[4];
#pragma GCC unroll 4
            for (int tap = 0; tap < 4; tap++) {
                const int j = group * 4 + tap, offset = n * CHUNK + (j - c->left) * c->channels;
                const uint8_t *part = parts + j % c->stride_x * part_of(c) + j / c->stride_x * c->channels + n * CHUNK;
                if (j >= c->kernel_width) x[tap] = _mm512_setzero_si512();
                else x[tap] = c->stride_x > 1 ? _mm512_loadu_si512(part) : bordered_avx512(c, input, offset);
            }
            const __m512i one_low = _mm512_unpacklo_epi8(x[0], x[1]), one_high = _mm512_unpackhi_epi8(x[0], x[1]);
            const __m512i other_low = _mm512_unpacklo_epi8(x[2], x[3]), other_high = _mm512_unpackhi_epi8(x[2], x[3]);
            _mm512_store_si512(to, _mm512_unpacklo_epi16(one_low, other_low));
            _mm512_store_si512(to + CHUNK, _mm512_unpackhi_epi16(one_low, other_low));
            _mm512_store_si512(to + 2 * CHUNK, _mm512_unpacklo_epi16(one_high, other_high));
            _mm512_store_si512(to + 3 * CHUNK, _mm512_unpackhi_epi16(one_high, other_high));
        }
}

// A row of outputs: of all chunks that begin with the same channel as chunk `first`.
AVX512VNNI INLINE void chunks_avx512(const struct depthwise *c, const struct order_avx512 *order, const uint8_t *rows[], int8_t *output,
                                     int first, int chunks, int step, int is_relu) {
    const int size = c->width * c->channels, taps = c->kernel_height * c->groups;
    __m512i bias[4], weights[MOST_TAPS][4];
    struct rescaling_avx512 rescaling[4];
    for (int k = 0; k < 4; k++) {
        bias[k] = order->bias[k];
        rescaling[k] = order->rescaling[k];
        for (int tap = 0; tap < taps && tap < MOST_TAPS; tap++) weights[tap][k] = order->weights[tap][k];
    }
    for (int n = first; n < chunks; n += step) {
        __m512i sum[4];
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++) sum[k] = bias[k];
#pragma GCC unroll 16
        for (int tap = 0; tap < taps; tap++) {
            const uint8_t *from = rows[tap / c->groups] + (tap % c->groups * chunks + n) * 4 * CHUNK;
#pragma GCC unroll 4
            for (int k = 0; k < 4; k++)
                sum[k] = _mm512_dpbusd_epi32(sum[k], _mm512_load_si512(from + k * CHUNK), tap < MOST_TAPS ? weights[tap][k] : order->weights[tap][k]);
        }
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++) sum[k] = rescale_avx512(&rescaling[k], sum[k], is_relu);
        _mm512_mask_storeu_epi8(output + n * CHUNK, first_avx512(size - n * CHUNK), bytes_avx512(sum, c->zero_point, c->least, c->most));
    }
}

AVX512VNNI INLINE void depthwise_avx512vnni(const struct depthwise *c, const int8_t *input, int8_t *output) {
    const int is_relu = c->least >= c->zero_point, size = c->width * c->channels, chunks = round_up(size, CHUNK) / CHUNK;
    const int spread = c->groups * chunks * 4 * CHUNK, orders = orders_of(c) < chunks ? orders_of(c) : chunks;
    int8_t *const order = scratch;
    uint8_t *rows = (uint8_t *)scratch + orders * order_size(c), *parts = rows + c->kernel_height * spread;
    for (int i = 0; i < orders; i++) order_avx512(c, (void *)(order + i * order_size(c)), i, is_relu);
    if (c->stride_x > 1) memset(parts, c->input_zero_point + 128, (size_t)(part_of(c) * c->stride_x));
    int next = -c->top;  // row of the input
    for (int y = 0; y < c->height; y++, output += size) {
        const int first = y * c->stride_y - c->top;
        if (next < first) next = first;
        for (; next < first + c->kernel_height; next++) {
            uint8_t *to = rows + (next + c->top) % c->kernel_height * spread;
            if (next < 0 || next >= c->input_height) memset(to, c->input_zero_point + 128, (size_t)spread);
            else spread_avx512(c, input + (ptrdiff_t)next * c->input_width * c->channels, parts, to, chunks);
        }
        const uint8_t *from[MOST_ROWS];
        for (int r = 0; r < c->kernel_height; r++) from[r] = rows + (first + c->top + r) % c->kernel_height * spread;
        for (int i = 0; i < orders; i++)
            chunks_avx512(c, (void *)(order + i * order_size(c)), from, output, i, chunks, orders, is_relu);
    }
}
