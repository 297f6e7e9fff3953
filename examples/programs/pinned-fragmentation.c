// pinned-fragmentation.c: small chunks that stay hold the pages of those that went; the twin frees those that stay, too.
// cc -O1 -pthread -o pinned-fragmentation pinned-fragmentation.c; usage: pinned-fragmentation [twin]
#define _GNU_SOURCE
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define COUNT 400000
static void *kept[COUNT];
static void ready(void) { printf("ready %d\n", getpid()); fflush(stdout); for (;;) pause(); }

int main(int argc, char **argv) {
  int twin = argc > 1 && !strcmp(argv[1], "twin");
  setvbuf(stdout, NULL, _IONBF, 0);
  // Each 16th chunk of 256 bytes stays: one in every page.
  for (int i = 0; i < COUNT; i++) memset(kept[i] = malloc(240), 1, 240);
  for (int i = 0; i < COUNT; i++) if (i % 16 || twin) free(kept[i]);
  ready();
}
