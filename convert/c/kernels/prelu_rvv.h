// RISC-V vectors.
RVV INLINE vint32m4_t side_prelu_rvv(vint32m4_t x, int32_t multiplier, int shift, size_t vl) {
    if (shift < 0) x = __riscv_vsll_vx_i32m4(x, (size_t)-shift, vl);
    x = __riscv_vsmul_vx_i32m4(x, multiplier, __RISCV_VXRM_RNU, vl);
    return shift > 0 ? __riscv_vssra_vx_i32m4(half_away_rvv(x, vl), (size_t)shift, __RISCV_VXRM_RNU, vl) : x;
}

RVV INLINE void prelu_rvv(const struct prelu *c, const int8_t *input, const int8_t *alpha, int8_t *output, int size) {
    for (size_t i = 0, vl; i < (size_t)size; i += vl) {
        vl = __riscv_vsetvl_e8m1((size_t)size - i);
        const vint16m2_t x = __riscv_vwsub_vx_i16m2(__riscv_vle8_v_i8m1(input + i, vl), (int8_t)c->input_zero_point, vl);
        const vint16m2_t a = __riscv_vwsub_vx_i16m2(__riscv_vle8_v_i8m1(alpha + i, vl), (int8_t)c->alpha_zero_point, vl);
        const vint32m4_t positive = side_prelu_rvv(__riscv_vsext_vf2_i32m4(x, vl), c->positive, c->positive_shift, vl);
        const vint32m4_t negative = side_prelu_rvv(__riscv_vwmul_vv_i32m4(x, a, vl), c->negative, c->negative_shift, vl);
        const vint32m4_t both = __riscv_vmerge_vvm_i32m4(positive, negative, __riscv_vmslt_vx_i16m2_b8(x, 0, vl), vl);
        store_rvv(output + i, __riscv_vnclip_wx_i16m2(both, 0, __RISCV_VXRM_RNU, vl), c->zero_point, -128, 127, vl);
    }
}
