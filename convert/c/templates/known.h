
// A label's weight by its stored output: its probability, but for a factor, to the power of 1 / temperature.
static const float weights_of_outputs[256] = {
@{weights}
};

// The largest weight's share of all, beside the threshold of --reject.
int @{lower}_is_known(const int8_t *output) {
    const int8_t best = output[best_class(output)];
    const int first = @{first};
    float sum = 0.0f;
    for (int i = 0; i < @{upper}_CLASSES; i++) sum += weights_of_outputs[output[i] - first];
    return weights_of_outputs[best - first] >= @{threshold} * sum;
}
