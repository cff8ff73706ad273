// A ReLU with a slope below zero, `alpha`, of its own for each value; both sides have a multiplier.
struct prelu {
    int32_t input_zero_point, alpha_zero_point, zero_point, positive, positive_shift, negative, negative_shift;
};

INLINE void prelu(const struct prelu *c, const int8_t *input, const int8_t *alpha, int8_t *output, int size) {
    for (int i = 0; i < size; i++) {
        const int32_t x = input[i] - c->input_zero_point;
        const int32_t y = x < 0 ? rescale(x * (alpha[i] - c->alpha_zero_point), c->negative, c->negative_shift)
                                : rescale(x, c->positive, c->positive_shift);
        output[i] = (int8_t)clamp(plus(y, c->zero_point), -128, 127);
    }
}
