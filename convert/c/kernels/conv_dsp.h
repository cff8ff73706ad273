// Two channels by two positions: 16 products by 18 instructions, 12 registers. Two positions are expanded once for all channels:
// for each group the even halves of both, then the odd ones.
struct sums_dsp { int32_t a, b, c, d; };  // of the first channel at both positions, of the second

// The loop: `load` puts weights of both channels into v0 and v1, and the even halves of both positions into x0 and x1.
#define SUM_PRODUCTS_DSP(load)                                                                                                 \
    __asm__("1:\n" load                                                                                                        \
            "sxtb16 %[half], %[v0]\n"                                                                                          \
            "smlad %[a], %[half], %[x0], %[a]\n"                                                                               \
            "smlad %[b], %[half], %[x1], %[b]\n"                                                                               \
            "sxtb16 %[half], %[v1]\n"                                                                                          \
            "smlad %[c], %[half], %[x0], %[c]\n"                                                                               \
            "smlad %[d], %[half], %[x1], %[d]\n"                                                                               \
            "ldrd %[x0], %[x1], [%[x]], #8\n"                                                                                  \
            "sxtb16 %[v0], %[v0], ror #8\n"                                                                                    \
            "smlad %[a], %[v0], %[x0], %[a]\n"                                                                                 \
            "smlad %[b], %[v0], %[x1], %[b]\n"                                                                                 \
            "sxtb16 %[v1], %[v1], ror #8\n"                                                                                    \
            "smlad %[c], %[v1], %[x0], %[c]\n"                                                                                 \
            "smlad %[d], %[v1], %[x1], %[d]\n"                                                                                 \
            "cmp %[x], %[stop]\n"                                                                                              \
            "bne 1b\n"                                                                                                         \
            : [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d), [v] "+r"(weights), [x] "+r"(columns), [v0] "=&r"(v0),        \
              [v1] "=&r"(v1), [x0] "=&r"(x0), [x1] "=&r"(x1), [half] "=&r"(half)                                               \
            : [stop] "r"(stop)                                                                                                 \
            : "cc", "memory")

INLINE struct sums_dsp sums_dsp(const int8_t *weights, const int32_t *columns, int groups, const int32_t *bias) {
    int32_t a = bias[0], b = a, c = bias[1], d = c, v0, v1, x0, x1, half;
    const int32_t *const stop = columns + 4 * groups;
    SUM_PRODUCTS_DSP("ldr %[v1], [%[v], #4]\n"
                     "ldr %[v0], [%[v]], #64\n"  // BLOCK * GROUP
                     "ldrd %[x0], %[x1], [%[x]], #8\n");
    return (struct sums_dsp){a, b, c, d};
}

#if defined FOUR_BITS
// The same of weights of 4 bits, by 19 instructions: of each word its bytes, then 16 times their lower halves.
static FAST struct sums_dsp packed_sums_dsp(const int8_t *weights, const int32_t *columns, int groups, const int32_t *bias) {
    int32_t a = 0, b = 0, c = 0, d = 0, v0, v1, x0, x1, half;
    const int32_t *const stop = columns + 4 * groups;
    SUM_PRODUCTS_DSP("ldr %[v0], [%[v]], #8\n"  // 2 * GROUP
                     "ldrd %[x0], %[x1], [%[x]], #8\n"
                     "lsl %[v1], %[v0], #4\n"
                     "and %[v1], %[v1], #0xf0f0f0f0\n");
    separate(&a, &c), separate(&b, &d);
    return (struct sums_dsp){a + bias[0], b + bias[0], c + bias[1], d + bias[1]};
}
#endif

INLINE int32_t larger(int32_t a, int32_t b) { return a > b ? a : b; }

// The bytes of a kernel's row that begins in row y at byte x of the input with its border.
INLINE const int8_t *row_dsp(const struct conv *c, const int8_t *input, int y, int x, int8_t *copy) {
    if (!c->padded) return input + (ptrdiff_t)y * c->row + x;
    y -= c->top, x -= c->left;
    const int8_t *const row = y >= 0 && y < c->input_height ? input + (ptrdiff_t)y * c->input_row : 0;
    if (row && x >= 0 && x + 2 * c->pairs <= c->input_row) return row + x;
    copy_bordered(row, c->input_row, x, c->groups * GROUP, c->input_zero_point, copy);
    return copy;
}

INLINE void expand_dsp(const struct conv *c, const int8_t *input, const int y[2], const int x[2], int32_t *to) {
    int8_t *const copy = scratch;
    for (int i = 0; i < c->kernel_height; i++) {
        const int8_t *u = row_dsp(c, input, y[0] + i, x[0], copy);
        const int8_t *v = row_dsp(c, input, y[1] + i, x[1], copy + c->groups * GROUP);
        for (int k = c->groups; k; k--, to += 4, u += GROUP, v += GROUP) {
            const int32_t one = word_at(u), other = word_at(v);
            to[0] = even(one), to[1] = even(other), to[2] = odd(one), to[3] = odd(other);
        }
    }
}

// The weights of channels `o` and `o + 1`.
INLINE const int8_t *weights_dsp(const struct conv *c, int o, int groups) {
    return c->weights + (ptrdiff_t)(o / BLOCK) * groups * BLOCK * GROUP + o % BLOCK * GROUP;
}

// The sums of channels `o` and `o + 1`, over all `n` groups of a kernel.
INLINE struct sums_dsp sums_at(const struct conv *c, int o, const int32_t *columns, int n) {
#if defined FOUR_BITS
    if (c->packed_weights) return packed_sums_dsp(packed_at(c, o) + o % GROUP * 2, columns, n, c->bias + o);
#endif
    return sums_dsp(weights_dsp(c, o, n), columns, n, c->bias + o);
}

// Two outputs, one behind the other.
static FAST void pair_dsp(const struct conv *c, const int32_t *columns, int8_t *to) {
    const int n = c->kernel_height * c->groups, channels = c->channels, zero = c->zero_point;
    const int32_t *multiplier = c->multiplier, *shift = c->shift;
    for (int o = 0; o < channels; o += 2, to += 2) {
        const struct sums_dsp sum = sums_at(c, o, columns, n);
        int32_t m = *multiplier++;
        int s = *shift++;
        to[0] = rescaled_dsp(sum.a, m, s, zero), to[channels] = rescaled_dsp(sum.b, m, s, zero);
        m = *multiplier++, s = *shift++;
        if (o + 1 == channels) break;
        to[1] = rescaled_dsp(sum.c, m, s, zero), to[channels + 1] = rescaled_dsp(sum.d, m, s, zero);
    }
}

// One output: of one position, or the largest of a window's, two by two.
static FAST void pooled_dsp(const struct conv *c, const int32_t *columns, int pairs, int8_t *to) {
    const int n = c->kernel_height * c->groups, channels = c->channels, zero = c->zero_point;
    const int32_t *multiplier = c->multiplier, *shift = c->shift;
    for (int o = 0; o < channels; o += 2, multiplier += 2, shift += 2, to += 2) {
        struct sums_dsp sum = sums_at(c, o, columns, n);
        int32_t one = larger(sum.a, sum.b), two = larger(sum.c, sum.d);
        if (pairs > 1) {
            sum = sums_at(c, o, columns + 4 * n, n);
            one = larger(one, larger(sum.a, sum.b)), two = larger(two, larger(sum.c, sum.d));
        }
        to[0] = rescaled_dsp(one, multiplier[0], shift[0], zero);
        if (o + 1 < channels) to[1] = rescaled_dsp(two, multiplier[1], shift[1], zero);
    }
}

#if defined FOUR_BITS
INLINE void packed_dense_dsp(const struct conv *c, const int8_t *input, int8_t *output) {
    for (int o = 0; o < c->channels; o += 2) {
        int32_t sums[2] = {0, 0};
        const int8_t *w = packed_at(c, o) + o % GROUP * 2, *x = input;
        for (int k = c->groups; k; k--, w += 2 * GROUP, x += GROUP) {
            const int32_t v = word_at(w), lower = (int32_t)((uint32_t)v << 4 & 0xf0f0f0f0), one = word_at(x);
            const int32_t low = even(one), high = odd(one);
            sums[0] = both_products(odd(v), high, both_products(even(v), low, sums[0]));
            sums[1] = both_products(odd(lower), high, both_products(even(lower), low, sums[1]));
        }
        separate(sums, sums + 1);
        sums[0] += c->bias[o], sums[1] += c->bias[o + 1];
        store_dense(c, sums, output, o, 2);
    }
}
#endif

INLINE void dense_dsp(const struct conv *c, const int8_t *input, int8_t *output) {
#if defined FOUR_BITS
    if (c->packed_weights) {
        packed_dense_dsp(c, input, output);
        return;
    }
#endif
    for (int o = 0; o < c->channels; o += 2) {
        int32_t sums[2] = {c->bias[o], c->bias[o + 1]};
        const int8_t *w = weights_dsp(c, o, c->groups), *x = input;
        for (int k = c->groups; k; k--, w += BLOCK * GROUP, x += GROUP) {
            const int32_t v0 = word_at(w), v1 = word_at(w + GROUP), one = word_at(x), low = even(one), high = odd(one);
            sums[0] = both_products(odd(v0), high, both_products(even(v0), low, sums[0]));
            sums[1] = both_products(odd(v1), high, both_products(even(v1), low, sums[1]));
        }
        store_dense(c, sums, output, o, 2);
    }
}

static FAST void conv_dsp(const struct conv *c, const int8_t *input, int8_t *output) {
    if (c->dense) {
        dense_dsp(c, input, output);
        return;
    }
    const int down = c->step_y / c->row, n = c->kernel_height * c->groups, pairs = (c->window + 1) / 2;
    int32_t *const columns = (int32_t *)(void *)(scratch + 2 * c->groups * GROUP);
    int rows[4], bytes[4];  // of a window's positions, in whole pairs
    for (int p = 0; p < 2 * pairs; p++) {
        const int within = p < c->window ? p : p - 1;
        rows[p] = within / c->window_across * (c->position_y / c->row), bytes[p] = within % c->window_across * c->position_x;
    }
    int8_t *to = output;
    for (int left = c->height * c->width, y = 0, x = 0; left > 0; to += c->channels) {
        const int is_pair = c->window == 1 && left > 1, first = y * down, from = x * c->step_x;
        if (++x == c->width) x = 0, y++;
        if (is_pair) {
            expand_dsp(c, input, (const int[]){first, y * down}, (const int[]){from, x * c->step_x}, columns);
            pair_dsp(c, columns, to);
            if (++x == c->width) x = 0, y++;
            to += c->channels, left -= 2;
            continue;
        }
        for (int q = 0; q < pairs; q++) {
            const int *const row = rows + 2 * q, *const byte = bytes + 2 * q;
            expand_dsp(c, input, (const int[]){first + row[0], first + row[1]}, (const int[]){from + byte[0], from + byte[1]},
                       columns + (ptrdiff_t)4 * n * q);
        }
        pooled_dsp(c, columns, pairs, to);
        left--;
    }
    clamp_outputs(output, c->height * c->width * c->channels, c->least, c->most);
}
