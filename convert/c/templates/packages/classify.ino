// Classifies the golden inputs, and prints each label with the time that it took.
#include <@{header}>
#include <string.h>

#include "golden.h"

static int8_t output[@{upper}_CLASSES];

void setup() { Serial.begin(115200); }

void loop() {
  for (int i = 0; i < GOLDEN_COUNT; i++) {
    const unsigned long start = micros();
    @{lower}_run(golden_inputs[i], output);
    const unsigned long took = micros() - start;
    int best = 0;
    for (int o = 1; o < @{upper}_CLASSES; o++)
      if (output[o] > output[best]) best = o;
    Serial.print(@{lower}_is_known(output) ? @{lower}_labels[best] : "unknown");
    Serial.print(memcmp(output, golden_outputs[i], sizeof output) ? ", WRONG, " : ", right, ");
    Serial.print(took);
    Serial.println(" us");
  }
  delay(5000);
}
