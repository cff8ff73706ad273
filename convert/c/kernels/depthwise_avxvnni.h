// As for AVX-512, in chunks of 32 bytes. There are no masks: each row of the input is copied with its border first, and the end
// of a row of outputs apart.
enum { CHUNK_AVXVNNI = 32 };  // bytes of a row of outputs

struct order_avxvnni {
    __m256i bias[4];
    struct rescaling_avx2 rescaling[4];
    __m256i weights[][4];  // [kernel_height * groups]
};

INLINE int orders_avxvnni(const struct depthwise *c) {
    const int lowest = c->channels & -c->channels;
    return c->channels / (lowest < CHUNK_AVXVNNI ? lowest : CHUNK_AVXVNNI);
}

INLINE int order_size_avxvnni(const struct depthwise *c) {
    return (int)sizeof(struct order_avxvnni) + c->kernel_height * c->groups * 4 * CHUNK_AVXVNNI;
}

INLINE int part_avxvnni(const struct depthwise *c) {
    return round_up(part_columns(c) * c->channels, CHUNK_AVXVNNI) + CHUNK_AVXVNNI;
}

AVXVNNI INLINE __m256i both_lanes(const void *one, const void *other) {
    return _mm256_set_m128i(_mm_loadu_si128(other), _mm_loadu_si128(one));
}

AVXVNNI INLINE void order_avxvnni(const struct depthwise *c, struct order_avxvnni *to, int order, int is_relu) {
    const int taps = c->kernel_height * c->groups;
    for (int k = 0; k < 4; k++) {
        const int one = (order * CHUNK_AVXVNNI + k * 4) % c->channels, other = (order * CHUNK_AVXVNNI + 16 + k * 4) % c->channels;
        const int8_t *one_weights = c->grouped_weights + one / 16 * taps * 64 + one % 16 * 4;
        const int8_t *other_weights = c->grouped_weights + other / 16 * taps * 64 + other % 16 * 4;
        for (int tap = 0; tap < taps; tap++) to->weights[tap][k] = both_lanes(one_weights + tap * 64, other_weights + tap * 64);
        to->bias[k] = both_lanes(c->unsigned_bias + one, c->unsigned_bias + other);
        to->rescaling[k] = rescaling_avx2(both_lanes(c->multiplier + one, c->multiplier + other),
                                          both_lanes(c->shift + one, c->shift + other), is_relu);
    }
}

// Copies a row into parts, of columns that are read together, but no columns behind the last that is read.
AVXVNNI INLINE void part_row_avxvnni(const struct depthwise *c, const int8_t *input, uint8_t *parts) {
    const int pixel = c->channels, part = part_avxvnni(c), read = part_columns(c) * c->stride_x, end = c->left + c->input_width;
    const int last = end < read ? end : read, run = c->stride_x > 1 ? 1 : last - c->left;
    for (int x = c->left; x < last; x += run, input += run * pixel)
        flip_avx2(input, parts + x % c->stride_x * part + x / c->stride_x * pixel, run * pixel);
}

AVXVNNI INLINE void spread_avxvnni(const struct depthwise *c, const uint8_t *parts, uint8_t *to, int chunks) {
    for (int group = 0; group < c->groups; group++)
        for (int n = 0; n < chunks; n++, to += 4 * CHUNK_AVXVNNI) {
            __m256i x[4];
#pragma GCC unroll 4
            for (int tap = 0; tap < 4; tap++) {
                const int j = group * 4 + tap;
                const uint8_t *part = parts + j % c->stride_x * part_avxvnni(c) + j / c->stride_x * c->channels;
                x[tap] = _mm256_setzero_si256();
                if (j < c->kernel_width) x[tap] = _mm256_loadu_si256((const __m256i *)(part + n * CHUNK_AVXVNNI));
            }
            const __m256i one_low = _mm256_unpacklo_epi8(x[0], x[1]), one_high = _mm256_unpackhi_epi8(x[0], x[1]);
            const __m256i other_low = _mm256_unpacklo_epi8(x[2], x[3]), other_high = _mm256_unpackhi_epi8(x[2], x[3]);
            __m256i *four = (__m256i *)to;
            _mm256_store_si256(four, _mm256_unpacklo_epi16(one_low, other_low));
            _mm256_store_si256(four + 1, _mm256_unpackhi_epi16(one_low, other_low));
            _mm256_store_si256(four + 2, _mm256_unpacklo_epi16(one_high, other_high));
            _mm256_store_si256(four + 3, _mm256_unpackhi_epi16(one_high, other_high));
        }
}

// A row of outputs: of all chunks that begin with the same channel as chunk `first`.
AVXVNNI INLINE void chunks_avxvnni(const struct depthwise *c, const struct order_avxvnni *order, const uint8_t *rows[], int8_t *output,
                                   int first, int chunks, int step, int is_relu) {
    const int size = c->width * c->channels, taps = c->kernel_height * c->groups;
    for (int n = first; n < chunks; n += step) {
        __m256i sum[4];
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++) sum[k] = order->bias[k];
#pragma GCC unroll 16
        for (int tap = 0; tap < taps; tap++) {
            const __m256i *from = (const __m256i *)(rows[tap / c->groups] + (tap % c->groups * chunks + n) * 4 * CHUNK_AVXVNNI);
#pragma GCC unroll 4
            for (int k = 0; k < 4; k++)
                sum[k] = _mm256_dpbusd_avx_epi32(sum[k], _mm256_load_si256(from + k), order->weights[tap][k]);
        }
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++) sum[k] = rescale_avx2(&order->rescaling[k], sum[k], is_relu);
        const __m256i zero_points = _mm256_set1_epi16((int16_t)c->zero_point);
        const __m256i low = _mm256_adds_epi16(_mm256_packs_epi32(sum[0], sum[1]), zero_points);
        const __m256i high = _mm256_adds_epi16(_mm256_packs_epi32(sum[2], sum[3]), zero_points);
        __m256i bytes = in_order_avx2(_mm256_packs_epi16(low, high));
        if (c->least > -128) bytes = _mm256_max_epi8(bytes, _mm256_set1_epi8((int8_t)c->least));
        if (c->most < 127) bytes = _mm256_min_epi8(bytes, _mm256_set1_epi8((int8_t)c->most));
        int8_t end[CHUNK_AVXVNNI];
        const int is_whole = (n + 1) * CHUNK_AVXVNNI <= size;
        _mm256_storeu_si256((__m256i *)(is_whole ? output + n * CHUNK_AVXVNNI : end), bytes);
        if (!is_whole) memcpy(output + n * CHUNK_AVXVNNI, end, (size_t)(size - n * CHUNK_AVXVNNI));
    }
}

AVXVNNI INLINE void depthwise_avxvnni(const struct depthwise *c, const int8_t *input, int8_t *output) {
    const int is_relu = c->least >= c->zero_point, size = c->width * c->channels, chunks = round_up(size, CHUNK_AVXVNNI) / CHUNK_AVXVNNI;
    const int spread = c->groups * chunks * 4 * CHUNK_AVXVNNI, orders = orders_avxvnni(c) < chunks ? orders_avxvnni(c) : chunks;
    int8_t *const order = scratch;
    uint8_t *rows = (uint8_t *)scratch + orders * order_size_avxvnni(c), *parts = rows + c->kernel_height * spread;
    for (int i = 0; i < orders; i++) order_avxvnni(c, (void *)(order + i * order_size_avxvnni(c)), i, is_relu);
    memset(parts, c->input_zero_point + 128, (size_t)(part_avxvnni(c) * c->stride_x));
    int next = -c->top;  // row of the input
    for (int y = 0; y < c->height; y++, output += size) {
        const int first = y * c->stride_y - c->top;
        if (next < first) next = first;
        for (; next < first + c->kernel_height; next++) {
            uint8_t *to = rows + (next + c->top) % c->kernel_height * spread;
            if (next < 0 || next >= c->input_height) {
                memset(to, c->input_zero_point + 128, (size_t)spread);
                continue;
            }
            part_row_avxvnni(c, input + (ptrdiff_t)next * c->input_width * c->channels, parts);
            spread_avxvnni(c, parts, to, chunks);
        }
        const uint8_t *from[MOST_ROWS];
        for (int r = 0; r < c->kernel_height; r++) from[r] = rows + (first + c->top + r) % c->kernel_height * spread;
        for (int i = 0; i < orders; i++)
            chunks_avxvnni(c, (const void *)(order + i * order_size_avxvnni(c)), from, output, i, chunks, orders, is_relu);
    }
}
