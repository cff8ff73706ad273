// Products of 16 bits in two halves, put together to 32; 32 bytes at a time, or 16, what is left apart.
AVX2 INLINE __m256i centered_avx2(const int8_t *from, int zero_point) {
    const __m256i words = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)from));
    return _mm256_sub_epi16(words, _mm256_set1_epi16((int16_t)zero_point));
}

AVX2 INLINE __m256i products_avx2(const struct mul *c, const struct rescaling_avx2 *r, const int8_t *one, const int8_t *other) {
    const int is_relu = c->least >= c->zero_point;
    const __m256i a = centered_avx2(one, c->one_zero_point), b = centered_avx2(other, c->other_zero_point);
    const __m256i low = _mm256_mullo_epi16(a, b), high = _mm256_mulhi_epi16(a, b);
    const __m256i first = rescale_avx2(r, _mm256_unpacklo_epi16(low, high), is_relu);
    const __m256i words = _mm256_packs_epi32(first, rescale_avx2(r, _mm256_unpackhi_epi16(low, high), is_relu));
    return _mm256_adds_epi16(words, _mm256_set1_epi16((int16_t)c->zero_point));
}

AVX2 INLINE void mul_32_avx2(const struct mul *c, const struct rescaling_avx2 *r, const int8_t *one, const int8_t *other, int8_t *output) {
    const __m256i low = products_avx2(c, r, one, other), high = products_avx2(c, r, one + 16, other + 16);
    __m256i bytes = _mm256_permute4x64_epi64(_mm256_packs_epi16(low, high), 0xD8);
    if (c->least > -128) bytes = _mm256_max_epi8(bytes, _mm256_set1_epi8((int8_t)c->least));
    if (c->most < 127) bytes = _mm256_min_epi8(bytes, _mm256_set1_epi8((int8_t)c->most));
    _mm256_storeu_si256((__m256i *)output, in_order_avx2(bytes));
}

AVX2 INLINE void mul_16_avx2(const struct mul *c, const struct rescaling_avx2 *r, const int8_t *one, const int8_t *other, int8_t *output) {
    const __m256i words = products_avx2(c, r, one, other);
    __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    if (c->least > -128) bytes = _mm_max_epi8(bytes, _mm_set1_epi8((int8_t)c->least));
    if (c->most < 127) bytes = _mm_min_epi8(bytes, _mm_set1_epi8((int8_t)c->most));
    _mm_storeu_si128((__m128i *)output, _mm256_castsi256_si128(in_order_avx2(_mm256_castsi128_si256(bytes))));
}

AVX2 INLINE void mul_avx2(const struct mul *c, const int8_t *one, const int8_t *other, int8_t *output, int size) {
    const struct rescaling_avx2 r =
        rescaling_avx2(_mm256_set1_epi32(c->multiplier), _mm256_set1_epi32(c->shift), c->least >= c->zero_point);
    int i = 0;
    for (; i + 32 <= size; i += 32) mul_32_avx2(c, &r, one + i, other + i, output + i);
    for (; i + 16 <= size; i += 16) mul_16_avx2(c, &r, one + i, other + i, output + i);
    if (i < size) {
        int8_t some[3][16] = {{0}};
        memcpy(some[0], one + i, (size_t)(size - i));
        memcpy(some[1], other + i, (size_t)(size - i));
        mul_16_avx2(c, &r, some[0], some[1], some[2]);
        memcpy(output + i, some[2], (size_t)(size - i));
    }
}
