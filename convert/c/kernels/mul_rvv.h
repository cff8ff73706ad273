// RISC-V vectors.
RVV INLINE void mul_rvv(const struct mul *c, const int8_t *one, const int8_t *other, int8_t *output, int size) {
    for (size_t i = 0, vl; i < (size_t)size; i += vl) {
        vl = __riscv_vsetvl_e8m1((size_t)size - i);
        const vint16m2_t a = __riscv_vwsub_vx_i16m2(__riscv_vle8_v_i8m1(one + i, vl), (int8_t)c->one_zero_point, vl);
        const vint16m2_t b = __riscv_vwsub_vx_i16m2(__riscv_vle8_v_i8m1(other + i, vl), (int8_t)c->other_zero_point, vl);
        const vint32m4_t product = __riscv_vwmul_vv_i32m4(a, b, vl);
        const vint16m2_t words = rescale_rvv(product, c->multiplier, c->shift, c->least >= c->zero_point, vl);
        store_rvv(output + i, words, c->zero_point, c->least, c->most, vl);
    }
}
