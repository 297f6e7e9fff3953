// trimmable-free.c: whole free pages below a chunk that stays; the twin keeps them in use.
// cc -O1 -pthread -o trimmable-free trimmable-free.c; usage: trimmable-free [twin]
#define _GNU_SOURCE
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define COUNT 1600
static void *blocks[COUNT];
static void ready(void) { printf("ready %d\n", getpid()); fflush(stdout); for (;;) pause(); }

int main(int argc, char **argv) {
  int twin = argc > 1 && !strcmp(argv[1], "twin");
  for (int i = 0; i < COUNT; i++) memset(blocks[i] = malloc(60000), 1, 60000);
  void *last = malloc(2000); // holds the end of the heap
  memset(last, 1, 2000);
  if (!twin) for (int i = 0; i < COUNT; i++) free(blocks[i]);
  ready();
}
