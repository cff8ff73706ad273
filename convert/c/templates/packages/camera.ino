// Classifies a camera's picture: a grey frame becomes the network's input by the mean of the pixels under each of its own.
// Put your camera's driver where capture() is. A network of three channels gets the same grey in each.
#include <@{header}>

enum { FRAME_WIDTH = 160, FRAME_HEIGHT = 120 };  // as your camera has it

static uint8_t frame[FRAME_HEIGHT][FRAME_WIDTH];
static uint8_t pixels[@{upper}_INPUT_SIZE];

static bool capture() { return false; }  // fill `frame`, return true

static void scale() {
  for (int y = 0; y < @{upper}_HEIGHT; y++)
    for (int x = 0; x < @{upper}_WIDTH; x++) {
      const long top = (long)y * FRAME_HEIGHT / @{upper}_HEIGHT, left = (long)x * FRAME_WIDTH / @{upper}_WIDTH;
      long bottom = (long)(y + 1) * FRAME_HEIGHT / @{upper}_HEIGHT, right = (long)(x + 1) * FRAME_WIDTH / @{upper}_WIDTH;
      if (bottom == top) bottom++;
      if (right == left) right++;
      long sum = 0;
      for (long i = top; i < bottom; i++)
        for (long j = left; j < right; j++) sum += frame[i][j];
      const uint8_t mean = (uint8_t)(sum / ((bottom - top) * (right - left)));
      for (int c = 0; c < @{upper}_CHANNELS; c++) pixels[(y * @{upper}_WIDTH + x) * @{upper}_CHANNELS + c] = mean;
    }
}

void setup() { Serial.begin(115200); }

void loop() {
  if (!capture()) {
    Serial.println("no picture: write capture() for your camera");
    delay(1000);
    return;
  }
  scale();
  int8_t output[@{upper}_CLASSES];
  const int best = @{lower}_predict(pixels, output);
  Serial.println(@{lower}_is_known(output) ? @{lower}_labels[best] : "unknown");
}
