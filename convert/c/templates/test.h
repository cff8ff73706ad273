// Golden inputs and what TFLite's reference kernels make of them. Exit status 0: all equal. On a bare board define
// EDGECNN_NO_STDIO and call @{lower}_test().
#include "@{header}"

enum { COUNT = @{count} };

static const int8_t inputs[COUNT][@{upper}_INPUT_SIZE] = {
@{inputs}
};

static const int8_t outputs[COUNT][@{upper}_CLASSES] = {
@{outputs}
};

// Returns how many outputs differ from what they should be.
int @{lower}_test(void) {
    int wrong = 0;
    for (int i = 0; i < COUNT; i++) {
        int8_t found[@{upper}_CLASSES];
        @{lower}_run(inputs[i], found);
        for (int o = 0; o < @{upper}_CLASSES; o++) wrong += found[o] != outputs[i][o];
#if defined EDGECNN_POOL
        for (int threads = 2; threads < 6; threads++) {
            @{lower}_run_on(threads, inputs[i], found);
            for (int o = 0; o < @{upper}_CLASSES; o++) wrong += found[o] != outputs[i][o];
        }
#endif
    }
    return wrong;
}

#ifndef EDGECNN_NO_STDIO
#include <stdio.h>

int main(void) {
    const int wrong = @{lower}_test();
    printf("@{lower}: %d of %d outputs differ, kernels %s\n", wrong, COUNT * @{upper}_CLASSES, @{lower}_kernels());
    return wrong != 0;
}
#endif
