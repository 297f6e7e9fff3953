// mmapped-near-limit.c: 240 mmapped chunks where M_MMAP_MAX is 256; the twin has the default limit.
// cc -O1 -pthread -o mmapped-near-limit mmapped-near-limit.c; usage: mmapped-near-limit [twin]
#define _GNU_SOURCE
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void ready(void) { printf("ready %d\n", getpid()); fflush(stdout); for (;;) pause(); }

int main(int argc, char **argv) {
  if (!(argc > 1 && !strcmp(argv[1], "twin"))) mallopt(M_MMAP_MAX, 256);
  mallopt(M_MMAP_THRESHOLD, 128 << 10);
  for (int i = 0; i < 240; i++) *(char *)malloc(256 << 10) = 1;
  ready();
}
