// cpu-quota.c: 16 arenas in a process that may use one CPU of several; the twin keeps to M_ARENA_MAX.
// cc -O1 -pthread -o cpu-quota cpu-quota.c; usage: cpu-quota [twin]
#define _GNU_SOURCE
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <pthread.h>
#include <sched.h>
#define THREADS 16
#define COUNT 200
static pthread_barrier_t started;
static pthread_barrier_t done;
static void ready(void) { printf("ready %d\n", getpid()); fflush(stdout); for (;;) pause(); }

static void *worker(void *unused) {
  void *blocks[COUNT];
  memset(malloc(100), 1, 100);
  pthread_barrier_wait(&started); // an arena for each
  for (int i = 0; i < COUNT; i++) memset(blocks[i] = malloc(16000), 1, 16000);
  for (int i = 0; i < COUNT; i += 2) free(blocks[i]);
  pthread_barrier_wait(&done);
  for (;;) pause();
  return unused;
}
int main(int argc, char **argv) {
  if (argc > 1 && !strcmp(argv[1], "twin")) mallopt(M_ARENA_MAX, 4);
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(0, &one);
  if (sched_setaffinity(0, sizeof one, &one)) return 1;
  pthread_barrier_init(&started, NULL, THREADS);
  pthread_barrier_init(&done, NULL, THREADS + 1);
  for (int i = 0; i < THREADS; i++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, worker, NULL)) return 1;
  }
  pthread_barrier_wait(&done);
  ready();
}
