// Sixteen channels at a time. Two products of bytes fit 16 bits; widening takes even and odd lanes apart, so that a vector of
// sums holds every fourth channel.
INLINE int16x8_t even_helium(int8x16_t a, int8x16_t b) { return vmullbq_int_s8(a, b); }
INLINE int16x8_t odd_helium(int8x16_t a, int8x16_t b) { return vmulltq_int_s8(a, b); }

// Where the taps of a window are; those in the border are all at the same zero points.
INLINE void find_taps_helium(const struct depthwise *c, const int8_t *input, int y, int x, const int8_t *border, const int8_t **at) {
    for (int i = y; i < y + c->kernel_height; i++)
        for (int j = x; j < x + c->kernel_width; j++) {
            const int is_inside = i >= 0 && i < c->input_height && j >= 0 && j < c->input_width;
            *at++ = is_inside ? input + ((ptrdiff_t)i * c->input_width + j) * c->channels : border;
        }
}

INLINE int16x8_t narrowed_helium(int32x4_t even, int32x4_t odd, int zero_point) {
    return vqaddq_n_s16(vqmovntq_s32(vqmovnbq_s32(vdupq_n_s16(0), even), odd), (int16_t)zero_point);
}

// Up to 16 channels of one position from channel `o` on.
INLINE void position_helium(const struct depthwise *c, const int8_t *const *at, int o, int8_t *output) {
    const int channels = c->channels, taps = c->kernel_height * c->kernel_width;
    const int8_t *w = c->weights + o;
    int32x4x4_t sum = vld4q_s32(c->bias + o);
    for (int t = 0; t < taps; t += 2, at += 2) {
        const int8x16_t u = vld1q_s8(at[0] + o), v = vld1q_s8(w);
        int16x8_t even = even_helium(u, v), odd = odd_helium(u, v);
        w += channels;
        if (t + 1 < taps) {
            const int8x16_t x = vld1q_s8(at[1] + o), y = vld1q_s8(w);
            even = vaddq_s16(even, even_helium(x, y)), odd = vaddq_s16(odd, odd_helium(x, y));
            w += channels;
        }
        sum.val[0] = vaddq_s32(sum.val[0], vmovlbq_s16(even)), sum.val[2] = vaddq_s32(sum.val[2], vmovltq_s16(even));
        sum.val[1] = vaddq_s32(sum.val[1], vmovlbq_s16(odd)), sum.val[3] = vaddq_s32(sum.val[3], vmovltq_s16(odd));
    }
    const int32x4x4_t multiplier = vld4q_s32(c->multiplier + o), shift = vld4q_s32(c->shift + o);
    for (int i = 0; i < 4; i++) sum.val[i] = rescaled_helium(sum.val[i], multiplier.val[i], shift.val[i]);
    const int16x8_t even = narrowed_helium(sum.val[0], sum.val[2], c->zero_point);
    const int16x8_t odd = narrowed_helium(sum.val[1], sum.val[3], c->zero_point);
    const int8x16_t bytes = vqmovntq_s16(vqmovnbq_s16(vdupq_n_s8(0), even), odd);
    const int8x16_t most = vminq_s8(bytes, vdupq_n_s8((int8_t)c->most));
    vstrbq_p_s8(output + o, vmaxq_s8(most, vdupq_n_s8((int8_t)c->least)), vctp8q((uint32_t)(channels - o)));
}

static FAST void depthwise_helium(const struct depthwise *c, const int8_t *input, int8_t *output) {
    const int8_t *at[64];
    fill_helium(scratch, c->input_zero_point, (c->channels + 15) / 16 * 16);
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++, output += c->channels) {
            find_taps_helium(c, input, y * c->stride_y - c->top, x * c->stride_x - c->left, scratch, at);
            for (int o = 0; o < c->channels; o += 16) position_helium(c, at, o, output);
        }
}
