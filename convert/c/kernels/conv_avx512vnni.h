// A tile is up to 4 positions by 64 channels: 16 accumulators, each weight loaded once for four uses. vpdpbusd wants unsigned
// inputs: the sign bit is flipped as they are loaded, which adds 128, and the bias takes it off again.

AVX512VNNI INLINE void store_avx512vnni(const struct conv *c, __m512i x, int8_t *output, int channel) {
    if (c->dense) {
        int32_t sum[BLOCK];
        _mm512_storeu_si512(sum, x);
        store_dense(c, sum, output, channel, BLOCK);
        return;
    }
    const __m512i multiplier = _mm512_loadu_si512(c->multiplier + channel);
    const __m512i shift = _mm512_loadu_si512(c->shift + channel), one = _mm512_set1_epi32(1);
    const __m512i nudge = _mm512_set1_epi64(1 << 30);
    const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(x, multiplier), nudge);
    const __m512i odd =
        _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(x, 32), _mm512_srli_epi64(multiplier, 32)), nudge);
    const __m512i high = _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 31), _mm512_slli_epi64(odd, 1));
    const __m512i half = _mm512_srli_epi32(_mm512_sllv_epi32(one, shift), 1);
    const __m512i away = _mm512_add_epi32(_mm512_add_epi32(high, half), _mm512_srai_epi32(high, 31));
    const __m512i y = _mm512_add_epi32(_mm512_srav_epi32(away, shift), _mm512_set1_epi32(c->zero_point));
    const __m512i held =
        _mm512_max_epi32(_mm512_min_epi32(y, _mm512_set1_epi32(c->most)), _mm512_set1_epi32(c->least));
    const __m128i bytes = _mm512_cvtepi32_epi8(held);
    const int left = c->channels - channel;
    if (left >= BLOCK) _mm_storeu_si128((__m128i *)(output + channel), bytes);
    else _mm_mask_storeu_epi8(output + channel, (__mmask16)((1u << left) - 1), bytes);
}

AVX512VNNI INLINE void tile_avx512vnni(const struct conv *c, const int8_t *input, int8_t *output, int block, int blocks) {
    const ptrdiff_t size = (ptrdiff_t)c->kernel_height * c->groups * BLOCK * GROUP;
    const int8_t *weights = c->weights + block * size;
    const __m512i sign = _mm512_set1_epi8(-128);
    __m512i sum[TILE][4], w[4];
#pragma GCC unroll 4
    for (int p = 0; p < c->positions; p++)
#pragma GCC unroll 4
        for (int b = 0; b < blocks; b++) sum[p][b] = _mm512_loadu_si512(c->unsigned_bias + (block + b) * BLOCK);
    for (int i = 0; i < c->kernel_height; i++)
        for (int k = 0; k < c->groups; k++, weights += BLOCK * GROUP) {
#pragma GCC unroll 4
            for (int b = 0; b < blocks; b++) w[b] = _mm512_loadu_si512(weights + b * size);
#pragma GCC unroll 4
            for (int p = 0; p < c->positions; p++) {
                const int8_t *from = input + position(c, p) + (ptrdiff_t)i * c->row + k * GROUP;
                const __m512i x = _mm512_xor_si512(_mm512_set1_epi32(four_bytes(from)), sign);
#pragma GCC unroll 4
                for (int b = 0; b < blocks; b++) sum[p][b] = _mm512_dpbusd_epi32(sum[p][b], x, w[b]);
            }
        }
#pragma GCC unroll 4
    for (int b = 0; b < blocks; b++) {
        if (c->pooled) {
#pragma GCC unroll 4
            for (int p = 1; p < c->positions; p++) sum[0][b] = _mm512_max_epi32(sum[0][b], sum[p][b]);
            store_avx512vnni(c, sum[0][b], output, (block + b) * BLOCK);
        } else
#pragma GCC unroll 4
            for (int p = 0; p < c->positions; p++)
                store_avx512vnni(c, sum[p][b], output + (ptrdiff_t)p * c->channels, (block + b) * BLOCK);
    }
}

AVX512VNNI INLINE void conv_avx512vnni(const struct conv *c, const int8_t *input, int8_t *output) {
    int block = 0;
    for (; block + 4 <= c->blocks; block += 4) {
#define TILE_OF(from, to) tile_avx512vnni(c, from, to, block, 4)
        OVER_OUTPUT(TILE_OF)
#undef TILE_OF
    }
    if (block < c->blocks) {
#define TILE_OF(from, to) tile_avx512vnni(c, from, to, block, c->blocks % 4)
        OVER_OUTPUT(TILE_OF)
#undef TILE_OF
    }
}
