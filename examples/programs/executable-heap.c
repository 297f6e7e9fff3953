// executable-heap.c: an arena mapped while reading implies executing; the twin's is not.
// cc -O1 -pthread -o executable-heap executable-heap.c; usage: executable-heap [twin]
#define _GNU_SOURCE
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <pthread.h>
#include <sys/personality.h>
static void ready(void) { printf("ready %d\n", getpid()); fflush(stdout); for (;;) pause(); }

static void *worker(void *unused) {
  memset(malloc(100000), 1, 100000);
  ready();
  return unused;
}
int main(int argc, char **argv) {
  if (!(argc > 1 && !strcmp(argv[1], "twin"))) personality(READ_IMPLIES_EXEC);
  pthread_t thread;
  if (pthread_create(&thread, NULL, worker, NULL)) return 1;
  for (;;) pause();
}
