// RISC-V vectors: channels. The sum of up to 255 bytes and half their count fit 16 bits.
RVV INLINE vint8m1_t average_rvv(const int8_t *from, int row, int channels, int rows, int columns, size_t vl) {
    const int count = rows * columns;
    vint16m2_t sum = __riscv_vmv_v_x_i16m2(0, vl);
    for (int i = 0; i < rows; i++, from += row)
        for (int j = 0; j < columns; j++)
            sum = __riscv_vwadd_wv_i16m2(sum, __riscv_vle8_v_i8m1(from + (ptrdiff_t)j * channels, vl), vl);
    const vint16m2_t sign = __riscv_vsra_vx_i16m2(sum, 15, vl);
    const vint16m2_t half = __riscv_vsub_vv_i16m2(__riscv_vxor_vx_i16m2(sign, (int16_t)(count / 2), vl), sign, vl);
    const vint16m2_t rounded = __riscv_vadd_vv_i16m2(sum, half, vl);
    return __riscv_vncvt_x_x_w_i8m1(__riscv_vdiv_vx_i16m2(rounded, (int16_t)count, vl), vl);
}

RVV INLINE vint8m1_t maximum_rvv(const int8_t *from, int row, int channels, int rows, int columns, size_t vl) {
    vint8m1_t best = __riscv_vmv_v_x_i8m1(-128, vl);
    for (int i = 0; i < rows; i++, from += row)
        for (int j = 0; j < columns; j++)
            best = __riscv_vmax_vv_i8m1(best, __riscv_vle8_v_i8m1(from + (ptrdiff_t)j * channels, vl), vl);
    return best;
}

RVV INLINE void pool_rvv(const struct pool *c, const int8_t *input, int8_t *output, int is_average) {
    const int row = c->input_width * c->channels;
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++, output += c->channels) {
            const struct window window = window_of(c, y, x);
            const int8_t *from = input + window.start;
            for (size_t channel = 0, vl; channel < (size_t)c->channels; channel += vl) {
                vl = __riscv_vsetvl_e8m1((size_t)c->channels - channel);
                const vint8m1_t best = is_average ? average_rvv(from + channel, row, c->channels, window.rows, window.columns, vl)
                                                  : maximum_rvv(from + channel, row, c->channels, window.rows, window.columns, vl);
                const vint8m1_t least = __riscv_vmax_vx_i8m1(best, (int8_t)c->least, vl);
                __riscv_vse8_v_i8m1(output + channel, __riscv_vmin_vx_i8m1(least, (int8_t)c->most, vl), vl);
            }
        }
}
