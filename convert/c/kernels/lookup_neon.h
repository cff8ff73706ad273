// NEON: 64-bit ARM looks 16 bytes up at once, in the four quarters of the table one after the other.
INLINE void lookup_neon(const int8_t *input, int8_t *output, int size, const int8_t table[256]) {
    int i = 0;
#ifdef __aarch64__
    uint8x16x4_t quarters[4];
#pragma GCC unroll 4
    for (int part = 0; part < 4; part++) quarters[part] = vld1q_u8_x4((const uint8_t *)table + 64 * part);
    for (; i + 16 <= size; i += 16) {
        const uint8x16_t place = veorq_u8(vreinterpretq_u8_s8(vld1q_s8(input + i)), vdupq_n_u8(128));
        uint8x16_t bytes = vqtbl4q_u8(quarters[0], place);
#pragma GCC unroll 4
        for (int part = 1; part < 4; part++)
            bytes = vqtbx4q_u8(bytes, quarters[part], vsubq_u8(place, vdupq_n_u8((uint8_t)(64 * part))));
        vst1q_s8(output + i, vreinterpretq_s8_u8(bytes));
    }
#endif
    lookup(input + i, output + i, size - i, table);
}
