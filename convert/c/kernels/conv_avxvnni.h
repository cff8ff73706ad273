// AVX-VNNI: vpdpbusd on 256 bits. A tile is up to 6 positions by 16 channels: 12 accumulators. Sign bits are flipped as the
// input is copied, which adds 128, and the bias takes it off.
enum { POSITIONS_AVXVNNI = 6 };

AVXVNNI INLINE void flip_avxvnni(const int8_t *from, int8_t *to, int size) {
    const __m256i sign = _mm256_set1_epi8(-128);
    int i = 0;
    for (; i + 32 <= size; i += 32)
        _mm256_storeu_si256((__m256i *)(to + i), _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(from + i)), sign));
    for (; i < size; i++) to[i] = (int8_t)(from[i] ^ -128);
}

AVXVNNI INLINE void flip_band_avxvnni(const struct conv *c, const int8_t *input, int first, int rows) {
    int8_t *to = scratch;
    if (!c->padded) {
        flip_avxvnni(input + (ptrdiff_t)first * c->step_y, to, band_rows(c, rows) * c->row);
        return;
    }
    for (int i = 0; i < band_rows(c, rows); i++, to += c->row) {
        const int y = first * (c->step_y / c->row) - c->top + i;
        memset(to, c->input_zero_point + 128, (size_t)c->row);
        if (y >= 0 && y < c->input_height) flip_avxvnni(input + (ptrdiff_t)y * c->input_row, to + c->left, c->input_row);
    }
}

AVXVNNI INLINE void tile_avxvnni(const struct conv *c, const struct rescaling_avx2 rescaling[2], const int8_t *input, int8_t *output,
                                 int block, int outputs) {
    const int8_t *weights = c->weights + (ptrdiff_t)block * c->kernel_height * c->groups * BLOCK * GROUP;
    const int positions = outputs * c->window;
    __m256i sum[POSITIONS_AVXVNNI][2];
#pragma GCC unroll 6
    for (int p = 0; p < positions; p++)
        for (int half = 0; half < 2; half++)
            sum[p][half] = _mm256_loadu_si256((const __m256i *)(c->unsigned_bias + block * BLOCK + half * 8));
    for (int i = 0; i < c->kernel_height; i++)
        for (int k = 0; k < c->groups; k++, weights += BLOCK * GROUP) {
            const __m256i low = _mm256_loadu_si256((const __m256i *)weights);
            const __m256i high = _mm256_loadu_si256((const __m256i *)(weights + 32));
#pragma GCC unroll 6
            for (int p = 0; p < positions; p++) {
                const __m256i x = _mm256_set1_epi32(four_bytes(input + position(c, p) + (ptrdiff_t)i * c->row + k * GROUP));
                sum[p][0] = _mm256_dpbusd_avx_epi32(sum[p][0], x, low);
                sum[p][1] = _mm256_dpbusd_avx_epi32(sum[p][1], x, high);
            }
        }
#pragma GCC unroll 6
    for (int o = 0; o < outputs; o++)
#pragma GCC unroll 2
        for (int half = 0; half < 2; half++) {
            __m256i best = sum[o * c->window][half];
#pragma GCC unroll 4
            for (int p = 1; p < c->window; p++) best = _mm256_max_epi32(best, sum[o * c->window + p][half]);
            store_avx2(c, rescaling + half, best, output + (ptrdiff_t)o * c->channels, block * BLOCK + half * 8);
        }
}

AVXVNNI INLINE void conv_avxvnni(const struct conv *c, const int8_t *input, int8_t *output) {
    const int outputs = outputs_at_once(c, POSITIONS_AVXVNNI);
    for (int first = 0; first < c->height; first += c->band) {
        const int rows = first + c->band < c->height ? c->band : c->height - first;
        int8_t *to = output + (ptrdiff_t)first * c->width * c->channels;
        flip_band_avxvnni(c, input, first, rows);
        for (int block = 0; block < c->blocks; block++) {
            struct rescaling_avx2 rescaling[2];
            for (int half = 0; half < 2; half++) {
                const __m256i multiplier = _mm256_loadu_si256((const __m256i *)(c->multiplier + block * BLOCK + half * 8));
                const __m256i shift = _mm256_loadu_si256((const __m256i *)(c->shift + block * BLOCK + half * 8));
                rescaling[half] = rescaling_avx2(multiplier, shift, c->least >= c->zero_point);
            }
#define TILE_OF(from, to) tile_avxvnni(c, rescaling, from, to, block, outputs)
            OVER_ROWS(TILE_OF, outputs, rows, scratch, to)
#undef TILE_OF
        }
    }
}
