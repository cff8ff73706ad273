// Classifies the golden inputs, and prints each label with the time that it took.
#include <stdio.h>
#include <string.h>

#include "esp_timer.h"
#include "golden.h"

void app_main(void) {
    static int8_t output[@{upper}_CLASSES];
    for (int i = 0; i < GOLDEN_COUNT; i++) {
        const int64_t start = esp_timer_get_time();
        @{lower}_run(golden_inputs[i], output);
        const int took = (int)(esp_timer_get_time() - start);
        int best = 0;
        for (int o = 1; o < @{upper}_CLASSES; o++)
            if (output[o] > output[best]) best = o;
        const char *label = @{lower}_is_known(output) ? @{lower}_labels[best] : "unknown";
        printf("%s, %s, %d us\n", label, memcmp(output, golden_outputs[i], sizeof output) ? "WRONG" : "right", took);
    }
}
