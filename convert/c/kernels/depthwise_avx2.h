// Sixteen channels of an output at a time; of fewer channels that are eight, two outputs. Bytes are widened once, with the
// border, and vpmaddwd adds pairs of taps. Rows are copied for a band of outputs.
enum { MOST_PAIRS = 32, NEAR = 24576 };  // pairs of taps; bytes of a band of widened rows

// Values of a widened row.
INLINE int wide_row(const struct depthwise *c) {
    const int read = (c->width - 1) * c->stride_x + c->kernel_width, written = c->left + c->input_width;
    return (read > written ? read : written) * c->channels;
}

INLINE int band_of(const struct depthwise *c) {
    const int rows = NEAR / 2 / wide_row(c) - c->kernel_height;
    return rows < 0 ? 1 : rows / c->stride_y + 1;
}

AVX2 INLINE void widen_rows_avx2(const struct depthwise *c, const int8_t *input, int16_t *to, int first, int rows) {
    const int size = c->input_width * c->channels, left = c->left * c->channels;
    for (int y = first; y < first + rows; y++, to += wide_row(c)) {
        const int is_there = y >= 0 && y < c->input_height;
        for (int i = 0; i < (is_there ? left : wide_row(c)); i++) to[i] = (int16_t)c->input_zero_point;
        for (int i = left + size; i < wide_row(c); i++) to[i] = (int16_t)c->input_zero_point;
        if (is_there) widen_avx2(input + (ptrdiff_t)y * size, to + left, size);
    }
}

// Sixteen values of channels from `channel` on, or twice eight, as vpunpck leaves them: 4 and 4 of lower, 4 and 4 of upper.
AVX2 INLINE void load_order_avx2(const int32_t *from, int eight, __m256i to[2]) {
    const __m128i *parts = (const __m128i *)from;
    const int other = eight ? 0 : 2;
    to[0] = _mm256_set_m128i(_mm_loadu_si128(parts + other), _mm_loadu_si128(parts));
    to[1] = _mm256_set_m128i(_mm_loadu_si128(parts + other + 1), _mm_loadu_si128(parts + 1));
}

AVX2 INLINE __m256i load_weights_avx2(const struct depthwise *c, int tap, int channel, int eight) {
    if (tap >= c->kernel_height * c->kernel_width) return _mm256_setzero_si256();
    const int8_t *from = c->weights + (ptrdiff_t)tap * c->channels + channel;
    const __m128i bytes = _mm_loadu_si128((const __m128i *)from);
    return _mm256_cvtepi8_epi16(eight ? _mm_unpacklo_epi64(bytes, bytes) : bytes);
}

INLINE ptrdiff_t tap_of(const struct depthwise *c, int tap) {
    return (ptrdiff_t)(tap / c->kernel_width) * wide_row(c) + tap % c->kernel_width * c->channels;
}

// A band of outputs, of sixteen channels.
AVX2 INLINE void channels_of_avx2(const struct depthwise *c, const int16_t *widened, int8_t *output, int rows, int channel, int eight) {
    const int is_relu = c->least >= c->zero_point, taps = c->kernel_height * c->kernel_width, pairs = (taps + 1) / 2;
    __m256i weights[MOST_PAIRS][2], bias[2], multiplier[2], shift[2];
    load_order_avx2(c->bias + channel, eight, bias);
    load_order_avx2(c->multiplier + channel, eight, multiplier);
    load_order_avx2(c->shift + channel, eight, shift);
    const struct rescaling_avx2 low = rescaling_avx2(multiplier[0], shift[0], is_relu);
    const struct rescaling_avx2 high = rescaling_avx2(multiplier[1], shift[1], is_relu);
    for (int p = 0; p < pairs; p++) {
        const __m256i one = load_weights_avx2(c, 2 * p, channel, eight), other = load_weights_avx2(c, 2 * p + 1, channel, eight);
        weights[p][0] = _mm256_unpacklo_epi16(one, other);
        weights[p][1] = _mm256_unpackhi_epi16(one, other);
    }
    for (int y = 0; y < rows; y++)
        for (int next = 0; next < c->width; next += eight + 1) {
            const int x = next + eight < c->width ? next : c->width - 1 - eight;
            const int16_t *from = widened + (ptrdiff_t)y * c->stride_y * wide_row(c) + (ptrdiff_t)x * c->stride_x * c->channels + channel;
            __m256i sum[2] = {bias[0], bias[1]};
#pragma GCC unroll 16
            for (int p = 0; p < pairs; p++) {
                const __m256i one = _mm256_loadu_si256((const __m256i *)(from + tap_of(c, 2 * p)));
                const __m256i other = 2 * p + 1 < taps ? _mm256_loadu_si256((const __m256i *)(from + tap_of(c, 2 * p + 1)))
                                                       : _mm256_setzero_si256();
                sum[0] = _mm256_add_epi32(sum[0], _mm256_madd_epi16(_mm256_unpacklo_epi16(one, other), weights[p][0]));
                sum[1] = _mm256_add_epi32(sum[1], _mm256_madd_epi16(_mm256_unpackhi_epi16(one, other), weights[p][1]));
            }
            const __m256i words = _mm256_adds_epi16(
                _mm256_packs_epi32(rescale_avx2(&low, sum[0], is_relu), rescale_avx2(&high, sum[1], is_relu)),
                _mm256_set1_epi16((int16_t)c->zero_point));
            __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
            if (c->least > -128) bytes = _mm_max_epi8(bytes, _mm_set1_epi8((int8_t)c->least));
            if (c->most < 127) bytes = _mm_min_epi8(bytes, _mm_set1_epi8((int8_t)c->most));
            bytes = _mm256_castsi256_si128(in_order_avx2(_mm256_castsi128_si256(bytes)));
            _mm_storeu_si128((__m128i *)(output + ((ptrdiff_t)y * c->width + x) * c->channels + channel), bytes);
        }
}

AVX2 INLINE void depthwise_avx2(const struct depthwise *c, const int8_t *input, int8_t *output) {
    const int band = band_of(c);
    int16_t *widened = (int16_t *)scratch;
    for (int first = 0; first < c->height; first += band) {
        const int rows = first + band < c->height ? band : c->height - first;
        int8_t *to = output + (ptrdiff_t)first * c->width * c->channels;
        widen_rows_avx2(c, input, widened, first * c->stride_y - c->top, (rows - 1) * c->stride_y + c->kernel_height);
        if (c->channels == 8) channels_of_avx2(c, widened, to, rows, 0, 1);
        else
            for (int next = 0; next < c->channels; next += 16)
                channels_of_avx2(c, widened, to, rows, next + 16 <= c->channels ? next : c->channels - 16, 0);
    }
}
