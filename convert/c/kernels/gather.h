// A copy of a part of a value, or of all of it in another order: `sides` of the output, `steps` in the input.
INLINE void gather(const int8_t *input, int8_t *output, const int sides[5], const int steps[5]) {
    for (int a = 0; a < sides[0]; a++)
        for (int b = 0; b < sides[1]; b++)
            for (int c = 0; c < sides[2]; c++)
                for (int d = 0; d < sides[3]; d++)
                    for (int e = 0; e < sides[4]; e++)
                        *output++ = input[a * steps[0] + b * steps[1] + c * steps[2] + d * steps[3] + e * steps[4]];
}
