// Classifies the golden inputs, and prints each label with the time that it took.
#include <string.h>
#include <zephyr/kernel.h>

#include "golden.h"

int main(void) {
    static int8_t output[@{upper}_CLASSES];
    for (int i = 0; i < GOLDEN_COUNT; i++) {
        const uint32_t start = k_cycle_get_32();
        @{lower}_run(golden_inputs[i], output);
        const uint32_t took = k_cyc_to_us_floor32(k_cycle_get_32() - start);
        int best = 0;
        for (int o = 1; o < @{upper}_CLASSES; o++)
            if (output[o] > output[best]) best = o;
        const char *label = @{lower}_is_known(output) ? @{lower}_labels[best] : "unknown";
        printk("%s, %s, %u us\n", label, memcmp(output, golden_outputs[i], sizeof output) ? "WRONG" : "right", took);
    }
    return 0;
}
