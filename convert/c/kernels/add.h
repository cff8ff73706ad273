// The sum or the difference of two values: both are brought to twice the larger scale, with 20 more bits. Source: TFLite's reference kernel.
struct add {
    int32_t one_zero_point, one_multiplier, one_shift, other_zero_point, other_multiplier, other_shift;
    int32_t multiplier, shift, zero_point, least, most, is_difference;
    // (one * one_factor + other * other_factor + linear_rounding) >> (15 + linear_shift) is it, if one_factor is not 0
    int32_t one_factor, other_factor, linear_rounding_high, linear_rounding_low, linear_shift;  // low: of 15 bits
};

INLINE void add(const struct add *c, const int8_t *one, const int8_t *other, int8_t *output, int size) {
    for (int i = 0; i < size; i++) {
        const int32_t a = rescale((one[i] - c->one_zero_point) * (1 << 20), c->one_multiplier, c->one_shift);
        const int32_t b = rescale((other[i] - c->other_zero_point) * (1 << 20), c->other_multiplier, c->other_shift);
        output[i] = (int8_t)clamp(rescale(c->is_difference ? a - b : a + b, c->multiplier, c->shift) + c->zero_point, c->least, c->most);
    }
}
