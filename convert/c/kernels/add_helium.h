// Helium: four at a time, by the linear sum.
INLINE void add_helium(const struct add *c, const int8_t *one, const int8_t *other, int8_t *output, int size) {
    const int32_t low = c->one_factor & 32767, high = c->one_factor >> 15;
    const int32_t other_low = c->other_factor & 32767, other_high = c->other_factor >> 15;
    const int32x4_t least = vdupq_n_s32(c->least), most = vdupq_n_s32(c->most);
    const int32x4_t rounding_low = vdupq_n_s32(c->linear_rounding_low), rounding_high = vdupq_n_s32(c->linear_rounding_high);
    for (int i = 0; i < size; i += 4) {
        const mve_pred16_t p = vctp32q((uint32_t)(size - i));
        const int32x4_t a = vldrbq_z_s32(one + i, p), b = vldrbq_z_s32(other + i, p);
        const int32x4_t lows = vmlaq_n_s32(vmlaq_n_s32(rounding_low, a, low), b, other_low);
        const int32x4_t highs = vmlaq_n_s32(vmlaq_n_s32(rounding_high, a, high), b, other_high);
        const int32x4_t sums = vshlq_r_s32(vaddq_s32(highs, vshrq_n_s32(lows, 15)), -c->linear_shift);
        vstrbq_p_s32(output + i, vminq_s32(vmaxq_s32(sums, least), most), p);
    }
}
