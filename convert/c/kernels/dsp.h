// Shared by the kernels for ARM's DSP extension (Cortex-M4, M7, M33): two products of halfwords by one instruction. Four bytes
// become two words of halves, the even and the odd ones. Assembly, since compilers' headers differ.
INLINE int32_t word_at(const int8_t *p) {
    int32_t v;
    __builtin_memcpy(&v, p, 4);
    return v;
}
INLINE int32_t even(int32_t v) {
    int32_t r;
    __asm__("sxtb16 %0, %1" : "=r"(r) : "r"(v));
    return r;
}
INLINE int32_t odd(int32_t v) {
    int32_t r;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(r) : "r"(v));
    return r;
}
INLINE int32_t both_products(int32_t a, int32_t b, int32_t sum) {
    __asm__("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(a), "r"(b));
    return sum;
}

// As rescale() where |sum| < 2^30 and 0 < shift < 32, with the zero point added, clamped to a byte.
INLINE int8_t rescaled_dsp(int32_t sum, int32_t multiplier, int shift, int zero_point) {
    int32_t high, byte;
    __asm__("smmulr %0, %1, %2" : "=r"(high) : "r"((int32_t)((uint32_t)sum << 1)), "r"(multiplier));
    const int32_t value = ((high + (high >> 31) + (int32_t)(1u << shift >> 1)) >> shift) + zero_point;
    __asm__("ssat %0, #8, %1" : "=r"(byte) : "r"(value));
    return (int8_t)byte;
}

// What an activation leaves of outputs: most leave all of them.
INLINE void clamp_outputs(int8_t *output, int size, int least, int most) {
    if (least > -128 || most < 127)
        for (int i = 0; i < size; i++) output[i] = (int8_t)clamp(output[i], least, most);
}

// Fills `to` with bytes `x` to `x + size` of an input's row, which are partly in its border; a multiple of four.
INLINE void copy_bordered(const int8_t *row, int length, int x, int size, int zero_point, int8_t *to) {
    const int32_t zeros = (int32_t)(0x01010101u * (uint8_t)zero_point);
    for (int i = 0; i < size; i += 4) __builtin_memcpy(to + i, &zeros, 4);
    int i = x < 0 ? -x : 0;
    const int end = row ? (length - x < size ? length - x : size) : 0;
    for (; i + 4 <= end; i += 4) __builtin_memcpy(to + i, row + x + i, 4);
    for (; i < end; i++) to[i] = row[x + i];
}
