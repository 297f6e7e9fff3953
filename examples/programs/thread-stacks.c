// thread-stacks.c: threads that once went deep into their stacks; the twin's did not.
// cc -O1 -pthread -o thread-stacks thread-stacks.c; usage: thread-stacks [twin]
#define _GNU_SOURCE
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <alloca.h>
#include <pthread.h>
#define THREADS 48
static pthread_barrier_t grown;
static int twin;
static void ready(void) { printf("ready %d\n", getpid()); fflush(stdout); for (;;) pause(); }

__attribute__((noinline)) static void deep(size_t bytes) {
  volatile char *stack = alloca(bytes);
  for (size_t at = 0; at < bytes; at += 4096) stack[at] = 1;
}
static void *worker(void *unused) {
  deep(twin ? 4096 : 2 << 20);
  pthread_barrier_wait(&grown);
  for (;;) pause();
  return unused;
}
int main(int argc, char **argv) {
  twin = argc > 1 && !strcmp(argv[1], "twin");
  pthread_barrier_init(&grown, NULL, THREADS + 1);
  pthread_attr_t eight;
  pthread_attr_init(&eight);
  pthread_attr_setstacksize(&eight, 8 << 20);
  for (int i = 0; i < THREADS; i++) {
    pthread_t thread;
    if (pthread_create(&thread, &eight, worker, NULL)) return 1;
  }
  pthread_barrier_wait(&grown);
  ready();
}
