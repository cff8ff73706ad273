// Sixteen channels at a time, all in registers. Two products of bytes fit 16 bits; widening takes even and odd lanes apart, so
// that q0 to q3 hold the sums of every fourth channel.
#define LOAD_FOUR(registers, from)                        \
    "vld40.32 {" registers "}, [" from "]\n"              \
    "vld41.32 {" registers "}, [" from "]\n"              \
    "vld42.32 {" registers "}, [" from "]\n"              \
    "vld43.32 {" registers "}, [" from "]\n"
#define WIDEN_INTO(even, odd, halves)                     \
    "vmovlb.s16 q5, " halves "\n"                         \
    "vadd.i32 " even ", " even ", q5\n"                   \
    "vmovlt.s16 " halves ", " halves "\n"                 \
    "vadd.i32 " odd ", " odd ", " halves "\n"
#define HIGH_PRODUCT(sum, multiplier)                     \
    "vqrdmulh.s32 " sum ", " sum ", " multiplier "\n"     \
    "vshr.s32 " multiplier ", " sum ", #31\n"             \
    "vadd.i32 " sum ", " sum ", " multiplier "\n"
#define SHIFT_RIGHT(sum, shift)                           \
    "vneg.s32 " shift ", " shift "\n"                     \
    "vrshl.s32 " sum ", " sum ", " shift "\n"

INLINE int8x16_t sixteen_helium(const struct depthwise *c, const int8_t *const *at, int o) {
    register int8x16_t outputs __asm__("q0");
    const int8_t *weights = c->weights + o, *one, *other;
    int taps = c->kernel_height * c->kernel_width;
    __asm__(LOAD_FOUR("q0, q1, q2, q3", "%[bias]")
            "lsrs %[taps], %[taps], #1\n"
            "bcc 1f\n"
            "ldr %[one], [%[at]], #4\n"  // of an odd number one by itself
            "add %[one], %[o]\n"
            "vldrb.8 q4, [%[one]]\n"
            "vldrb.8 q5, [%[w]]\n"
            "add %[w], %[channels]\n"
            "vmullt.s8 q6, q4, q5\n"
            "vmullb.s8 q4, q4, q5\n"
            WIDEN_INTO("q0", "q2", "q4") WIDEN_INTO("q1", "q3", "q6")
            "1:\n"
            "wls lr, %[taps], 3f\n"
            "2:\n"
            "ldrd %[one], %[other], [%[at]], #8\n"
            "add %[one], %[o]\n"
            "vldrb.8 q4, [%[one]]\n"
            "vldrb.8 q5, [%[w]]\n"
            "vmullt.s8 q6, q4, q5\n"
            "add %[w], %[channels]\n"
            "vmullb.s8 q4, q4, q5\n"
            "add %[other], %[o]\n"
            "vldrb.8 q5, [%[other]]\n"
            "vldrb.8 q7, [%[w]]\n"
            "vmullb.s8 q5, q5, q7\n"
            "vadd.i16 q4, q4, q5\n"
            "vldrb.8 q5, [%[other]]\n"  // once more: there is no other register
            "vmullt.s8 q5, q5, q7\n"
            "vadd.i16 q6, q6, q5\n"
            "add %[w], %[channels]\n"
            WIDEN_INTO("q0", "q2", "q4") WIDEN_INTO("q1", "q3", "q6")
            "le lr, 2b\n"
            "3:\n"
            LOAD_FOUR("q4, q5, q6, q7", "%[multiplier]")
            HIGH_PRODUCT("q0", "q4") HIGH_PRODUCT("q1", "q5") HIGH_PRODUCT("q2", "q6") HIGH_PRODUCT("q3", "q7")
            LOAD_FOUR("q4, q5, q6, q7", "%[shift]")
            SHIFT_RIGHT("q0", "q4") SHIFT_RIGHT("q1", "q5") SHIFT_RIGHT("q2", "q6") SHIFT_RIGHT("q3", "q7")
            "vqmovnb.s32 q0, q0\n"
            "vqmovnt.s32 q0, q2\n"
            "vqmovnb.s32 q1, q1\n"
            "vqmovnt.s32 q1, q3\n"
            "vqadd.s16 q0, q0, %[zero_point]\n"
            "vqadd.s16 q1, q1, %[zero_point]\n"
            "vqmovnb.s16 q0, q0\n"
            "vqmovnt.s16 q0, q1\n"
            : [outputs] "=w"(outputs), [taps] "+r"(taps), [w] "+r"(weights), [at] "+r"(at), [one] "=&r"(one), [other] "=&r"(other)
            : [bias] "r"(c->bias + o), [multiplier] "r"(c->multiplier + o), [shift] "r"(c->shift + o), [o] "r"(o),
              [channels] "r"(c->channels), [zero_point] "r"(c->zero_point)
            : "q1", "q2", "q3", "q4", "q5", "q6", "q7", "lr", "cc", "memory");
    return outputs;
}

// Where the taps of a window are; those in the border are all at the same zero points.
INLINE void find_taps_helium(const struct depthwise *c, const int8_t *input, int y, int x, const int8_t *border, const int8_t **at) {
    for (int i = y; i < y + c->kernel_height; i++)
        for (int j = x; j < x + c->kernel_width; j++) {
            const int is_inside = i >= 0 && i < c->input_height && j >= 0 && j < c->input_width;
            *at++ = is_inside ? input + ((ptrdiff_t)i * c->input_width + j) * c->channels : border;
        }
}

static FAST void depthwise_helium(const struct depthwise *c, const int8_t *input, int8_t *output) {
    const int8_t *at[64];
    fill_helium(scratch, c->input_zero_point, (c->channels + 15) / 16 * 16);
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++, output += c->channels) {
            find_taps_helium(c, input, y * c->stride_y - c->top, x * c->stride_x - c->left, scratch, at);
            for (int o = 0; o < c->channels; o += 16) {
                const int8x16_t most = vminq_s8(sixteen_helium(c, at, o), vdupq_n_s8((int8_t)c->most));
                const int8x16_t outputs = vmaxq_s8(most, vdupq_n_s8((int8_t)c->least));
                vstrbq_p_s8(output + o, outputs, vctp8q((uint32_t)(c->channels - o)));
            }
        }
}
