INLINE void minimum(const int8_t *one, const int8_t *other, int8_t *output, int size) {
    for (int i = 0; i < size; i++) output[i] = one[i] < other[i] ? one[i] : other[i];
}
