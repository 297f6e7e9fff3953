// size-class-dominates.c: objects of one size hold most of the memory; the twin has objects of many sizes.
// cc -O1 -pthread -o size-class-dominates size-class-dominates.c; usage: size-class-dominates [twin]
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
  for (int i = 0; i < 200000; i++) {
    size_t size = twin ? 64 + (i * 2654435761u >> 12) % 900 : 488;
    memset(malloc(size), 1, size);
  }
  ready();
}
