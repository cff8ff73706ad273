// The table as 128 words: two permutations give the words of even bytes, two those of odd ones, then each its half.
AVX512VNNI INLINE __m512i looked_up_avx512vnni(const __m512i words[4], __m512i place) {
    const __m512i pair = _mm512_srli_epi16(place, 1);
    const __m512i low = _mm512_permutex2var_epi16(words[0], pair, words[1]), high = _mm512_permutex2var_epi16(words[2], pair, words[3]);
    const __m512i word = _mm512_mask_blend_epi16(_mm512_test_epi16_mask(place, _mm512_set1_epi16(128)), low, high);
    const __m512i bits = _mm512_slli_epi16(_mm512_and_si512(place, _mm512_set1_epi16(1)), 3);
    return _mm512_and_si512(_mm512_srlv_epi16(word, bits), _mm512_set1_epi16(255));
}

AVX512VNNI INLINE void lookup_avx512vnni(const int8_t *input, int8_t *output, int size, const int8_t table[256]) {
    __m512i words[4];
    for (int part = 0; part < 4; part++) words[part] = _mm512_loadu_si512(table + part * 64);
    for (int i = 0; i < size; i += 64) {
        const __mmask64 some = first_avx512(size - i);
        const __m512i place = _mm512_xor_si512(_mm512_maskz_loadu_epi8(some, input + i), _mm512_set1_epi8(-128));
        const __m512i even = looked_up_avx512vnni(words, _mm512_and_si512(place, _mm512_set1_epi16(255)));
        const __m512i odd = looked_up_avx512vnni(words, _mm512_srli_epi16(place, 8));
        _mm512_mask_storeu_epi8(output + i, some, _mm512_or_si512(even, _mm512_slli_epi16(odd, 8)));
    }
}
