// 64 channels at a time.
AVX512VNNI INLINE __m512i average_avx512vnni(__m512i sum, struct division by) {
    const __m512i rounded = _mm512_add_epi16(_mm512_abs_epi16(sum), _mm512_set1_epi16((int16_t)(by.count / 2)));
    const __m512i product = _mm512_mulhi_epu16(_mm512_slli_epi16(rounded, 1), _mm512_set1_epi16((int16_t)by.reciprocal));
    const __m512i average = _mm512_srl_epi16(product, _mm_cvtsi32_si128(by.shift));
    return _mm512_mask_sub_epi16(average, _mm512_movepi16_mask(sum), _mm512_setzero_si512(), average);
}

AVX512VNNI INLINE __m512i pooled_avx512vnni(const struct pool *c, const int8_t *from, struct window window, struct division by,
                                            __mmask64 some, int is_average) {
    const __m512i order = _mm512_set_epi64(7, 5, 3, 1, 6, 4, 2, 0);
    __m512i low = _mm512_setzero_si512(), high = _mm512_setzero_si512(), best = _mm512_set1_epi8(-128);
    for (int i = 0; i < window.rows; i++)
        for (int j = 0; j < window.columns; j++) {
            const __m512i bytes = _mm512_maskz_loadu_epi8(some, from + place_in(c, i, j));
            if (is_average) {
                low = _mm512_add_epi16(low, _mm512_cvtepi8_epi16(_mm512_castsi512_si256(bytes)));
                high = _mm512_add_epi16(high, _mm512_cvtepi8_epi16(_mm512_extracti64x4_epi64(bytes, 1)));
            } else best = _mm512_max_epi8(best, bytes);
        }
    if (is_average)
        best = _mm512_permutexvar_epi64(order, _mm512_packs_epi16(average_avx512vnni(low, by), average_avx512vnni(high, by)));
    return _mm512_min_epi8(_mm512_max_epi8(best, _mm512_set1_epi8((int8_t)c->least)), _mm512_set1_epi8((int8_t)c->most));
}

AVX512VNNI INLINE void pool_avx512vnni(const struct pool *c, const int8_t *input, int8_t *output, int is_average) {
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++, output += c->channels) {
            const struct window window = window_of(c, y, x);
            const struct division by = division_by(window.rows * window.columns);
            for (int channel = 0; channel < c->channels; channel += 64) {
                const __mmask64 some = first_avx512(c->channels - channel);
                const int8_t *from = input + window.start + channel;
                _mm512_mask_storeu_epi8(output + channel, some, pooled_avx512vnni(c, from, window, by, some, is_average));
            }
        }
}
