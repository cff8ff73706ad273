// RISC-V vectors: channels, whose sums fit 16 bits for 256 pixels.
RVV INLINE void mean_rvv(const int8_t *input, int8_t *output, int pixels, int channels, int input_zero_point, int zero_point,
                         int32_t multiplier, int shift) {
    for (size_t channel = 0, vl; channel < (size_t)channels; channel += vl) {
        vl = __riscv_vsetvl_e8m1((size_t)channels - channel);
        vint32m4_t sum = __riscv_vmv_v_x_i32m4(-pixels * input_zero_point, vl);
        const int8_t *from = input + channel;
        for (int i = 0; i < pixels;) {
            vint16m2_t some = __riscv_vmv_v_x_i16m2(0, vl);
            for (const int last = i + 256 < pixels ? i + 256 : pixels; i < last; i++, from += channels)
                some = __riscv_vwadd_wv_i16m2(some, __riscv_vle8_v_i8m1(from, vl), vl);
            sum = __riscv_vwadd_wv_i32m4(sum, some, vl);
        }
        store_rvv(output + channel, rescale_rvv(sum, multiplier, shift, 0, vl), zero_point, -128, 127, vl);
    }
}
