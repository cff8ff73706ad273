// A tile is up to 4 positions by 8 channels. Bytes are widened, those of the input once for all: vpmaddwd adds pairs of
// products of 16 bits exactly, so that a channel's sum lies in two lanes until the end.
AVX2 INLINE void widen_avx2(const int8_t *input, int16_t *widened, int size) {
    int i = 0;
    for (; i + 16 <= size; i += 16)
        _mm256_store_si256((__m256i *)(widened + i), _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(input + i))));
    for (; i < size; i++) widened[i] = input[i];
}

AVX2 INLINE __m256i four_wide(const int16_t *from) {
    int64_t value;
    memcpy(&value, from, 8);
    return _mm256_set1_epi64x(value);
}

AVX2 INLINE void store_avx2(const struct conv *c, __m256i x, int8_t *output, int channel) {
    if (c->dense) {
        int32_t sum[8];
        _mm256_storeu_si256((__m256i *)sum, x);
        store_dense(c, sum, output, channel, 8);
        return;
    }
    const __m256i multiplier = _mm256_loadu_si256((const __m256i *)(c->multiplier + channel));
    const __m256i shift = _mm256_loadu_si256((const __m256i *)(c->shift + channel)), one = _mm256_set1_epi32(1);
    const __m256i nudge = _mm256_set1_epi64x(1 << 30);
    const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(x, multiplier), nudge);
    const __m256i odd =
        _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(x, 32), _mm256_srli_epi64(multiplier, 32)), nudge);
    const __m256i high = _mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1), 0xAA);
    const __m256i half = _mm256_srli_epi32(_mm256_sllv_epi32(one, shift), 1);
    const __m256i away = _mm256_add_epi32(_mm256_add_epi32(high, half), _mm256_srai_epi32(high, 31));
    const __m256i y = _mm256_add_epi32(_mm256_srav_epi32(away, shift), _mm256_set1_epi32(c->zero_point));
    const __m256i held =
        _mm256_max_epi32(_mm256_min_epi32(y, _mm256_set1_epi32(c->most)), _mm256_set1_epi32(c->least));
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(held), _mm256_extracti128_si256(held, 1));
    const int64_t bytes = _mm_cvtsi128_si64(_mm_packs_epi16(words, words));
    const int left = c->channels - channel;
    if (left > 0) memcpy(output + channel, &bytes, left < 8 ? (size_t)left : 8);
}

AVX2 INLINE __m256i channels_avx2(const __m256i sum[2]) {
    return _mm256_permute4x64_epi64(_mm256_hadd_epi32(sum[0], sum[1]), 0xD8);
}

AVX2 INLINE void tile_avx2(const struct conv *c, const int16_t *input, int8_t *output, int block, int half) {
    const int channel = block * BLOCK + half * 8;
    const int8_t *weights = c->weights + (ptrdiff_t)block * c->kernel_height * c->groups * BLOCK * GROUP + half * 32;
    const __m256i bias = _mm256_loadu_si256((const __m256i *)(c->bias + channel));
    __m256i sum[TILE][2];
#pragma GCC unroll 4
    for (int p = 0; p < c->positions; p++) sum[p][0] = sum[p][1] = _mm256_setzero_si256();
    for (int i = 0; i < c->kernel_height; i++)
        for (int k = 0; k < c->groups; k++, weights += BLOCK * GROUP) {
            const __m256i w0 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)weights));
            const __m256i w1 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(weights + 16)));
#pragma GCC unroll 4
            for (int p = 0; p < c->positions; p++) {
                const __m256i x = four_wide(input + position(c, p) + (ptrdiff_t)i * c->row + k * GROUP);
                sum[p][0] = _mm256_add_epi32(sum[p][0], _mm256_madd_epi16(x, w0));
                sum[p][1] = _mm256_add_epi32(sum[p][1], _mm256_madd_epi16(x, w1));
            }
        }
    if (c->pooled) {
        __m256i best = channels_avx2(sum[0]);
#pragma GCC unroll 4
        for (int p = 1; p < c->positions; p++) best = _mm256_max_epi32(best, channels_avx2(sum[p]));
        store_avx2(c, _mm256_add_epi32(best, bias), output, channel);
    } else
#pragma GCC unroll 4
        for (int p = 0; p < c->positions; p++)
            store_avx2(c, _mm256_add_epi32(channels_avx2(sum[p]), bias), output + (ptrdiff_t)p * c->channels, channel);
}

AVX2 INLINE void conv_avx2(const struct conv *c, const int8_t *bytes, int8_t *output) {
    int16_t *input = (int16_t *)scratch;
    widen_avx2(bytes, input, c->input_size);
    for (int block = 0; block < c->blocks; block++)
        for (int half = 0; half < 2; half++) {
#define TILE_OF(from, to) tile_avx2(c, from, to, block, half)
            OVER_OUTPUT(TILE_OF)
#undef TILE_OF
        }
}
