// Shared by both kernels for ARM. vqrdmulh is the doubling high product, vrshl the rounding shift, but half up: what is
// negative gets one less before it, unless a ReLU takes it to zero anyhow.
INLINE int32x4_t rescale_neon(const struct conv *c, int32x4_t x, int channel) {
    x = vqrdmulhq_s32(x, vld1q_s32(c->multiplier + channel));
    if (c->least < c->zero_point) x = vsraq_n_s32(x, x, 31);
    return vrshlq_s32(x, vnegq_s32(vld1q_s32(c->shift + channel)));
}

INLINE int16x8_t words_neon(const struct conv *c, int32x4_t low, int32x4_t high, int channel) {
    return vcombine_s16(vqmovn_s32(rescale_neon(c, low, channel)), vqmovn_s32(rescale_neon(c, high, channel + 4)));
}

// Adds the zero point and narrows. Unsigned bytes with the sign bit flipped are the same and one instruction less where it
// is -128, as behind every ReLU.
INLINE int8x16_t bytes_neon(const struct conv *c, int16x8_t low, int16x8_t high) {
    int8x16_t bytes;
    if (c->zero_point == -128) {
        const uint8x16_t plus_128 = vcombine_u8(vqmovun_s16(low), vqmovun_s16(high));
        bytes = vreinterpretq_s8_u8(veorq_u8(plus_128, vdupq_n_u8(128)));
    } else {
        const int16x8_t zero_point = vdupq_n_s16((int16_t)c->zero_point);
        bytes = vcombine_s8(vqmovn_s16(vqaddq_s16(low, zero_point)), vqmovn_s16(vqaddq_s16(high, zero_point)));
    }
    if (c->least > -128) bytes = vmaxq_s8(bytes, vdupq_n_s8((int8_t)c->least));
    if (c->most < 127) bytes = vminq_s8(bytes, vdupq_n_s8((int8_t)c->most));
    return bytes;
}

INLINE void store8_neon(const struct conv *c, int32x4_t low, int32x4_t high, int8_t *output, int channel) {
    if (c->dense) {
        int32_t sum[8];
        vst1q_s32(sum, low);
        vst1q_s32(sum + 4, high);
        store_dense(c, sum, output, channel, 8);
        return;
    }
    const int16x8_t words = words_neon(c, low, high, channel);
    const int8x8_t bytes = vget_low_s8(bytes_neon(c, words, words));
    const int left = c->channels - channel;
    if (left >= 8) vst1_s8(output + channel, bytes);
    else if (left > 0) {
        int8_t some[8];
        vst1_s8(some, bytes);
        memcpy(output + channel, some, (size_t)left);
    }
}
