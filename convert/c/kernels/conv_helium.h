// Two positions by four channels: 128 products by 16 instructions, whose 8 sums are all the registers that a sum can be in.
// What a kernel covers lies in one row of whole chunks of 16 bytes, put together once for all channels. The weights are as
// [channels / 4][chunks][4][16], zeros behind a kernel's end.
struct sums_helium { int32x4_t one, other; };

enum { CHUNK = 16, FOUR = 4 };  // bytes, channels

INLINE struct sums_helium sums_helium(const int8_t *weights, const int8_t *one, const int8_t *other, int chunks, const int32_t *bias) {
    int32_t a, b, c, d, e, f, g, h;
    struct sums_helium sum;
    __asm__("ldrd %[a], %[b], [%[n]]\n"
            "ldrd %[c], %[d], [%[n], #8]\n"
            "ldrd %[e], %[f], [%[n]]\n"
            "ldrd %[g], %[h], [%[n], #8]\n"
            "ldr %[n], %[chunks]\n"
            "1:\n"
            "vldrb.8 q0, [%[x]], #16\n"
            "vldrb.8 q2, [%[w]], #16\n"
            "vmladava.s8 %[a], q0, q2\n"
            "vldrb.8 q1, [%[y]], #16\n"
            "vmladava.s8 %[e], q1, q2\n"
            "vldrb.8 q3, [%[w]], #16\n"
            "vmladava.s8 %[b], q0, q3\n"
            "vldrb.8 q2, [%[w]], #16\n"
            "vmladava.s8 %[f], q1, q3\n"
            "vmladava.s8 %[c], q0, q2\n"
            "vldrb.8 q3, [%[w]], #16\n"
            "vmladava.s8 %[g], q1, q2\n"
            "vmladava.s8 %[d], q0, q3\n"
            "subs %[n], #1\n"
            "vmladava.s8 %[h], q1, q3\n"
            "bne 1b\n"
            "vmov %q[one][2], %q[one][0], %[a], %[c]\n"
            "vmov %q[one][3], %q[one][1], %[b], %[d]\n"
            "vmov %q[other][2], %q[other][0], %[e], %[g]\n"
            "vmov %q[other][3], %q[other][1], %[f], %[h]\n"
            : [a] "=&Te"(a), [b] "=&Te"(b), [c] "=&Te"(c), [d] "=&Te"(d), [e] "=&Te"(e), [f] "=&Te"(f), [g] "=&Te"(g), [h] "=&Te"(h),
              [w] "+r"(weights), [x] "+r"(one), [y] "+r"(other), [n] "+r"(bias), [one] "=w"(sum.one), [other] "=w"(sum.other)
            : [chunks] "m"(chunks)
            : "q0", "q1", "q2", "q3", "cc", "memory");
    return sum;
}

INLINE int chunks_helium(const struct conv *c) { return (c->kernel_height * 2 * c->pairs + CHUNK - 1) / CHUNK; }

// What a kernel covers from row y and byte x of the input on: where it lies, or a copy in one row.
INLINE const int8_t *covered_helium(const struct conv *c, const int8_t *input, int y, int x, int8_t *copy) {
    const int bytes = 2 * c->pairs, length = c->input_row, last = y + c->kernel_height;
    const int8_t *from = input + (ptrdiff_t)y * length;
    int8_t *to = copy;
    if (!c->padded || (y >= 0 && last <= c->input_height && x >= 0 && x + bytes <= length)) {
        if (c->kernel_height == 1) return from + x;
        for (from += x; y < last; y++, from += length, to += bytes) copy_helium(to, from, bytes);
    } else
        for (; y < last; y++, from += length, to += bytes)
            copy_bordered_helium(y >= 0 && y < c->input_height ? from : 0, length, x, bytes, c->input_zero_point, to);
    return copy;
}

// How the sums of four channels become outputs.
INLINE struct rescaling_helium rescaling_of_four(const struct conv *c, int o, int32x4_t least, int32x4_t most) {
    const int32x4_t right = vnegq_s32(vld1q_s32(c->shift + o));
    return (struct rescaling_helium){vld1q_s32(c->multiplier + o), right, least, most, c->zero_point};
}

// Two outputs, `other` perhaps the same as `one`.
static FAST void pair_helium(const struct conv *c, const int8_t *const at[2], int8_t *one, int8_t *other) {
    const int chunks = chunks_helium(c), channels = c->channels;
    const int32x4_t least = vdupq_n_s32(c->least), most = vdupq_n_s32(c->most);
    const int8_t *weights = c->weights;
    for (int o = 0; o < channels; o += FOUR, weights += chunks * FOUR * CHUNK) {
        const struct sums_helium sum = sums_helium(weights, at[0], at[1], chunks, c->bias + o);
        const struct rescaling_helium by = rescaling_of_four(c, o, least, most);
        const int32x4_t outputs = rescaled_helium(sum.one, &by), others = rescaled_helium(sum.other, &by);
        if (o + FOUR <= channels) vstrbq_s32(one + o, outputs), vstrbq_s32(other + o, others);
        else {
            const mve_pred16_t p = vctp32q((uint32_t)(channels - o));
            vstrbq_p_s32(one + o, outputs, p), vstrbq_p_s32(other + o, others, p);
        }
    }
}

// One output, the largest of two or four positions.
static FAST void pooled_helium(const struct conv *c, const int8_t *const at[4], int8_t *output) {
    const int chunks = chunks_helium(c), channels = c->channels, are_four = c->window > 2;
    const int32x4_t least = vdupq_n_s32(c->least), most = vdupq_n_s32(c->most);
    const int8_t *weights = c->weights;
    for (int o = 0; o < channels; o += FOUR, weights += chunks * FOUR * CHUNK) {
        struct sums_helium sum = sums_helium(weights, at[0], at[1], chunks, c->bias + o);
        int32x4_t largest = vmaxq_s32(sum.one, sum.other);
        if (are_four) {
            sum = sums_helium(weights, at[2], at[3], chunks, c->bias + o);
            largest = vmaxq_s32(largest, vmaxq_s32(sum.one, sum.other));
        }
        const struct rescaling_helium by = rescaling_of_four(c, o, least, most);
        const int32x4_t outputs = rescaled_helium(largest, &by);
        if (o + FOUR <= channels) vstrbq_s32(output + o, outputs);
        else vstrbq_p_s32(output + o, outputs, vctp32q((uint32_t)(channels - o)));
    }
}

// Inputs beyond the end are not read.
INLINE void dense_helium(const struct conv *c, const int8_t *input, int8_t *output) {
    const int8_t *weights = c->weights;
    for (int o = 0; o < c->channels; o += FOUR) {
        int32_t sums[FOUR] = {c->bias[o], c->bias[o + 1], c->bias[o + 2], c->bias[o + 3]};
        const int8_t *x = input;
        __asm__("dlstp.8 lr, %[n]\n"
                "1:\n"
                "vldrb.8 q0, [%[x]], #16\n"
                "vldrb.8 q1, [%[w]], #16\n"
                "vmladava.s8 %[a], q0, q1\n"
                "vldrb.8 q1, [%[w]], #16\n"
                "vmladava.s8 %[b], q0, q1\n"
                "vldrb.8 q1, [%[w]], #16\n"
                "vmladava.s8 %[c], q0, q1\n"
                "vldrb.8 q1, [%[w]], #16\n"
                "vmladava.s8 %[d], q0, q1\n"
                "letp lr, 1b\n"
                : [a] "+Te"(sums[0]), [b] "+Te"(sums[1]), [c] "+Te"(sums[2]), [d] "+Te"(sums[3]), [w] "+r"(weights), [x] "+r"(x)
                : [n] "r"(2 * c->pairs)
                : "q0", "q1", "lr", "cc", "memory");
        store_dense(c, sums, output, o, FOUR);
    }
}

static FAST void conv_helium(const struct conv *c, const int8_t *input, int8_t *output) {
    if (c->dense) {
        dense_helium(c, input, output);
        return;
    }
    const int down = c->step_y / c->row, room = chunks_helium(c) * CHUNK, outputs = c->height * c->width;
    const int8_t *at[4];
    int rows[4], bytes[4], held = 0;  // an output that waits for its neighbour
    for (int p = 0; p < c->window; p++) {
        rows[p] = p / c->window_across * (c->position_y / c->row) - c->top;
        bytes[p] = p % c->window_across * c->position_x - c->left;
    }
    for (int n = 0, y = 0, x = 0; n < outputs; n++) {
        for (int p = 0; p < c->window; p++)
            at[held + p] = covered_helium(c, input, y * down + rows[p], x * c->step_x + bytes[p], scratch + (held + p) * room);
        if (++x == c->width) x = 0, y++;
        if (c->window == 1 && !held && n + 1 < outputs) {
            held = 1;
            continue;
        }
        for (int p = held + c->window; p < 4; p++) at[p] = at[p - 1];
        if (c->window > 1) pooled_helium(c, at, output);
        else pair_helium(c, at, output, output + held * c->channels);
        output += (held + 1) * c->channels;
        held = 0;
    }
}
