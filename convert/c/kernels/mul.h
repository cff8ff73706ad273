// The product of two values.
struct mul {
    int32_t one_zero_point, other_zero_point, zero_point, multiplier, shift, least, most;
};

INLINE void mul(const struct mul *c, const int8_t *one, const int8_t *other, int8_t *output, int size) {
    for (int i = 0; i < size; i++) {
        const int32_t product = (one[i] - c->one_zero_point) * (other[i] - c->other_zero_point);
        output[i] = (int8_t)clamp(plus(rescale(product, c->multiplier, c->shift), c->zero_point), c->least, c->most);
    }
}
