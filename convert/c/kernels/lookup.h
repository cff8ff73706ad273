// Each value by a table of what every int8 becomes.
INLINE void lookup(const int8_t *input, int8_t *output, int size, const int8_t table[256]) {
    for (int i = 0; i < size; i++) output[i] = table[input[i] + 128];
}
