// corruption.c: a string longer than its chunk runs over the next chunk's size; the twin's fits.
// cc -O1 -pthread -o corruption corruption.c; usage: corruption [twin]
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
  volatile char *text = malloc(40), *next = malloc(2000);
  next[0] = 1;
  for (int i = 0; i < (twin ? 40 : 46); i++) text[i] = 'A';
  ready();
}
