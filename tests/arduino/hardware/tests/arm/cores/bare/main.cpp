// Runs a sketch until it first waits; words go out by semihosting.
#include "Arduino.h"

extern uint32_t stack_top, data_from, data_start, data_end, bss_start, bss_end;
SerialOfTests Serial;

static int semihost(int operation, const void *argument) {
  register int r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

void SerialOfTests::print(const char *text) { semihost(0x04, text); }
void SerialOfTests::print(unsigned long number) {
  if (number > 9) print(number / 10);
  const char digit[2] = {char('0' + number % 10), 0};
  print(digit);
}

unsigned long micros() {
  static unsigned long calls;
  return ++calls;
}

void delay(unsigned long) {
  const uint32_t done[2] = {0x20026, 0};
  semihost(0x20, done);
  for (;;) {}
}

extern "C" void start() {
  for (uint32_t *to = &data_start, *from = &data_from; to < &data_end;) *to++ = *from++;
  for (uint32_t *to = &bss_start; to < &bss_end;) *to++ = 0;
  setup();
  for (;;) loop();
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {&stack_top, (void *)start, (void *)start, (void *)start};
