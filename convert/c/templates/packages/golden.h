// Golden inputs, as the network stores them, and what TFLite's reference kernels make of them.
#include "@{header}"

enum { GOLDEN_COUNT = @{count} };

static const int8_t golden_inputs[GOLDEN_COUNT][@{upper}_INPUT_SIZE] = {
@{inputs}
};

static const int8_t golden_outputs[GOLDEN_COUNT][@{upper}_CLASSES] = {
@{outputs}
};
