// NEON: 8 products at a time.
INLINE void mul_neon(const struct mul *c, const int8_t *one, const int8_t *other, int8_t *output, int size) {
    const int8x8_t one_zero = vdup_n_s8((int8_t)c->one_zero_point), other_zero = vdup_n_s8((int8_t)c->other_zero_point);
    const int32x4_t multiplier = vdupq_n_s32(c->multiplier), right = vdupq_n_s32(-c->shift);
    const int is_relu = c->least >= c->zero_point;
    int i = 0;
    for (; i + 8 <= size; i += 8) {
        const int16x8_t a = vsubl_s8(vld1_s8(one + i), one_zero), b = vsubl_s8(vld1_s8(other + i), other_zero);
        const int32x4_t low = rescale_neon(vmull_s16(vget_low_s16(a), vget_low_s16(b)), multiplier, right, is_relu);
        const int32x4_t high = rescale_neon(vmull_s16(vget_high_s16(a), vget_high_s16(b)), multiplier, right, is_relu);
        const int16x8_t words = words_neon(low, high);
        vst1_s8(output + i, vget_low_s8(bytes_neon(words, words, c->zero_point, c->least, c->most)));
    }
    mul(c, one + i, other + i, output + i, size - i);
}
