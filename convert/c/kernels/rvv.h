// Shared by the kernels for RISC-V vectors, which are as long as the CPU has them: `lanes` bytes fill one register, their
// sums of 32 bits four. vsmul is the doubling high product, vnclip the rounding shift, but half up: what is negative gets one
// less before it, unless a ReLU takes it to zero anyhow.
enum { MOST_LANES = 64 };  // at once, on CPUs that have more too

RVV INLINE int lanes_rvv(void) {
    const size_t all = __riscv_vsetvlmax_e8m1();
    return all < MOST_LANES ? (int)all : MOST_LANES;
}

// The lanes of what is left.
INLINE size_t some_lanes(int left, int lanes) { return (size_t)(left < lanes ? left : lanes); }

RVV INLINE vint32m4_t half_away_rvv(vint32m4_t x, size_t vl) {
    return __riscv_vadd_vv_i32m4(x, __riscv_vsra_vx_i32m4(x, 31, vl), vl);
}

// Adds the zero point, clamps and stores.
RVV INLINE void store_rvv(int8_t *to, vint16m2_t words, int zero_point, int least, int most, size_t vl) {
    const vint16m2_t moved = __riscv_vsadd_vx_i16m2(words, (int16_t)zero_point, vl);
    vint8m1_t bytes = __riscv_vnclip_wx_i8m1(moved, 0, __RISCV_VXRM_RNU, vl);
    if (least > -128) bytes = __riscv_vmax_vx_i8m1(bytes, (int8_t)least, vl);
    if (most < 127) bytes = __riscv_vmin_vx_i8m1(bytes, (int8_t)most, vl);
    __riscv_vse8_v_i8m1(to, bytes, vl);
}

// Sums of the same scale.
RVV INLINE vint16m2_t rescale_rvv(vint32m4_t x, int32_t multiplier, int shift, int is_relu, size_t vl) {
    x = __riscv_vsmul_vx_i32m4(x, multiplier, __RISCV_VXRM_RNU, vl);
    if (!is_relu && shift) x = half_away_rvv(x, vl);
    return __riscv_vnclip_wx_i16m2(x, (size_t)shift, __RISCV_VXRM_RNU, vl);
}

// Sums with a scale each.
RVV INLINE vint16m2_t rescale_each_rvv(vint32m4_t x, const int32_t *multiplier, const int32_t *shift, int is_relu,
                                       size_t vl) {
    const vint16m2_t words = __riscv_vncvt_x_x_w_i16m2(__riscv_vle32_v_i32m4(shift, vl), vl);
    x = __riscv_vsmul_vv_i32m4(x, __riscv_vle32_v_i32m4(multiplier, vl), __RISCV_VXRM_RNU, vl);
    if (!is_relu) x = half_away_rvv(x, vl);
    return __riscv_vnclip_wv_i16m2(x, __riscv_vreinterpret_v_i16m2_u16m2(words), __RISCV_VXRM_RNU, vl);
}
