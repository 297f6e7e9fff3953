// anonymous-dominates.c: memory that the program maps itself; the twin asks malloc for it.
// cc -O1 -pthread -o anonymous-dominates anonymous-dominates.c; usage: anonymous-dominates [twin]
#define _GNU_SOURCE
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#define BYTES (12 << 20)
static void ready(void) { printf("ready %d\n", getpid()); fflush(stdout); for (;;) pause(); }

int main(int argc, char **argv) {
  int twin = argc > 1 && !strcmp(argv[1], "twin");
  for (int i = 0; i < 8; i++) {
    char *pool = twin ? malloc(BYTES) : mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!twin) mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); // keeps the pools apart
    memset(pool, 1, BYTES);
  }
  ready();
}
