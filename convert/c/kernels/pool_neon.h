// NEON: 16 channels at a time.
INLINE uint16x8_t divide_neon(uint16x8_t x, struct division by) {
    const int32x4_t right = vdupq_n_s32(-15 - by.shift);
    const uint16x4_t times = vdup_n_u16(by.reciprocal);
    const uint32x4_t low = vshlq_u32(vmull_u16(vget_low_u16(x), times), right);
    return vcombine_u16(vmovn_u32(low), vmovn_u32(vshlq_u32(vmull_u16(vget_high_u16(x), times), right)));
}

INLINE int8x8_t average_neon(int16x8_t sum, struct division by) {
    const int16x8_t sign = vshrq_n_s16(sum, 15);
    const int16x8_t rounded = vaddq_s16(vabsq_s16(sum), vdupq_n_s16((int16_t)(by.count / 2)));
    const int16x8_t average = vreinterpretq_s16_u16(divide_neon(vreinterpretq_u16_s16(rounded), by));
    return vmovn_s16(vsubq_s16(veorq_s16(average, sign), sign));
}

INLINE void pool_neon(const struct pool *c, const int8_t *input, int8_t *output, int is_average) {
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++, output += c->channels) {
            const struct window window = window_of(c, y, x);
            const struct division by = division_by(window.rows * window.columns);
            for (int first = 0; first < c->channels; first += 16) {
                const int channel = sixteen_neon(first, c->channels);
                int16x8_t sum[2] = {vdupq_n_s16(0), vdupq_n_s16(0)};
                int8x16_t best = vdupq_n_s8(-128);
                for (int i = 0; i < window.rows; i++)
                    for (int j = 0; j < window.columns; j++) {
                        const int8x16_t bytes = load_neon(input + window.start + place_in(c, i, j) + channel, c->channels);
                        if (is_average) sum_bytes_neon(sum, bytes);
                        else best = vmaxq_s8(best, bytes);
                    }
                if (is_average) best = vcombine_s8(average_neon(sum[0], by), average_neon(sum[1], by));
                best = vminq_s8(vmaxq_s8(best, vdupq_n_s8((int8_t)c->least)), vdupq_n_s8((int8_t)c->most));
                store_neon(output + channel, best, c->channels);
            }
        }
}
