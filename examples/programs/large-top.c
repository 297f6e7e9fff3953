// large-top.c: a freed block of 32 MiB raises the thresholds, and top stays; the twin has no such block.
// cc -O1 -pthread -o large-top large-top.c; usage: large-top [twin]
#define _GNU_SOURCE
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define COUNT 560
static void *blocks[COUNT];
static void ready(void) { printf("ready %d\n", getpid()); fflush(stdout); for (;;) pause(); }

int main(int argc, char **argv) {
  int twin = argc > 1 && !strcmp(argv[1], "twin");
  char *volatile large = malloc((32 << 20) - 8192);
  if (!twin) free(large); // M_MMAP_THRESHOLD follows its size, M_TRIM_THRESHOLD twice that
  for (int i = 0; i < COUNT; i++) memset(blocks[i] = malloc(100000), 1, 100000);
  for (int i = 0; i < COUNT; i++) free(blocks[i]);
  ready();
}
