// As much of Arduino's core as the examples want.
#pragma once
#include <stddef.h>
#include <stdint.h>

unsigned long micros();
void delay(unsigned long milliseconds);
void setup();
void loop();

struct SerialOfTests {
  void begin(unsigned long) {}
  void print(const char *text);
  void print(unsigned long number);
  void println(const char *text) { print(text), print("\n"); }
};
extern SerialOfTests Serial;
