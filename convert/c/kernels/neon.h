// Shared by the kernels for ARM. vqrdmulh is the doubling high product, vrshl the rounding shift, but half up: what is
// negative gets one less before it, unless a ReLU takes it to zero anyhow. `right` holds shifts of at least 1, negated.
INLINE int32x4_t rescale_neon(int32x4_t x, int32x4_t multiplier, int32x4_t right, int is_relu) {
    x = vqrdmulhq_s32(x, multiplier);
    if (!is_relu) x = vsraq_n_s32(x, x, 31);
    return vrshlq_s32(x, right);
}

INLINE int16x8_t words_neon(int32x4_t low, int32x4_t high) { return vcombine_s16(vqmovn_s32(low), vqmovn_s32(high)); }

// Adds the zero point and narrows. Unsigned bytes with the sign bit flipped are the same and one instruction less where it
// is -128, as behind every ReLU.
INLINE int8x16_t bytes_neon(int16x8_t low, int16x8_t high, int zero_point, int least, int most) {
    int8x16_t bytes;
    if (zero_point == -128) {
        const uint8x16_t plus_128 = vcombine_u8(vqmovun_s16(low), vqmovun_s16(high));
        bytes = vreinterpretq_s8_u8(veorq_u8(plus_128, vdupq_n_u8(128)));
    } else {
        const int16x8_t zero = vdupq_n_s16((int16_t)zero_point);
        bytes = vcombine_s8(vqmovn_s16(vqaddq_s16(low, zero)), vqmovn_s16(vqaddq_s16(high, zero)));
    }
    if (least > -128) bytes = vmaxq_s8(bytes, vdupq_n_s8((int8_t)least));
    if (most < 127) bytes = vminq_s8(bytes, vdupq_n_s8((int8_t)most));
    return bytes;
}

// Sixteen channels from `first` on, or the last sixteen; of eight to fifteen the first eight and the last eight.
INLINE int sixteen_neon(int first, int channels) { return first + 16 <= channels || channels < 16 ? first : channels - 16; }

INLINE int8x16_t load_neon(const int8_t *from, int channels) {
    return channels < 16 ? vcombine_s8(vld1_s8(from), vld1_s8(from + channels - 8)) : vld1q_s8(from);
}

INLINE void store_neon(int8_t *to, int8x16_t bytes, int channels) {
    if (channels < 16) {
        vst1_s8(to, vget_low_s8(bytes));
        vst1_s8(to + channels - 8, vget_high_s8(bytes));
    } else vst1q_s8(to, bytes);
}

// Adds sixteen bytes to sums of 16 bits, and these to sums of 32.
INLINE void sum_bytes_neon(int16x8_t sum[2], int8x16_t bytes) {
    sum[0] = vaddw_s8(sum[0], vget_low_s8(bytes));
    sum[1] = vaddw_s8(sum[1], vget_high_s8(bytes));
}

INLINE void sum_words_neon(int32x4_t sum[4], int16x8_t low, int16x8_t high) {
    sum[0] = vaddw_s16(sum[0], vget_low_s16(low));
    sum[1] = vaddw_s16(sum[1], vget_high_s16(low));
    sum[2] = vaddw_s16(sum[2], vget_low_s16(high));
    sum[3] = vaddw_s16(sum[3], vget_high_s16(high));
}
