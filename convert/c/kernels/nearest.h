// A picture of another size, of the nearest pixels: `rows` and `columns` say where in the input they lie.
INLINE void nearest(const int8_t *input, int8_t *output, int height, int width, int channels, const int32_t *rows,
                    const int32_t *columns) {
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++, output += channels) memcpy(output, input + rows[y] + columns[x], (size_t)channels);
}
