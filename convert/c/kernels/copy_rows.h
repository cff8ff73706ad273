// A copy of rows of `size` bytes to an output where the next row begins `step` bytes further.
INLINE void copy_rows(const int8_t *input, int8_t *output, int rows, int size, int step) {
    for (int row = 0; row < rows; row++) memcpy(output + (ptrdiff_t)row * step, input + (ptrdiff_t)row * size, (size_t)size);
}
