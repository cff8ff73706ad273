// As for AVX-512.
AVX2 INLINE __m256i sum_avx2(const struct add *c, __m256i pairs) {
    const __m256i high_factors = _mm256_set1_epi32((c->other_factor >> 15) * 65536 + (c->one_factor >> 15));
    const __m256i low_factors = _mm256_set1_epi32((c->other_factor & 32767) * 65536 + (c->one_factor & 32767));
    const __m256i high = _mm256_add_epi32(_mm256_madd_epi16(pairs, high_factors), _mm256_set1_epi32(c->linear_rounding_high));
    const __m256i low = _mm256_add_epi32(_mm256_madd_epi16(pairs, low_factors), _mm256_set1_epi32(c->linear_rounding_low));
    return _mm256_srai_epi32(_mm256_add_epi32(high, _mm256_srai_epi32(low, 15)), c->linear_shift);
}

AVX2 INLINE __m256i words_avx2(const struct add *c, const int8_t *one, const int8_t *other) {
    const __m256i a = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)one));
    const __m256i b = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)other));
    return _mm256_packs_epi32(sum_avx2(c, _mm256_unpacklo_epi16(a, b)), sum_avx2(c, _mm256_unpackhi_epi16(a, b)));
}

AVX2 INLINE void add_avx2(const struct add *c, const int8_t *one, const int8_t *other, int8_t *output, int size) {
    int i = 0;
    for (; i + 32 <= size; i += 32) {
        const __m256i low = words_avx2(c, one + i, other + i), high = words_avx2(c, one + i + 16, other + i + 16);
        __m256i bytes = _mm256_permute4x64_epi64(_mm256_packs_epi16(low, high), 0xD8);
        if (c->least > -128) bytes = _mm256_max_epi8(bytes, _mm256_set1_epi8((int8_t)c->least));
        if (c->most < 127) bytes = _mm256_min_epi8(bytes, _mm256_set1_epi8((int8_t)c->most));
        _mm256_storeu_si256((__m256i *)(output + i), bytes);
    }
    add(c, one + i, other + i, output + i, size - i);
}
