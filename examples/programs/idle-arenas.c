// idle-arenas.c: threads that ended left their memory in arenas that nobody uses; the twin's threads go on with it in use.
// cc -O1 -pthread -o idle-arenas idle-arenas.c; usage: idle-arenas [twin]
#define _GNU_SOURCE
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <pthread.h>
#include <semaphore.h>
#define THREADS 6
#define COUNT 280
static pthread_barrier_t started;
static pthread_barrier_t done;
static sem_t turns;
static int twin;
static void ready(void) { printf("ready %d\n", getpid()); fflush(stdout); for (;;) pause(); }

static void *worker(void *unused) {
  void *blocks[COUNT], *first = malloc(100);
  memset(first, 1, 100);
  pthread_barrier_wait(&started); // an arena for each
  sem_wait(&turns); // two at a time, as on two CPUs
  for (int i = 0; i < COUNT; i++) memset(blocks[i] = malloc(60000), 1, 60000);
  memset(malloc(2000), 1, 2000); // holds the end of the heap
  if (twin) {
    sem_post(&turns);
    pthread_barrier_wait(&done);
    for (;;) pause();
  }
  for (int i = 0; i < COUNT; i++) free(blocks[i]);
  sem_post(&turns);
  return unused;
}
int main(int argc, char **argv) {
  twin = argc > 1 && !strcmp(argv[1], "twin");
  pthread_t threads[THREADS];
  sem_init(&turns, 0, 2);
  pthread_barrier_init(&started, NULL, THREADS);
  pthread_barrier_init(&done, NULL, THREADS + 1);
  for (int i = 0; i < THREADS; i++) if (pthread_create(&threads[i], NULL, worker, NULL)) return 1;
  if (twin) pthread_barrier_wait(&done);
  else for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  ready();
}
