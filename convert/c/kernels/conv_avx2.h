// A tile is some positions by 16 or 8 channels, in up to 12 accumulators: `halves` of a block. Bytes are widened, those of the
// input as it is copied, those of the weights a block at a time: vpmaddwd adds pairs of products of 16 bits exactly.
enum { SUMS_AVX2 = 12 };

// Eight values of 8 channels each, from sums of `count` positions by `halves`, are stored as 32 bytes at once: of positions
// behind one another where these are `all` channels. Of `channels`, 16 or fewer, no others are stored.
AVX2 INLINE void store_eights_avx2(int8_t *to, __m256i bytes, int eight, int channels) {
    const __m128i half = eight / 2 ? _mm256_extracti128_si256(bytes, 1) : _mm256_castsi256_si128(bytes);
    const int64_t first = eight % 2 ? _mm_extract_epi64(half, 1) : _mm_cvtsi128_si64(half);
    if (channels == 16) _mm_storeu_si128((__m128i *)to, half);
    else if (channels <= 8) memcpy(to, &first, (size_t)channels);
    else {
        const int64_t second = _mm_extract_epi64(half, 1);
        memcpy(to, &first, 8);
        memcpy(to + 8, &second, (size_t)channels - 8);
    }
}

AVX2 INLINE void store_avx2(const struct conv *c, const struct rescaling_avx2 *rescaling, __m256i sum[][2], int8_t *output,
                            int channels, int halves, int count) {
    const int is_relu = c->least >= c->zero_point;
#pragma GCC unroll 3
    for (int first = 0; first < count * halves; first += 4) {
        __m256i x[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            const int n = first + i;
            x[i] = n < count * halves ? rescale_avx2(rescaling + n % halves, sum[n / halves][n % halves], is_relu)
                                      : _mm256_setzero_si256();
        }
        const __m256i bytes = bytes_avx2(x, c->zero_point, c->least, c->most);
        if (c->channels == 8 * halves && first + 4 <= count * halves) _mm256_storeu_si256((__m256i *)(output + first * 8), bytes);
        else
#pragma GCC unroll 4
            for (int i = 0; i < 4 && first + i < count * halves; i += halves)
                store_eights_avx2(output + (ptrdiff_t)(first + i) / halves * c->channels, bytes, i, channels);
    }
}

// The sums of a tile become outputs; channels begin with `channel`.
AVX2 INLINE void finish_avx2(const struct conv *c, const struct rescaling_avx2 *rescaling, __m256i sum[][2], int8_t *output,
                             int channel, int channels, int halves, int outputs) {
    if (c->dense) {
#pragma GCC unroll 2
        for (int half = 0; half < halves; half++) {
            int32_t sums[8];
            _mm256_storeu_si256((__m256i *)sums, sum[0][half]);
            store_dense(c, sums, output, channel + half * 8, 8);
        }
        return;
    }
#pragma GCC unroll 12
    for (int o = 0; o < outputs; o++)
#pragma GCC unroll 2
        for (int half = 0; half < halves; half++) {
            __m256i best = sum[o * c->window][half];
#pragma GCC unroll 4
            for (int p = 1; p < c->window; p++) best = _mm256_max_epi32(best, sum[o * c->window + p][half]);
            sum[o][half] = best;
        }
    store_avx2(c, rescaling, sum, output + channel, channels, halves, outputs);
}

AVX2 INLINE void rescalings_avx2(const struct conv *c, struct rescaling_avx2 to[2], int channel, int halves) {
    for (int half = 0; half < halves; half++)
        to[half] = rescaling_avx2(_mm256_loadu_si256((const __m256i *)(c->multiplier + channel + half * 8)),
                                  _mm256_loadu_si256((const __m256i *)(c->shift + channel + half * 8)), c->least >= c->zero_point);
}

AVX2 INLINE __m256i four_taps_avx2(const int8_t *from) { return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)from)); }

// Weights as [kernel_height * groups][2 pairs][halves][8][2].
AVX2 INLINE void pair_weights_avx2(const struct conv *c, int16_t *to, int channel, int halves) {
    const int groups = c->kernel_height * c->groups;
    const int8_t *from = c->weights + (ptrdiff_t)channel * groups * GROUP;
    for (int k = 0; k < groups; k++, from += BLOCK * GROUP, to += halves * 32)
        for (int half = 0; half < halves; half++) {
            const __m256 one = _mm256_castsi256_ps(four_taps_avx2(from + half * 32));
            const __m256 other = _mm256_castsi256_ps(four_taps_avx2(from + half * 32 + 16));
            const __m256i low = _mm256_castps_si256(_mm256_shuffle_ps(one, other, 0x88));
            const __m256i high = _mm256_castps_si256(_mm256_shuffle_ps(one, other, 0xDD));
            _mm256_store_si256((__m256i *)(to + half * 16), _mm256_permute4x64_epi64(low, 0xD8));
            _mm256_store_si256((__m256i *)(to + (halves + half) * 16), _mm256_permute4x64_epi64(high, 0xD8));
        }
}

AVX2 INLINE __m256i pair_avx2(const int16_t *from) {
    int32_t pair;
    memcpy(&pair, from, 4);
    return _mm256_set1_epi32(pair);
}

AVX2 INLINE void tile_avx2(const struct conv *c, const struct rescaling_avx2 *rescaling, const int16_t *weights, const int16_t *input,
                           int8_t *output, int channel, int channels, int halves, int outputs) {
    const int positions = outputs * c->window;
    __m256i sum[SUMS_AVX2][2];
#pragma GCC unroll 12
    for (int p = 0; p < positions; p++)
#pragma GCC unroll 2
        for (int half = 0; half < halves; half++) sum[p][half] = _mm256_loadu_si256((const __m256i *)(c->bias + channel + half * 8));
    for (int i = 0; i < c->kernel_height; i++)
        for (int k = 0; k < c->pairs; k++) {
            const __m256i *w = (const __m256i *)weights + (i * c->groups * 2 + k) * halves;
#pragma GCC unroll 12
            for (int p = 0; p < positions; p++) {
                const __m256i x = pair_avx2(input + position(c, p) + (ptrdiff_t)i * c->row + k * 2);
#pragma GCC unroll 2
                for (int half = 0; half < halves; half++)
                    sum[p][half] = _mm256_add_epi32(sum[p][half], _mm256_madd_epi16(x, w[half]));
            }
        }
    finish_avx2(c, rescaling, sum, output, channel, channels, halves, outputs);
}

// A band of rows, of up to 16 channels from `channel` on.
AVX2 INLINE void channels_avx2(const struct conv *c, int16_t *weights, const int16_t *input, int8_t *output, int rows, int channel,
                               int channels) {
    const int halves = channels > 8 ? 2 : 1, outputs = outputs_at_once(c, SUMS_AVX2 / halves);
    struct rescaling_avx2 rescaling[2];
    rescalings_avx2(c, rescaling, channel, halves);
    pair_weights_avx2(c, weights, channel, halves);
#define TILE_OF(from, to) tile_avx2(c, rescaling, weights, from, to, channel, channels, halves, outputs)
    OVER_ROWS(TILE_OF, outputs, rows, input, output)
#undef TILE_OF
}

AVX2 INLINE __m256i four_words_avx2(const int16_t *from) {
    int64_t four;
    memcpy(&four, from, 8);
    return _mm256_set1_epi64x(four);
}

// Whether the convolution has one position: nobody reads its weights twice.
INLINE int is_one_avx2(const struct conv *c) {
    return c->width * c->window == 1 && c->input_height == c->kernel_height && !c->padded;
}

// That position; a channel's sum lies in two lanes until the end.
AVX2 INLINE void position_avx2(const struct conv *c, const int16_t *input, int8_t *output, int channel, int channels) {
    const int8_t *weights = c->weights + (ptrdiff_t)channel * c->kernel_height * c->groups * GROUP;
    __m256i sum[4], whole[1][2];
    struct rescaling_avx2 rescaling[2];
    rescalings_avx2(c, rescaling, channel, 2);
    for (int part = 0; part < 4; part++) sum[part] = _mm256_setzero_si256();
    for (int i = 0; i < c->kernel_height; i++)
        for (int k = 0; k < c->groups; k++, weights += BLOCK * GROUP) {
            const __m256i x = four_words_avx2(input + (ptrdiff_t)i * c->row + k * GROUP);
#pragma GCC unroll 4
            for (int part = 0; part < 4; part++)
                sum[part] = _mm256_add_epi32(sum[part], _mm256_madd_epi16(x, four_taps_avx2(weights + part * 16)));
        }
    for (int half = 0; half < 2; half++)
        whole[0][half] = _mm256_add_epi32(_mm256_permute4x64_epi64(_mm256_hadd_epi32(sum[half * 2], sum[half * 2 + 1]), 0xD8),
                                          _mm256_loadu_si256((const __m256i *)(c->bias + channel + half * 8)));
    finish_avx2(c, rescaling, whole, output, channel, channels, 2, 1);
}

AVX2 INLINE void widen_band_avx2(const struct conv *c, const int8_t *input, int16_t *to, int first, int rows) {
    if (!c->padded) {
        widen_avx2(input + (ptrdiff_t)first * c->step_y, to, band_rows(c, rows) * c->row);
        return;
    }
    for (int i = 0; i < band_rows(c, rows); i++, to += c->row) {
        const int y = first * (c->step_y / c->row) - c->top + i;
        for (int j = 0; j < c->row; j++) to[j] = (int16_t)c->input_zero_point;
        if (y >= 0 && y < c->input_height) widen_avx2(input + (ptrdiff_t)y * c->input_row, to + c->left, c->input_row);
    }
}

AVX2 INLINE void conv_avx2(const struct conv *c, const int8_t *input, int8_t *output) {
    const int is_one = is_one_avx2(c), whole = c->channels / BLOCK * BLOCK;
    int16_t *weights = (int16_t *)scratch, *widened = weights + (is_one ? 0 : c->kernel_height * c->groups * GROUP * BLOCK);
    for (int first = 0; first < c->height; first += c->band) {
        const int rows = first + c->band < c->height ? c->band : c->height - first;
        int8_t *to = output + (ptrdiff_t)first * c->width * c->channels;
        widen_band_avx2(c, input, widened, first, rows);
        if (is_one) {
            for (int channel = 0; channel < whole; channel += BLOCK) position_avx2(c, widened, to, channel, BLOCK);
            if (whole < c->channels) position_avx2(c, widened, to, whole, c->channels - whole);
            continue;
        }
        for (int channel = 0; channel < whole; channel += BLOCK) channels_avx2(c, weights, widened, to, rows, channel, BLOCK);
        if (whole < c->channels) channels_avx2(c, weights, widened, to, rows, whole, c->channels - whole);
    }
}
