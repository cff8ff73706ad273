// AVX-VNNI: vpdpbusd on 256 bits, in tiles as for AVX2. Sign bits are flipped as the input is copied, which adds 128, and the
// bias takes it off.
AVXVNNI INLINE void flip_band_avxvnni(const struct conv *c, const int8_t *input, int first, int rows) {
    int8_t *to = scratch;
    if (!c->padded) {
        flip_avx2(input + (ptrdiff_t)first * c->step_y, (uint8_t *)to, band_rows(c, rows) * c->row);
        return;
    }
    for (int i = 0; i < band_rows(c, rows); i++, to += c->row) {
        const int y = first * (c->step_y / c->row) - c->top + i;
        if (fill_border(c, to, y, c->input_zero_point + 128))
            flip_avx2(input + (ptrdiff_t)y * c->input_row, (uint8_t *)to + c->left, c->input_row);
    }
}

AVXVNNI INLINE void tile_avxvnni(const struct conv *c, const struct rescaling_avx2 rescaling[2], const int8_t *input, int8_t *output,
                                 int channel, int channels, int halves, int outputs) {
    const int8_t *weights = c->weights + (ptrdiff_t)channel * c->kernel_height * c->groups * GROUP;
    const int positions = outputs * c->window;
    __m256i sum[SUMS_AVX2][2];
#pragma GCC unroll 12
    for (int p = 0; p < positions; p++)
#pragma GCC unroll 2
        for (int half = 0; half < halves; half++)
            sum[p][half] = _mm256_loadu_si256((const __m256i *)(c->unsigned_bias + channel + half * 8));
    for (int i = 0; i < c->kernel_height; i++)
        for (int k = 0; k < c->groups; k++, weights += BLOCK * GROUP) {
            const __m256i *w = (const __m256i *)weights;
#pragma GCC unroll 12
            for (int p = 0; p < positions; p++) {
                const __m256i x = _mm256_set1_epi32(four_bytes(input + position(c, p) + (ptrdiff_t)i * c->row + k * GROUP));
#pragma GCC unroll 2
                for (int half = 0; half < halves; half++)
                    sum[p][half] = _mm256_dpbusd_avx_epi32(sum[p][half], x, _mm256_loadu_si256(w + half));
            }
        }
    finish_avx2(c, rescaling, sum, output, channel, channels, halves, outputs);
}

// A band of rows, of up to 16 channels from `channel` on.
AVXVNNI INLINE void channels_avxvnni(const struct conv *c, const int8_t *input, int8_t *output, int rows, int channel, int channels) {
    const int halves = channels > 8 ? 2 : 1, outputs = outputs_at_once(c, SUMS_AVX2 / halves);
    struct rescaling_avx2 rescaling[2];
    rescalings_avx2(c, rescaling, channel, halves);
#define TILE_OF(from, to) tile_avxvnni(c, rescaling, from, to, channel, channels, halves, outputs)
    OVER_ROWS(TILE_OF, outputs, rows, input, output)
#undef TILE_OF
}

AVXVNNI INLINE void conv_avxvnni(const struct conv *c, const int8_t *input, int8_t *output) {
    const int whole = c->channels / BLOCK * BLOCK;
    for (int first = 0; first < c->height; first += c->band) {
        const int rows = first + c->band < c->height ? c->band : c->height - first;
        int8_t *to = output + (ptrdiff_t)first * c->width * c->channels;
        flip_band_avxvnni(c, input, first, rows);
        for (int channel = 0; channel < whole; channel += BLOCK) channels_avxvnni(c, scratch, to, rows, channel, BLOCK);
        if (whole < c->channels) channels_avxvnni(c, scratch, to, rows, whole, c->channels - whole);
    }
}
