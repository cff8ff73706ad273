// NEON: 16 channels at a time, whose sums fit 16 bits for 256 pixels.
INLINE void mean_neon(const int8_t *input, int8_t *output, int pixels, int channels, int input_zero_point, int zero_point,
                      int32_t multiplier, int shift) {
    for (int first = 0; first < channels; first += 16) {
        const int channel = sixteen_neon(first, channels);
        int32x4_t sum[4];
        sum[0] = sum[1] = sum[2] = sum[3] = vdupq_n_s32(-pixels * input_zero_point);
        for (int i = 0; i < pixels;) {
            int16x8_t some[2] = {vdupq_n_s16(0), vdupq_n_s16(0)};
            for (const int last = i + 256 < pixels ? i + 256 : pixels; i < last; i++)
                sum_bytes_neon(some, load_neon(input + (ptrdiff_t)i * channels + channel, channels));
            sum_words_neon(sum, some[0], some[1]);
        }
        for (int part = 0; part < 4; part++)
            sum[part] = rescale_neon(sum[part], vdupq_n_s32(multiplier), vdupq_n_s32(-shift), 0);
        const int16x8_t low = words_neon(sum[0], sum[1]), high = words_neon(sum[2], sum[3]);
        store_neon(output + channel, bytes_neon(low, high, zero_point, -128, 127), channels);
    }
}
