// NEON: 16 channels at a time. The sum of up to 255 bytes and half their count fit 15 bits; it is divided by its product with
// the reciprocal of the count, rounded up: exact for so few bits (Granlund and Montgomery, Division by Invariant Integers).
INLINE uint16x8_t divide_neon(uint16x8_t x, uint16_t reciprocal, int bits) {
    const int32x4_t right = vdupq_n_s32(-bits);
    const uint16x4_t times = vdup_n_u16(reciprocal);
    const uint32x4_t low = vshlq_u32(vmull_u16(vget_low_u16(x), times), right);
    return vcombine_u16(vmovn_u32(low), vmovn_u32(vshlq_u32(vmull_u16(vget_high_u16(x), times), right)));
}

INLINE int16x8_t average_neon(int16x8_t sum, int count, uint16_t reciprocal, int bits) {
    const int16x8_t sign = vshrq_n_s16(sum, 15);
    const int16x8_t rounded = vaddq_s16(vabsq_s16(sum), vdupq_n_s16((int16_t)(count / 2)));
    const int16x8_t average = vreinterpretq_s16_u16(divide_neon(vreinterpretq_u16_s16(rounded), reciprocal, bits));
    return vsubq_s16(veorq_s16(average, sign), sign);
}

INLINE void pool_neon(const struct pool *c, const int8_t *input, int8_t *output, int is_average) {
    const int row = c->input_width * c->channels;
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++, output += c->channels) {
            const int y0 = y * c->stride_y - c->top, x0 = x * c->stride_x - c->left;
            const int y1 = clamp(y0 + c->pool_height, 0, c->input_height), x1 = clamp(x0 + c->pool_width, 0, c->input_width);
            const int first_y = clamp(y0, 0, y1), first_x = clamp(x0, 0, x1), count = (y1 - first_y) * (x1 - first_x);
            int bits = 15;
            while (1 << (bits - 15) < count) bits++;
            const uint16_t reciprocal = (uint16_t)(((1u << bits) + (unsigned)count - 1) / (unsigned)count);
            for (int first = 0; first < c->channels; first += 16) {
                const int channel = sixteen_neon(first, c->channels);
                int16x8_t sum[2] = {vdupq_n_s16(0), vdupq_n_s16(0)};
                int8x16_t best = vdupq_n_s8(-128);
                for (int i = first_y; i < y1; i++)
                    for (int j = first_x; j < x1; j++) {
                        const int8_t *from = input + (ptrdiff_t)i * row + (ptrdiff_t)j * c->channels + channel;
                        const int8x16_t bytes = load_neon(from, c->channels);
                        if (is_average) sum_bytes_neon(sum, bytes);
                        else best = vmaxq_s8(best, bytes);
                    }
                if (is_average)
                    best = vcombine_s8(vmovn_s16(average_neon(sum[0], count, reciprocal, bits)),
                                       vmovn_s16(average_neon(sum[1], count, reciprocal, bits)));
                best = vminq_s8(vmaxq_s8(best, vdupq_n_s8((int8_t)c->least)), vdupq_n_s8((int8_t)c->most));
                store_neon(output + channel, best, c->channels);
            }
        }
}
