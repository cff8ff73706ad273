// A tile is up to 4 positions by 8 channels. Bytes are widened, those of the input as it is copied: vpmaddwd adds pairs of
// products of 16 bits exactly, so that a channel's sum lies in two lanes until the end.
enum { POSITIONS_AVX2 = 4 };

AVX2 INLINE __m256i four_wide(const int16_t *from) {
    int64_t value;
    memcpy(&value, from, 8);
    return _mm256_set1_epi64x(value);
}

AVX2 INLINE void store_avx2(const struct conv *c, const struct rescaling_avx2 *rescaling, __m256i x, int8_t *output, int channel) {
    if (c->dense) {
        int32_t sum[8];
        _mm256_storeu_si256((__m256i *)sum, x);
        store_dense(c, sum, output, channel, 8);
        return;
    }
    const __m256i y = rescale_avx2(rescaling, x, c->least >= c->zero_point);
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(y), _mm256_extracti128_si256(y, 1));
    const __m128i moved = _mm_adds_epi16(words, _mm_set1_epi16((int16_t)c->zero_point));
    __m128i bytes = _mm_packs_epi16(moved, moved);
    if (c->least > -128) bytes = _mm_max_epi8(bytes, _mm_set1_epi8((int8_t)c->least));
    if (c->most < 127) bytes = _mm_min_epi8(bytes, _mm_set1_epi8((int8_t)c->most));
    const int64_t eight = _mm_cvtsi128_si64(bytes);
    const int left = c->channels - channel;
    if (left > 0) memcpy(output + channel, &eight, left < 8 ? (size_t)left : 8);
}

AVX2 INLINE __m256i channels_avx2(const __m256i sum[2]) {
    return _mm256_permute4x64_epi64(_mm256_hadd_epi32(sum[0], sum[1]), 0xD8);
}

AVX2 INLINE void tile_avx2(const struct conv *c, const struct rescaling_avx2 *rescaling, const int16_t *input, int8_t *output,
                           int channel, int outputs) {
    const ptrdiff_t size = (ptrdiff_t)c->kernel_height * c->groups * BLOCK * GROUP;
    const int8_t *weights = c->weights + channel / BLOCK * size + channel % BLOCK * GROUP;
    const __m256i bias = _mm256_loadu_si256((const __m256i *)(c->bias + channel));
    const int positions = outputs * c->window;
    __m256i sum[POSITIONS_AVX2][2];
#pragma GCC unroll 4
    for (int p = 0; p < positions; p++) sum[p][0] = sum[p][1] = _mm256_setzero_si256();
    for (int i = 0; i < c->kernel_height; i++)
        for (int k = 0; k < c->groups; k++, weights += BLOCK * GROUP) {
            const __m256i w0 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)weights));
            const __m256i w1 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(weights + 16)));
#pragma GCC unroll 4
            for (int p = 0; p < positions; p++) {
                const __m256i x = four_wide(input + position(c, p) + (ptrdiff_t)i * c->row + k * GROUP);
                sum[p][0] = _mm256_add_epi32(sum[p][0], _mm256_madd_epi16(x, w0));
                sum[p][1] = _mm256_add_epi32(sum[p][1], _mm256_madd_epi16(x, w1));
            }
        }
#pragma GCC unroll 4
    for (int o = 0; o < outputs; o++) {
        __m256i best = channels_avx2(sum[o * c->window]);
#pragma GCC unroll 4
        for (int p = 1; p < c->window; p++) best = _mm256_max_epi32(best, channels_avx2(sum[o * c->window + p]));
        store_avx2(c, rescaling, _mm256_add_epi32(best, bias), output + (ptrdiff_t)o * c->channels, channel);
    }
}

AVX2 INLINE void widen_band_avx2(const struct conv *c, const int8_t *input, int first, int rows) {
    int16_t *to = (int16_t *)scratch;
    if (!c->padded) {
        widen_avx2(input + (ptrdiff_t)first * c->step_y, to, band_rows(c, rows) * c->row);
        return;
    }
    for (int i = 0; i < band_rows(c, rows); i++, to += c->row) {
        const int y = first * (c->step_y / c->row) - c->top + i;
        for (int j = 0; j < c->row; j++) to[j] = (int16_t)c->input_zero_point;
        if (y >= 0 && y < c->input_height) widen_avx2(input + (ptrdiff_t)y * c->input_row, to + c->left, c->input_row);
    }
}

AVX2 INLINE void conv_avx2(const struct conv *c, const int8_t *input, int8_t *output) {
    const int outputs = outputs_at_once(c, POSITIONS_AVX2);
    for (int first = 0; first < c->height; first += c->band) {
        const int rows = first + c->band < c->height ? c->band : c->height - first;
        const int16_t *widened = (const int16_t *)scratch;
        int8_t *to = output + (ptrdiff_t)first * c->width * c->channels;
        widen_band_avx2(c, input, first, rows);
        for (int channel = 0; channel < c->blocks * BLOCK; channel += 8) {
            const struct rescaling_avx2 rescaling =
                rescaling_avx2(_mm256_loadu_si256((const __m256i *)(c->multiplier + channel)),
                               _mm256_loadu_si256((const __m256i *)(c->shift + channel)), c->least >= c->zero_point);
#define TILE_OF(from, to) tile_avx2(c, &rescaling, from, to, channel, outputs)
            OVER_ROWS(TILE_OF, outputs, rows, widened, to)
#undef TILE_OF
        }
    }
}
