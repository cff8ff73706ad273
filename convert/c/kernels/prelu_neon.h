// NEON: 8 values at a time.
INLINE int32x4_t side_prelu_neon(int32x4_t x, int32_t multiplier, int shift) {
    x = vqrdmulhq_s32(shift < 0 ? vshlq_s32(x, vdupq_n_s32(-shift)) : x, vdupq_n_s32(multiplier));
    return shift > 0 ? vrshlq_s32(vsraq_n_s32(x, x, 31), vdupq_n_s32(-shift)) : x;
}

INLINE int32x4_t four_prelu_neon(const struct prelu *c, int16x4_t x, int16x4_t alpha) {
    const int32x4_t wide = vmovl_s16(x);
    const int32x4_t positive = side_prelu_neon(wide, c->positive, c->positive_shift);
    const int32x4_t negative = side_prelu_neon(vmull_s16(x, alpha), c->negative, c->negative_shift);
    return vbslq_s32(vcltq_s32(wide, vdupq_n_s32(0)), negative, positive);
}

INLINE void prelu_neon(const struct prelu *c, const int8_t *input, const int8_t *alpha, int8_t *output, int size) {
    const int8x8_t input_zero = vdup_n_s8((int8_t)c->input_zero_point), alpha_zero = vdup_n_s8((int8_t)c->alpha_zero_point);
    int i = 0;
    for (; i + 8 <= size; i += 8) {
        const int16x8_t x = vsubl_s8(vld1_s8(input + i), input_zero), a = vsubl_s8(vld1_s8(alpha + i), alpha_zero);
        const int32x4_t low = four_prelu_neon(c, vget_low_s16(x), vget_low_s16(a));
        const int16x8_t words = words_neon(low, four_prelu_neon(c, vget_high_s16(x), vget_high_s16(a)));
        vst1_s8(output + i, vget_low_s8(bytes_neon(words, words, c->zero_point, -128, 127)));
    }
    prelu(c, input + i, alpha + i, output + i, size - i);
}
