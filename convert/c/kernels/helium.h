// Shared by the kernels for Helium, ARM's vectors for microcontrollers (Cortex-M55, M85). Where all is sums of products, loops
// are assembly: compilers do not know which registers go together.

// How sums of channels become outputs.
struct rescaling_helium { int32x4_t multiplier, right, least, most; int32_t zero_point; };

// As rescale() for |sum| < 2^30 and 0 < shift < 32, with the zero point added, clamped: vqrdmulh is the doubling high product,
// vrshl rounds half up, so that what is negative gets one less before it.
INLINE int32x4_t rescaled_helium(int32x4_t sum, const struct rescaling_helium *by) {
    const int32x4_t high = vqrdmulhq_s32(sum, by->multiplier);
    const int32x4_t outputs = vrshlq_s32(vaddq_s32(high, vshrq_n_s32(high, 31)), by->right);
    return vminq_s32(vmaxq_s32(vaddq_n_s32(outputs, by->zero_point), by->least), by->most);
}

INLINE void copy_helium(int8_t *to, const int8_t *from, int size) {
    __asm__ volatile("wlstp.8 lr, %[n], 2f\n"
                     "1:\n"
                     "vldrb.8 q0, [%[from]], #16\n"
                     "vstrb.8 q0, [%[to]], #16\n"
                     "letp lr, 1b\n"
                     "2:\n"
                     : [from] "+r"(from), [to] "+r"(to)
                     : [n] "r"(size)
                     : "q0", "lr", "cc", "memory");
}

INLINE void fill_helium(int8_t *to, int value, int size) {
    for (int i = 0; i < size; i += 16) vstrbq_p_s8(to + i, vdupq_n_s8((int8_t)value), vctp8q((uint32_t)(size - i)));
}

// Fills `to` with bytes `x` to `x + size` of an input's row, which are partly in its border; there may be no such row.
INLINE void copy_bordered_helium(const int8_t *row, int length, int x, int size, int zero_point, int8_t *to) {
    const int start = x < 0 ? -x : 0, end = length - x < size ? length - x : size;
    if (!row || start > 0 || end < size) fill_helium(to, zero_point, size);
    if (row && start < end) copy_helium(to + start, row + x + start, end - start);
}
