// The mean over height and width.
INLINE void mean(const int8_t *input, int8_t *output, int pixels, int channels, int input_zero_point, int zero_point,
                 int32_t multiplier, int shift) {
    for (int o = 0; o < channels; o++) {
        int32_t sum = -pixels * input_zero_point;
        for (int i = 0; i < pixels; i++) sum += input[(ptrdiff_t)i * channels + o];
        output[o] = (int8_t)clamp(plus(rescale(sum, multiplier, shift), zero_point), -128, 127);
    }
}
