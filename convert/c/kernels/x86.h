// Shared by the kernels for x86.
INLINE int round_up(int size, int unit) { return (size + unit - 1) / unit * unit; }

// For AVX-512: sums of 16 channels are rescaled in 64 bits, those of even and of odd lanes apart.
//
// Behind a ReLU, where what is negative is clamped, both roundings are one: floor((x * multiplier + 2^30 + 2^(30 + shift)) /
// 2^(31 + shift)). Elsewhere x is doubled, so that the upper half of a product is what the first rounding gives.
struct rescaling_avx512 {
    __m512i multiplier, rounding_even, rounding_odd, shift;
};

AVX512VNNI INLINE struct rescaling_avx512 rescaling_avx512(__m512i multiplier, __m512i shift, int is_relu) {
    const __m512i first = _mm512_set1_epi64(is_relu ? 1ll << 30 : 1ll << 31);
    const __m512i even = _mm512_and_si512(shift, _mm512_set1_epi64(0xFFFFFFFF)), odd = _mm512_srli_epi64(shift, 32);
    return (struct rescaling_avx512){
        multiplier,
        _mm512_add_epi64(first, _mm512_sllv_epi64(first, even)),
        _mm512_add_epi64(first, _mm512_sllv_epi64(first, odd)),
        is_relu ? _mm512_sub_epi32(shift, _mm512_set1_epi32(1)) : shift,
    };
}

AVX512VNNI INLINE __m512i rescale_avx512(const struct rescaling_avx512 *r, __m512i x, int is_relu) {
    const __m512i factor = is_relu ? x : _mm512_add_epi32(x, x);
    const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(factor, r->multiplier), r->rounding_even);
    const __m512i odd = _mm512_add_epi64(
        _mm512_mul_epi32(_mm512_srli_epi64(factor, 32), _mm512_srli_epi64(r->multiplier, 32)), r->rounding_odd);
    const __m512i high = _mm512_mask_shuffle_epi32(odd, 0x5555, even, _MM_PERM_DDBB);
    return _mm512_srav_epi32(is_relu ? high : _mm512_add_epi32(high, _mm512_srai_epi32(x, 31)), r->shift);
}

// Four times 16 values become 64 bytes: of each lane of 128 bits first that of x[0], then of x[1] to x[3].
AVX512VNNI INLINE __m512i bytes_avx512(const __m512i x[4], int zero_point, int least, int most) {
    const __m512i zero_points = _mm512_set1_epi16((int16_t)zero_point);
    const __m512i low = _mm512_adds_epi16(_mm512_packs_epi32(x[0], x[1]), zero_points);
    const __m512i high = _mm512_adds_epi16(_mm512_packs_epi32(x[2], x[3]), zero_points);
    __m512i bytes = _mm512_packs_epi16(low, high);
    if (least > -128) bytes = _mm512_max_epi8(bytes, _mm512_set1_epi8((int8_t)least));
    if (most < 127) bytes = _mm512_min_epi8(bytes, _mm512_set1_epi8((int8_t)most));
    return bytes;
}

AVX512VNNI INLINE __mmask64 first_avx512(int count) { return count >= 64 ? ~0ull : (1ull << count) - 1; }

// A copy with the sign bits flipped, which adds 128.
AVX512VNNI INLINE void flip_avx512(const int8_t *from, uint8_t *to, int size) {
    const __m512i sign = _mm512_set1_epi8(-128);
    int i = 0;
    for (; i + 64 <= size; i += 64)
        _mm512_storeu_si512(to + i, _mm512_xor_si512(_mm512_loadu_si512(from + i), sign));
    for (; i + 16 <= size; i += 16) {
        const __m128i bytes = _mm_loadu_si128((const __m128i *)(from + i));
        _mm_storeu_si128((__m128i *)(to + i), _mm_xor_si128(bytes, _mm_set1_epi8(-128)));
    }
    if (i < size) {
        const __mmask64 some = first_avx512(size - i);
        _mm512_mask_storeu_epi8(to + i, some, _mm512_xor_si512(_mm512_maskz_loadu_epi8(some, from + i), sign));
    }
}

// The same as for AVX-512, 8 channels at a time; they become the order 0, 2, 1, 3, 4, 6, 5, 7, which a shuffle of bytes ends.
struct rescaling_avx2 {
    __m256i multiplier, rounding_even, rounding_odd, shift;
};

AVX2 INLINE struct rescaling_avx2 rescaling_avx2(__m256i multiplier, __m256i shift, int is_relu) {
    const __m256i first = _mm256_set1_epi64x(is_relu ? 1ll << 30 : 1ll << 31);
    const __m256i even = _mm256_and_si256(shift, _mm256_set1_epi64x(0xFFFFFFFF)), odd = _mm256_srli_epi64(shift, 32);
    return (struct rescaling_avx2){
        multiplier,
        _mm256_add_epi64(first, _mm256_sllv_epi64(first, even)),
        _mm256_add_epi64(first, _mm256_sllv_epi64(first, odd)),
        _mm256_shuffle_epi32(is_relu ? _mm256_sub_epi32(shift, _mm256_set1_epi32(1)) : shift, 0xD8),
    };
}

AVX2 INLINE __m256i rescale_avx2(const struct rescaling_avx2 *r, __m256i x, int is_relu) {
    const __m256i factor = is_relu ? x : _mm256_add_epi32(x, x);
    const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(factor, r->multiplier), r->rounding_even);
    const __m256i odd = _mm256_add_epi64(
        _mm256_mul_epi32(_mm256_srli_epi64(factor, 32), _mm256_srli_epi64(r->multiplier, 32)), r->rounding_odd);
    const __m256i high = _mm256_castps_si256(_mm256_shuffle_ps(_mm256_castsi256_ps(even), _mm256_castsi256_ps(odd), 0xDD));
    const __m256i sign = _mm256_srai_epi32(_mm256_shuffle_epi32(x, 0xD8), 31);
    return _mm256_srav_epi32(is_relu ? high : _mm256_add_epi32(high, sign), r->shift);
}

// The end of four bytes' order.
AVX2 INLINE __m256i in_order_avx2(__m256i bytes) {
    const __m128i order = _mm_set_epi8(15, 13, 14, 12, 11, 9, 10, 8, 7, 5, 6, 4, 3, 1, 2, 0);
    return _mm256_shuffle_epi8(bytes, _mm256_broadcastsi128_si256(order));
}

// Four times 8 rescaled values become 32 bytes.
AVX2 INLINE __m256i bytes_avx2(const __m256i x[4], int zero_point, int least, int most) {
    const __m256i zero_points = _mm256_set1_epi16((int16_t)zero_point);
    const __m256i low = _mm256_adds_epi16(_mm256_packs_epi32(x[0], x[1]), zero_points);
    const __m256i high = _mm256_adds_epi16(_mm256_packs_epi32(x[2], x[3]), zero_points);
    __m256i bytes = _mm256_packs_epi16(low, high);
    if (least > -128) bytes = _mm256_max_epi8(bytes, _mm256_set1_epi8((int8_t)least));
    if (most < 127) bytes = _mm256_min_epi8(bytes, _mm256_set1_epi8((int8_t)most));
    return in_order_avx2(_mm256_permutevar8x32_epi32(bytes, _mm256_set_epi32(7, 3, 6, 2, 5, 1, 4, 0)));
}

// A copy with the sign bits flipped, which adds 128.
AVX2 INLINE void flip_avx2(const int8_t *from, uint8_t *to, int size) {
    const __m256i sign = _mm256_set1_epi8(-128);
    int i = 0;
    for (; i + 32 <= size; i += 32)
        _mm256_storeu_si256((__m256i *)(to + i), _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(from + i)), sign));
    for (; i + 8 <= size; i += 8) {
        const __m128i bytes = _mm_loadl_epi64((const __m128i *)(from + i));
        _mm_storel_epi64((__m128i *)(to + i), _mm_xor_si128(bytes, _mm256_castsi256_si128(sign)));
    }
    for (; i < size; i++) to[i] = (uint8_t)(from[i] + 128);
}

AVX2 INLINE void widen_avx2(const int8_t *input, int16_t *widened, int size) {
    int i = 0;
    for (; i + 16 <= size; i += 16)
        _mm256_storeu_si256((__m256i *)(widened + i), _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(input + i))));
    for (; i < size; i++) widened[i] = input[i];
}
