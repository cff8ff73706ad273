// `powers` holds exp(-scale * beta * (255 - i)), so that the largest logit is at its end. Products and sums
// are not contracted to one rounding, as in TFLite: so shares are volatile.
INLINE void softmax(const int8_t *input, int8_t *output, int size, const float powers[256], float scale, int zero_point) {
    int largest = -128;
    for (int i = 0; i < size; i++) largest = input[i] > largest ? input[i] : largest;
    float sum = 0;
    for (int i = 0; i < size; i++) sum += powers[255 - largest + input[i]];
    const float inverse = 1.0f / (sum * scale);
    for (int i = 0; i < size; i++) {
        const volatile float share = powers[255 - largest + input[i]] * inverse;
        output[i] = (int8_t)clamp((int32_t)(share + 0.5f) + zero_point, -128, 127);
    }
}
