// NEON: 16 bytes at a time. A side that is multiplied by a half exactly is shifted by one bit less.
INLINE void side_neon(int8x16_t bytes, int zero_point, int32_t multiplier, int shift, int32x4_t side[4]) {
    const int is_half = multiplier == 1 << 30 && !shift;
    const int16x8_t zero = vdupq_n_s16((int16_t)(zero_point * (is_half ? 8 : 16))), none = vdupq_n_s16(0);
    const int8x8_t parts[2] = {vget_low_s8(bytes), vget_high_s8(bytes)};
    const int32x4_t right = vdupq_n_s32(-shift);
#pragma GCC unroll 2
    for (int part = 0; part < 2; part++) {
        const int16x8_t wide = is_half ? vshll_n_s8(parts[part], 3) : vshll_n_s8(parts[part], 4);
        const int16x8x2_t high = vzipq_s16(none, vsubq_s16(wide, zero));  // times 65536
#pragma GCC unroll 2
        for (int i = 0; i < 2; i++) {
            int32x4_t x = vreinterpretq_s32_s16(high.val[i]);
            if (shift) x = rescale_neon(x, vdupq_n_s32(multiplier), right, 0);
            else if (!is_half) x = vqrdmulhq_s32(x, vdupq_n_s32(multiplier));
            side[2 * part + i] = x;
        }
    }
}

INLINE void add_neon(const struct add *c, const int8_t *one, const int8_t *other, int8_t *output, int size) {
    int i = 0;
    for (; i + 16 <= size; i += 16) {
        int32x4_t a[4], b[4];
        side_neon(vld1q_s8(one + i), c->one_zero_point, c->one_multiplier, c->one_shift, a);
        side_neon(vld1q_s8(other + i), c->other_zero_point, c->other_multiplier, c->other_shift, b);
#pragma GCC unroll 4
        for (int part = 0; part < 4; part++)
            a[part] = rescale_neon(c->is_difference ? vsubq_s32(a[part], b[part]) : vaddq_s32(a[part], b[part]),
                                   vdupq_n_s32(c->multiplier), vdupq_n_s32(-c->shift), c->least >= c->zero_point);
        vst1q_s8(output + i, bytes_neon(words_neon(a[0], a[1]), words_neon(a[2], a[3]), c->zero_point, c->least, c->most));
    }
    add(c, one + i, other + i, output + i, size - i);
}
