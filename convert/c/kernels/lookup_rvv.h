// RISC-V vectors.
RVV INLINE void lookup_rvv(const int8_t *input, int8_t *output, int size, const int8_t table[256]) {
    for (size_t i = 0, vl; i < (size_t)size; i += vl) {
        vl = __riscv_vsetvl_e8m1((size_t)size - i);
        const vint8m1_t place = __riscv_vxor_vx_i8m1(__riscv_vle8_v_i8m1(input + i, vl), -128, vl);
        const vuint8m1_t unsigned_place = __riscv_vreinterpret_v_i8m1_u8m1(place);
        __riscv_vse8_v_i8m1(output + i, __riscv_vluxei8_v_i8m1(table, unsigned_place, vl), vl);
    }
}
