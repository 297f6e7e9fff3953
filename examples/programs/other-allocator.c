// other-allocator.c: allocates a little; run it with LD_PRELOAD of another malloc, and without: that is the twin.
// cc -O1 -pthread -o other-allocator other-allocator.c; usage: other-allocator [twin]
#define _GNU_SOURCE
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void ready(void) { printf("ready %d\n", getpid()); fflush(stdout); for (;;) pause(); }

int main(void) {
  for (int i = 0; i < 1000; i++) memset(malloc(1000), 1, 1000);
  ready();
}
