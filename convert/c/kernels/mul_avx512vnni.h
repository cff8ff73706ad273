// As for AVX2, 64 bytes at a time. What is left is that kernel's: rows are short, and a load waits long for a masked store that
// lies close before it.
AVX512VNNI INLINE __m512i products_avx512vnni(const struct mul *c, const struct rescaling_avx512 *r, __m256i one, __m256i other) {
    const int is_relu = c->least >= c->zero_point;
    const __m512i a = _mm512_sub_epi16(_mm512_cvtepi8_epi16(one), _mm512_set1_epi16((int16_t)c->one_zero_point));
    const __m512i b = _mm512_sub_epi16(_mm512_cvtepi8_epi16(other), _mm512_set1_epi16((int16_t)c->other_zero_point));
    const __m512i low = _mm512_mullo_epi16(a, b), high = _mm512_mulhi_epi16(a, b);
    const __m512i first = rescale_avx512(r, _mm512_unpacklo_epi16(low, high), is_relu);
    const __m512i words = _mm512_packs_epi32(first, rescale_avx512(r, _mm512_unpackhi_epi16(low, high), is_relu));
    return _mm512_adds_epi16(words, _mm512_set1_epi16((int16_t)c->zero_point));
}

AVX512VNNI INLINE void mul_avx512vnni(const struct mul *c, const int8_t *one, const int8_t *other, int8_t *output, int size) {
    const __m512i order = _mm512_set_epi64(7, 5, 3, 1, 6, 4, 2, 0);
    const struct rescaling_avx512 r =
        rescaling_avx512(_mm512_set1_epi32(c->multiplier), _mm512_set1_epi32(c->shift), c->least >= c->zero_point);
    int i = 0;
    for (; i + 64 <= size; i += 64) {
        const __m512i a = _mm512_loadu_si512(one + i), b = _mm512_loadu_si512(other + i);
        const __m512i low = products_avx512vnni(c, &r, _mm512_castsi512_si256(a), _mm512_castsi512_si256(b));
        const __m512i high = products_avx512vnni(c, &r, _mm512_extracti64x4_epi64(a, 1), _mm512_extracti64x4_epi64(b, 1));
        __m512i bytes = _mm512_permutexvar_epi64(order, _mm512_packs_epi16(low, high));
        if (c->least > -128) bytes = _mm512_max_epi8(bytes, _mm512_set1_epi8((int8_t)c->least));
        if (c->most < 127) bytes = _mm512_min_epi8(bytes, _mm512_set1_epi8((int8_t)c->most));
        _mm512_storeu_si512(output + i, bytes);
    }
    mul_avx2(c, one + i, other + i, output + i, size - i);
}
