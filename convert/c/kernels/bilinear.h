// A picture of another size, of means of four pixels. Of each row and column of the output the tables hold where in the
// input the first of two lies, where the second, and how many of 1024 parts the latter has. Source: TFLite's reference kernel.
INLINE void bilinear(const int8_t *input, int8_t *output, int height, int width, int channels, const int32_t *rows,
                     const int32_t *columns) {
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int o = 0; o < channels; o++) {
                const int32_t *row = rows + 3 * y, *column = columns + 3 * x;
                const int8_t *top = input + row[0] + o, *bottom = input + row[1] + o;
                const int32_t upper = top[column[0]] * (1024 - column[2]) + top[column[1]] * column[2];
                const int32_t lower = bottom[column[0]] * (1024 - column[2]) + bottom[column[1]] * column[2];
                const int32_t sum = upper * (1024 - row[2]) + lower * row[2];
                *output++ = (int8_t)((sum + (sum > 0 ? 1 << 19 : -(1 << 19))) / (1 << 20));
            }
}
