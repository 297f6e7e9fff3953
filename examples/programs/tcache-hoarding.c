// tcache-hoarding.c: many threads, each with a full tcache; the twin's threads keep the same chunks in use.
// cc -O1 -pthread -o tcache-hoarding tcache-hoarding.c; usage: tcache-hoarding [twin]
#define _GNU_SOURCE
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <pthread.h>
#define THREADS 240
static pthread_barrier_t filled;
static int twin;
static void ready(void) { printf("ready %d\n", getpid()); fflush(stdout); for (;;) pause(); }

static void *worker(void *unused) {
  void *chunks[64][7];
  for (int size = 0; size < 64; size++)
    for (int i = 0; i < 7; i++) memset(chunks[size][i] = malloc(24 + 16 * size), 1, 24 + 16 * size);
  if (!twin) for (int size = 0; size < 64; size++) for (int i = 0; i < 7; i++) free(chunks[size][i]);
  pthread_barrier_wait(&filled);
  for (;;) pause();
  return unused;
}
int main(int argc, char **argv) {
  twin = argc > 1 && !strcmp(argv[1], "twin");
  pthread_barrier_init(&filled, NULL, THREADS + 1);
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 128 << 10);
  for (int i = 0; i < THREADS; i++) {
    pthread_t thread;
    if (pthread_create(&thread, &small, worker, NULL)) return 1;
  }
  pthread_barrier_wait(&filled);
  ready();
}
