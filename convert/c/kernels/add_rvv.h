// RISC-V vectors.
RVV INLINE vint32m4_t side_rvv(const int8_t *from, int zero_point, int32_t multiplier, int shift, size_t vl) {
    const vint8m1_t bytes = __riscv_vle8_v_i8m1(from, vl);
    const vint16m2_t wide = __riscv_vwsub_vx_i16m2(bytes, (int8_t)zero_point, vl);
    vint32m4_t x = __riscv_vsll_vx_i32m4(__riscv_vsext_vf2_i32m4(wide, vl), 20, vl);
    x = __riscv_vsmul_vx_i32m4(x, multiplier, __RISCV_VXRM_RNU, vl);
    return shift ? __riscv_vssra_vx_i32m4(half_away_rvv(x, vl), (size_t)shift, __RISCV_VXRM_RNU, vl) : x;
}

RVV INLINE void add_rvv(const struct add *c, const int8_t *one, const int8_t *other, int8_t *output, int size) {
    for (size_t i = 0, vl; i < (size_t)size; i += vl) {
        vl = __riscv_vsetvl_e8m1((size_t)size - i);
        const vint32m4_t a = side_rvv(one + i, c->one_zero_point, c->one_multiplier, c->one_shift, vl);
        const vint32m4_t b = side_rvv(other + i, c->other_zero_point, c->other_multiplier, c->other_shift, vl);
        const vint32m4_t sum = c->is_difference ? __riscv_vsub_vv_i32m4(a, b, vl) : __riscv_vadd_vv_i32m4(a, b, vl);
        const vint16m2_t words = rescale_rvv(sum, c->multiplier, c->shift, c->least >= c->zero_point, vl);
        store_rvv(output + i, words, c->zero_point, c->least, c->most, vl);
    }
}
