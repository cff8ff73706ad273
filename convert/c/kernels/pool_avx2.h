// Sixteen channels at a time, or of eight to fifteen the first eight and the last eight.
AVX2 INLINE __m128i load_pool_avx2(const int8_t *from, int channels) {
    if (channels >= 16) return _mm_loadu_si128((const __m128i *)from);
    return _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i *)from), _mm_loadl_epi64((const __m128i *)(from + channels - 8)));
}

AVX2 INLINE void store_pool_avx2(int8_t *to, __m128i bytes, int channels) {
    if (channels >= 16) _mm_storeu_si128((__m128i *)to, bytes);
    else {
        _mm_storel_epi64((__m128i *)to, bytes);
        _mm_storel_epi64((__m128i *)(to + channels - 8), _mm_unpackhi_epi64(bytes, bytes));
    }
}

AVX2 INLINE __m128i average_avx2(__m256i sum, struct division by) {
    const __m256i rounded = _mm256_add_epi16(_mm256_abs_epi16(sum), _mm256_set1_epi16((int16_t)(by.count / 2)));
    const __m256i product = _mm256_mulhi_epu16(_mm256_slli_epi16(rounded, 1), _mm256_set1_epi16((int16_t)by.reciprocal));
    const __m256i average = _mm256_sign_epi16(_mm256_srl_epi16(product, _mm_cvtsi32_si128(by.shift)), sum);
    return _mm_packs_epi16(_mm256_castsi256_si128(average), _mm256_extracti128_si256(average, 1));
}

// Of an output the channels from `channel` on.
AVX2 INLINE __m128i pooled_avx2(const struct pool *c, const int8_t *from, struct window window, struct division by, int is_average) {
    __m256i sum = _mm256_setzero_si256();
    __m128i best = _mm_set1_epi8(-128);
    for (int i = 0; i < window.rows; i++)
        for (int j = 0; j < window.columns; j++) {
            const __m128i bytes = load_pool_avx2(from + place_in(c, i, j), c->channels);
            if (is_average) sum = _mm256_add_epi16(sum, _mm256_cvtepi8_epi16(bytes));
            else best = _mm_max_epi8(best, bytes);
        }
    if (is_average) best = average_avx2(sum, by);
    return _mm_min_epi8(_mm_max_epi8(best, _mm_set1_epi8((int8_t)c->least)), _mm_set1_epi8((int8_t)c->most));
}

AVX2 INLINE void pool_avx2(const struct pool *c, const int8_t *input, int8_t *output, int is_average) {
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++, output += c->channels) {
            const struct window window = window_of(c, y, x);
            const struct division by = division_by(window.rows * window.columns);
            for (int first = 0; first < c->channels; first += 16) {
                const int channel = first + 16 <= c->channels || c->channels < 16 ? first : c->channels - 16;
                store_pool_avx2(output + channel, pooled_avx2(c, input + window.start + channel, window, by, is_average), c->channels);
            }
        }
}
