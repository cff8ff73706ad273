// Sixteen rows of the table, each by a shuffle that gives 0 for the other rows' values.
AVX2 INLINE void lookup_avx2(const int8_t *input, int8_t *output, int size, const int8_t table[256]) {
    __m256i rows[16];
    int i = 0;
    for (int row = 0; row < 16; row++) rows[row] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(table + row * 16)));
    for (; i + 32 <= size; i += 32) {
        const __m256i place = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(input + i)), _mm256_set1_epi8(-128));
        __m256i bytes = _mm256_setzero_si256();
#pragma GCC unroll 16
        for (int row = 0; row < 16; row++) {
            const __m256i in_row = _mm256_xor_si256(place, _mm256_set1_epi8((int8_t)(row * 16)));
            bytes = _mm256_or_si256(bytes, _mm256_shuffle_epi8(rows[row], _mm256_adds_epu8(in_row, _mm256_set1_epi8(0x70))));
        }
        _mm256_storeu_si256((__m256i *)(output + i), bytes);
    }
    lookup(input + i, output + i, size - i, table);
}
