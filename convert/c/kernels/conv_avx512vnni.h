// A tile is some positions by up to 64 channels, in up to 24 accumulators; each weight is loaded once for all positions.
// vpdpbusd wants unsigned inputs: sign bits are flipped as the input is copied, which adds 128, and the bias takes it off.
INLINE int positions_avx512(int blocks) { return blocks == 1 ? 16 : 24 / blocks; }

// Rescales sums of `count` positions by `blocks` blocks of channels and stores four times 16 at once: of positions behind one
// another where these are `all` channels, else of one position.
AVX512VNNI INLINE void store_avx512vnni(const struct conv *c, const struct rescaling_avx512 *rescaling, __m512i sum[][4], int8_t *output,
                                        int block, int blocks, int count, int all) {
    const int is_relu = c->least >= c->zero_point, left = c->channels - block * BLOCK;
    const __m512i order = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
#pragma GCC unroll 24
    for (int first = 0; first < count * blocks; first += all ? 4 : blocks) {
        __m512i x[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            const int there = first + i < count * blocks && (all || i < blocks), p = (first + i) / blocks, b = (first + i) % blocks;
            x[i] = there ? rescale_avx512(rescaling + b, sum[p][b], is_relu) : _mm512_setzero_si512();
        }
        const __m512i bytes = _mm512_permutexvar_epi32(order, bytes_avx512(x, c->zero_point, c->least, c->most));
        if (all) _mm512_mask_storeu_epi8(output + first * BLOCK, first_avx512((count * blocks - first) * BLOCK), bytes);
        else
            _mm512_mask_storeu_epi8(output + first / blocks * c->channels + block * BLOCK,
                                    first_avx512(left < blocks * BLOCK ? left : blocks * BLOCK), bytes);
    }
}

// The largest of the sums that are pooled to an output.
AVX512VNNI INLINE __m512i pooled_avx512(const struct conv *c, __m512i sum[][4], int output, int b) {
    __m512i best = sum[output * c->window][b];
#pragma GCC unroll 4
    for (int p = 1; p < c->window; p++) best = _mm512_max_epi32(best, sum[output * c->window + p][b]);
    return best;
}

AVX512VNNI INLINE void tile_avx512vnni(const struct conv *c, const struct rescaling_avx512 *rescaling, const int8_t *input, int8_t *output,
                                       int block, int blocks, int outputs) {
    const ptrdiff_t size = (ptrdiff_t)c->kernel_height * c->groups * BLOCK * GROUP;
    const int8_t *weights = c->weights + block * size;
    const int positions = outputs * c->window;
    __m512i sum[24][4], w[4];
#pragma GCC unroll 24
    for (int p = 0; p < positions; p++)
#pragma GCC unroll 4
        for (int b = 0; b < blocks; b++) sum[p][b] = _mm512_loadu_si512(c->unsigned_bias + (block + b) * BLOCK);
    for (int i = 0; i < c->kernel_height; i++)
        for (int k = 0; k < c->groups; k++, weights += BLOCK * GROUP) {
#pragma GCC unroll 4
            for (int b = 0; b < blocks; b++) w[b] = _mm512_loadu_si512(weights + b * size);
#pragma GCC unroll 24
            for (int p = 0; p < positions; p++) {
                const __m512i x = _mm512_set1_epi32(four_bytes(input + position(c, p) + (ptrdiff_t)i * c->row + k * GROUP));
#pragma GCC unroll 4
                for (int b = 0; b < blocks; b++) sum[p][b] = _mm512_dpbusd_epi32(sum[p][b], x, w[b]);
            }
        }
    if (c->dense) {
#pragma GCC unroll 4
        for (int b = 0; b < blocks; b++) {
            int32_t ALIGNED sums[BLOCK];
            _mm512_store_si512(sums, sum[0][b]);
            store_dense(c, sums, output, (block + b) * BLOCK, BLOCK);
        }
        return;
    }
#pragma GCC unroll 24
    for (int o = 0; o < outputs; o++)
#pragma GCC unroll 4
        for (int b = 0; b < blocks; b++) sum[o][b] = pooled_avx512(c, sum, o, b);
    store_avx512vnni(c, rescaling, sum, output, block, blocks, outputs, c->channels == blocks * BLOCK);
}

// Of eight channels two outputs are 16 lanes.
AVX512VNNI INLINE void tile_of_eight_avx512vnni(const struct conv *c, const struct rescaling_avx512 *rescaling, const int8_t *input,
                                                int8_t *output, int outputs) {
    const __m512i bias = _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)c->unsigned_bias));
    const int8_t *weights = c->weights;
    const int pairs = outputs / 2;
    __m512i sum[24][4];
#pragma GCC unroll 24
    for (int p = 0; p < pairs * c->window; p++) sum[p][0] = bias;
    for (int i = 0; i < c->kernel_height; i++)
        for (int k = 0; k < c->groups; k++, weights += BLOCK * GROUP) {
            const __m512i w = _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)weights));
#pragma GCC unroll 24
            for (int p = 0; p < pairs * c->window; p++) {
                const int8_t *from = input + position(c, p + p / c->window * c->window) + (ptrdiff_t)i * c->row + k * GROUP;
                const __m512i one = _mm512_set1_epi32(four_bytes(from));
                sum[p][0] = _mm512_dpbusd_epi32(sum[p][0], _mm512_mask_set1_epi32(one, 0xFF00, four_bytes(from + c->step_x)), w);
            }
        }
#pragma GCC unroll 24
    for (int pair = 0; pair < pairs; pair++) sum[pair][0] = pooled_avx512(c, sum, pair, 0);
    store_avx512vnni(c, rescaling, sum, output, 0, 1, pairs, 1);
}

AVX512VNNI INLINE void eight_avx512vnni(const struct conv *c, const int8_t *input, int8_t *output, int rows) {
    const int most = outputs_at_once(c, 32), outputs = most % 2 ? most < c->width ? most + 1 : most - 1 : most;
    const struct rescaling_avx512 rescaling =
        rescaling_avx512(_mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)c->multiplier)),
                         _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)c->shift)), c->least >= c->zero_point);
#define TILE_OF(from, to) tile_of_eight_avx512vnni(c, &rescaling, from, to, outputs)
    OVER_ROWS(TILE_OF, outputs, rows, input, output)
#undef TILE_OF
}

// So many blocks of channels, over a band of rows.
AVX512VNNI INLINE void blocks_avx512vnni(const struct conv *c, const int8_t *input, int8_t *output, int rows, int block, int blocks) {
    const int outputs = outputs_at_once(c, positions_avx512(blocks));
    struct rescaling_avx512 rescaling[4];
#pragma GCC unroll 4
    for (int b = 0; b < blocks; b++)
        rescaling[b] = rescaling_avx512(_mm512_loadu_si512(c->multiplier + (block + b) * BLOCK),
                                        _mm512_loadu_si512(c->shift + (block + b) * BLOCK), c->least >= c->zero_point);
#define TILE_OF(from, to) tile_avx512vnni(c, rescaling, from, to, block, blocks, outputs)
    OVER_ROWS(TILE_OF, outputs, rows, input, output)
#undef TILE_OF
}

// Without a border rows lie behind one another; those between windows nobody reads.
AVX512VNNI INLINE void flip_band_avx512(const struct conv *c, const int8_t *input, int first, int rows) {
    int8_t *to = scratch;
    const int step = c->step_y / c->row, is_whole = !c->padded && step <= c->kernel_height;
    if (is_whole) {
        flip_avx512(input + (ptrdiff_t)first * c->step_y, (uint8_t *)to, band_rows(c, rows) * c->row);
        return;
    }
    for (int i = 0; i < band_rows(c, rows); i++, to += c->row) {
        const int y = first * step - c->top + i, is_read = c->window > 1 || i % step < c->kernel_height;
        if (is_read && fill_border(c, to, y, c->input_zero_point + 128))
            flip_avx512(input + (ptrdiff_t)y * c->input_row, (uint8_t *)to + c->left, c->input_row);
    }
}

AVX512VNNI INLINE void conv_avx512vnni(const struct conv *c, const int8_t *input, int8_t *output) {
    const int many = c->blocks_at_once;
    for (int first = 0; first < c->height; first += c->band) {
        const int rows = first + c->band < c->height ? c->band : c->height - first;
        int8_t *to = output + (ptrdiff_t)first * c->width * c->channels;
        int block = 0;
        flip_band_avx512(c, input, first, rows);
        if (c->channels == 8 && c->width > 1 && !c->dense) {
            eight_avx512vnni(c, scratch, to, rows);
            continue;
        }
        for (; block + many <= c->blocks; block += many) blocks_avx512vnni(c, scratch, to, rows, block, many);
        if (c->blocks % many) blocks_avx512vnni(c, scratch, to, rows, block, c->blocks % many);
    }
}
