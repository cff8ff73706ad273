// A depthwise convolution, 16 channels at a time so that compilers keep their sums in registers. Around the input lies a
// border of its zero point, which is not stored: `top` rows and `left` columns of it before the input.
struct depthwise {
    const int8_t *weights;          // [kernel_height][kernel_width][channels]
    const int8_t *grouped_weights;  // [blocks][kernel_height][groups][16][4], a kernel's row padded with zeros to groups of 4
    const int32_t *bias;            // less the input's zero point times the sum of the weights
    const int32_t *unsigned_bias;   // the same for inputs plus 128
    const int32_t *multiplier, *shift;
    int kernel_height, kernel_width, groups, stride_y, stride_x, top, left;
    int input_height, input_width, input_zero_point;
    int height, width, channels;
    int zero_point, least, most;
};
