// Golden inputs and what TFLite's reference kernels make of them. Exit status 0: all equal. On a bare board define
// EDGECNN_NO_STDIO and call network_test().
#include "HEADER"

enum { COUNT = %(count)d };

static const int8_t inputs[COUNT][NAME_INPUT_SIZE] = {
%(inputs)s
};

static const int8_t outputs[COUNT][NAME_CLASSES] = {
%(outputs)s
};

// Returns how many outputs differ from what they should be.
int network_test(void) {
    int wrong = 0;
    for (int i = 0; i < COUNT; i++) {
        int8_t found[NAME_CLASSES];
        network_run(inputs[i], found);
        for (int o = 0; o < NAME_CLASSES; o++) wrong += found[o] != outputs[i][o];
    }
    return wrong;
}

#ifndef EDGECNN_NO_STDIO
#include <stdio.h>

int main(void) {
    const int wrong = network_test();
    printf("STEM: %%d of %%d outputs differ, kernels %%s\n", wrong, COUNT * NAME_CLASSES, network_kernels());
    return wrong != 0;
}
#endif
