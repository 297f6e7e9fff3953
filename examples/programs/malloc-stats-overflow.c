// malloc-stats-overflow.c: more than 4 GiB of address space, hardly any of it touched; the twin has less.
// cc -O1 -pthread -o malloc-stats-overflow malloc-stats-overflow.c; usage: malloc-stats-overflow [twin]
#define _GNU_SOURCE
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void ready(void) { printf("ready %d\n", getpid()); fflush(stdout); for (;;) pause(); }

int main(int argc, char **argv) {
  int twin = argc > 1 && !strcmp(argv[1], "twin");
  for (int i = 0; i < (twin ? 1 : 5); i++) *(char *)malloc((size_t)1 << 30) = 1;
  ready();
}
