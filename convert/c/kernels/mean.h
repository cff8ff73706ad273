// The mean over height and width, 16 channels at a time so that compilers keep their sums in registers.
INLINE void mean_some(const int8_t *input, int8_t *output, int pixels, int channels, int start, int zero_point,
                      int32_t multiplier, int shift, int count) {
    int32_t sum[16];
    for (int o = 0; o < count; o++) sum[o] = start;
    for (int i = 0; i < pixels; i++)
        for (int o = 0; o < count; o++) sum[o] += input[(ptrdiff_t)i * channels + o];
    for (int o = 0; o < count; o++)
        output[o] = (int8_t)clamp(plus(rescale(sum[o], multiplier, shift), zero_point), -128, 127);
}

INLINE void mean(const int8_t *input, int8_t *output, int pixels, int channels, int input_zero_point, int zero_point,
                 int32_t multiplier, int shift) {
    const int start = -pixels * input_zero_point;
    int o = 0;
    for (; o + 16 <= channels; o += 16) mean_some(input + o, output + o, pixels, channels, start, zero_point, multiplier, shift, 16);
    if (o < channels)
        mean_some(input + o, output + o, pixels, channels, start, zero_point, multiplier, shift, channels - o);
}
