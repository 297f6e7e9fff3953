// memory-is-fine.c: a program with nothing wrong; its twins are all the programs here that have a warning.
// cc -O1 -pthread -o memory-is-fine memory-is-fine.c; usage: memory-is-fine [twin]
#define _GNU_SOURCE
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void ready(void) { printf("ready %d\n", getpid()); fflush(stdout); for (;;) pause(); }

int main(void) {
  for (int i = 0; i < 20000; i++) {
    size_t size = 64 + (i * 2654435761u >> 12) % 900;
    memset(malloc(size), 1, size);
  }
  ready();
}
