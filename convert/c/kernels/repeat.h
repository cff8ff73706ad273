// A copy of bytes, each of them so many times.
INLINE void repeat(const int8_t *input, int8_t *output, int size, int times) {
    for (int i = 0; i < size; i++, output += times)
        for (int t = 0; t < times; t++) output[t] = input[i];
}
