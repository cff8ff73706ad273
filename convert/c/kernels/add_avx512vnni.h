// The sum as one product of pairs, where that is exact for all pairs: factors and sums are in two halves, of 15 bits and up.
AVX512VNNI INLINE __m512i sum_avx512vnni(const struct add *c, __m512i pairs) {
    const __m512i high_factors = _mm512_set1_epi32((c->other_factor >> 15) * 65536 + (c->one_factor >> 15));
    const __m512i low_factors = _mm512_set1_epi32((c->other_factor & 32767) * 65536 + (c->one_factor & 32767));
    const __m512i high = _mm512_dpwssd_epi32(_mm512_set1_epi32(c->linear_rounding_high), pairs, high_factors);
    const __m512i low = _mm512_dpwssd_epi32(_mm512_set1_epi32(c->linear_rounding_low), pairs, low_factors);
    return _mm512_srai_epi32(_mm512_add_epi32(high, _mm512_srai_epi32(low, 15)), (unsigned)c->linear_shift);
}

AVX512VNNI INLINE __m512i words_avx512vnni(const struct add *c, __m256i one, __m256i other) {
    const __m512i a = _mm512_cvtepi8_epi16(one), b = _mm512_cvtepi8_epi16(other);
    return _mm512_packs_epi32(sum_avx512vnni(c, _mm512_unpacklo_epi16(a, b)), sum_avx512vnni(c, _mm512_unpackhi_epi16(a, b)));
}

// Up to 64 sums.
AVX512VNNI INLINE void sums_avx512vnni(const struct add *c, const int8_t *one, const int8_t *other, int8_t *output, __mmask64 some) {
    const __m512i order = _mm512_set_epi64(7, 5, 3, 1, 6, 4, 2, 0);
    const __m512i a = _mm512_maskz_loadu_epi8(some, one), b = _mm512_maskz_loadu_epi8(some, other);
    const __m512i low = words_avx512vnni(c, _mm512_castsi512_si256(a), _mm512_castsi512_si256(b));
    const __m512i high = words_avx512vnni(c, _mm512_extracti64x4_epi64(a, 1), _mm512_extracti64x4_epi64(b, 1));
    __m512i bytes = _mm512_permutexvar_epi64(order, _mm512_packs_epi16(low, high));
    if (c->least > -128) bytes = _mm512_max_epi8(bytes, _mm512_set1_epi8((int8_t)c->least));
    if (c->most < 127) bytes = _mm512_min_epi8(bytes, _mm512_set1_epi8((int8_t)c->most));
    _mm512_mask_storeu_epi8(output, some, bytes);
}

AVX512VNNI INLINE void add_avx512vnni(const struct add *c, const int8_t *one, const int8_t *other, int8_t *output, int size) {
    int i = 0;
    for (; i + 64 <= size; i += 64) sums_avx512vnni(c, one + i, other + i, output + i, ~0ull);
    if (i < size) sums_avx512vnni(c, one + i, other + i, output + i, first_avx512(size - i));
}
