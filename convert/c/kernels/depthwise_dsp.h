// Four channels at a time; the last ones are computed twice rather than one by one.
#define TAP_DSP(from, weights)                                                                             \
    {                                                                                                      \
        int32_t u = word_at(from), v = word_at(weights), x, y;                                             \
        __asm__("sxtb16 %6, %4\n sxtb16 %7, %5\n smlabb %0, %6, %7, %0\n smlatt %2, %6, %7, %2\n"          \
                "sxtb16 %4, %4, ror #8\n sxtb16 %5, %5, ror #8\n smlabb %1, %4, %5, %1\n smlatt %3, %4, %5, %3" \
                : "+r"(s0), "+r"(s1), "+r"(s2), "+r"(s3), "+r"(u), "+r"(v), "=&r"(x), "=&r"(y));           \
    }

// One position; rows of the window lie `row` bytes apart.
INLINE void depthwise_position_dsp(const struct depthwise *c, const int8_t *window, ptrdiff_t row, int8_t *output) {
    const int channels = c->channels, wide = c->kernel_width;
    for (int next = 0; next < channels; next += 4) {
        const int o = next + 4 <= channels ? next : channels - 4;
        const int8_t *p = window + o, *w = c->weights + o, *const end = p + c->kernel_height * row;
        const int32_t *bias = c->bias + o, *multiplier = c->multiplier + o, *shift = c->shift + o;
        int32_t s0 = bias[0], s1 = bias[1], s2 = bias[2], s3 = bias[3];
        if (wide == 3)
            for (; p != end; p += row, w += 3 * channels) {
                TAP_DSP(p, w) TAP_DSP(p + channels, w + channels) TAP_DSP(p + 2 * channels, w + 2 * channels)
            }
        else
            for (; p != end; p += row)
                for (int j = 0; j < wide; j++, w += channels) TAP_DSP(p + j * channels, w)
        output[o] = rescaled_dsp(s0, multiplier[0], shift[0], c->zero_point);
        output[o + 1] = rescaled_dsp(s1, multiplier[1], shift[1], c->zero_point);
        output[o + 2] = rescaled_dsp(s2, multiplier[2], shift[2], c->zero_point);
        output[o + 3] = rescaled_dsp(s3, multiplier[3], shift[3], c->zero_point);
    }
}

static FAST void depthwise_dsp(const struct depthwise *c, const int8_t *input, int8_t *output) {
    const int channels = c->channels, bytes = c->kernel_width * channels, row = c->input_width * channels;
    const int copied = (bytes + 3) / 4 * 4;
    int8_t *to = output;
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++, to += channels) {
            const int above = y * c->stride_y - c->top, before = (x * c->stride_x - c->left) * channels;
            const int8_t *window = input + (ptrdiff_t)above * row + before;
            const int is_inside = above >= 0 && above + c->kernel_height <= c->input_height && before >= 0 &&
                                  before + bytes <= row;
            if (!is_inside) {
                for (int i = 0; i < c->kernel_height; i++) {
                    const int8_t *const from = above + i >= 0 && above + i < c->input_height ? input + (ptrdiff_t)(above + i) * row : 0;
                    copy_bordered(from, row, before, copied, c->input_zero_point, scratch + i * copied);
                }
                window = scratch;
            }
            depthwise_position_dsp(c, window, is_inside ? row : copied, to);
        }
    clamp_outputs(output, c->height * c->width * channels, c->least, c->most);
}
