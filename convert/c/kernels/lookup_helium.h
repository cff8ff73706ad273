// Helium: sixteen at a time.
INLINE void lookup_helium(const int8_t *input, int8_t *output, int size, const int8_t table[256]) {
    for (int i = 0; i < size; i += 16) {
        const mve_pred16_t p = vctp8q((uint32_t)(size - i));
        const uint8x16_t place = vreinterpretq_u8_s8(veorq_s8(vldrbq_z_s8(input + i, p), vdupq_n_s8(-128)));
        vstrbq_p_s8(output + i, vldrbq_gather_offset_z_s8(table, place, p), p);
    }
}
