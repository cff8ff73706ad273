// Sixteen values at a time, rescaled in 64 bits, of even and of odd lanes apart.
AVX2 INLINE __m256i side_prelu_avx2(__m256i x, int32_t multiplier, int shift) {
    const __m256i twice = _mm256_slli_epi32(x, shift < 0 ? 1 - shift : 1), rounding = _mm256_set1_epi64x(1ll << 31);
    const __m256i factor = _mm256_set1_epi32(multiplier);
    const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(twice, factor), rounding);
    const __m256i odd = _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(twice, 32), factor), rounding);
    const __m256i high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
    if (shift <= 0) return high;
    const __m256i half = _mm256_add_epi32(_mm256_set1_epi32((int)(1u << shift >> 1)), _mm256_srai_epi32(high, 31));
    return _mm256_srai_epi32(_mm256_add_epi32(high, half), shift);
}

// What is negative becomes its product with alpha.
AVX2 INLINE __m256i eight_prelu_avx2(const struct prelu *c, __m256i x, __m256i product) {
    const __m256i positive = side_prelu_avx2(x, c->positive, c->positive_shift);
    const __m256i negative = side_prelu_avx2(product, c->negative, c->negative_shift);
    return _mm256_blendv_epi8(positive, negative, _mm256_srai_epi32(x, 31));
}

AVX2 INLINE __m256i centered_prelu_avx2(const int8_t *from, int zero_point) {
    const __m256i words = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)from));
    return _mm256_sub_epi16(words, _mm256_set1_epi16((int16_t)zero_point));
}

AVX2 INLINE void prelu_avx2(const struct prelu *c, const int8_t *input, const int8_t *alpha, int8_t *output, int size) {
    int i = 0;
    for (; i + 16 <= size; i += 16) {
        const __m256i x = centered_prelu_avx2(input + i, c->input_zero_point), a = centered_prelu_avx2(alpha + i, c->alpha_zero_point);
        const __m256i sign = _mm256_srai_epi16(x, 15), low = _mm256_mullo_epi16(x, a), high = _mm256_mulhi_epi16(x, a);
        const __m256i first = eight_prelu_avx2(c, _mm256_unpacklo_epi16(x, sign), _mm256_unpacklo_epi16(low, high));
        const __m256i second = eight_prelu_avx2(c, _mm256_unpackhi_epi16(x, sign), _mm256_unpackhi_epi16(low, high));
        const __m256i words = _mm256_adds_epi16(_mm256_packs_epi32(first, second), _mm256_set1_epi16((int16_t)c->zero_point));
        const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
        _mm_storeu_si128((__m128i *)(output + i), bytes);
    }
    prelu(c, input + i, alpha + i, output + i, size - i);
}
