// A copy with a border of one value around it.
INLINE void fill(int8_t *output, int size, int8_t value) {
    int8_t some[16];
    for (int i = 0; i < 16; i++) {
        some[i] = value;
        __asm__ volatile("" ::: "memory");  // keeps it a loop: there may be no memset
    }
    for (; size >= 16; size -= 16, output += 16) memcpy(output, some, 16);
    for (int i = 0; i < size; i++) {
        output[i] = value;
        __asm__ volatile("" ::: "memory");
    }
}

INLINE void pad(const int8_t *input, int8_t *output, int height, int row, int top, int bottom, int left, int right, int8_t value) {
    const int padded = left + row + right;
    fill(output, top * padded, value);
    for (int y = 0; y < height; y++) {
        int8_t *to = output + (ptrdiff_t)(top + y) * padded;
        fill(to, left, value);
        memcpy(to + left, input + (ptrdiff_t)y * row, (size_t)row);
        fill(to + left + row, right, value);
    }
    fill(output + (ptrdiff_t)(top + height) * padded, bottom * padded, value);
}
