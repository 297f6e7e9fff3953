// Threads whose tcaches hold known numbers of chunks of known sizes. usage: thread-caches WORKERS [merged]
// Thread i (0 is main) frees (7 i + 3 k + 1) % 8 chunks of tcache bin k and keeps one chunk of every bin. Of the others one
// sleeps and one spins without ever calling malloc. merged: all stacks in one mapping, as glibc >= 2.42 has them. Prints one line of JSON once all stand still, and waits.
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { BINS = 63, MOST = 64, KEPT = 1, WORD = sizeof(void *), STACK = 1 << 20 };

static pthread_barrier_t standing;
static pid_t tids[MOST + 3];
static void *kept[MOST + 3][BINS];

static int freed(int thread, int bin) { return (7 * thread + 3 * bin + 1) % 8; }

// Request for the chunks of a bin: their size (MINSIZE + 16 k) less one word.
static size_t request(int bin) { return 4 * WORD + 16 * bin - WORD; }

static void fill(int thread) {
  void *chunks[BINS][8];
  for (int bin = 0; bin < BINS; bin++)
    for (int i = 0; i < freed(thread, bin) + KEPT; i++) memset(chunks[bin][i] = malloc(request(bin)), 0x5a, request(bin));
  for (int bin = 0; bin < BINS; bin++) {
    kept[thread][bin] = chunks[bin][0];
    for (int i = KEPT; i < freed(thread, bin) + KEPT; i++) free(chunks[bin][i]);
  }
}

static void *work(void *id) {
  int thread = (int)(intptr_t)id;
  tids[thread] = syscall(SYS_gettid);
  fill(thread);
  pthread_barrier_wait(&standing);
  for (;;) pause();
}
static void *sleep_only(void *id) {
  tids[(intptr_t)id] = syscall(SYS_gettid);
  pthread_barrier_wait(&standing);
  for (;;) pause();
}
static void *spin_only(void *id) {
  tids[(intptr_t)id] = syscall(SYS_gettid);
  pthread_barrier_wait(&standing);
  for (volatile int i = 0;; i++) ;
}

static char line[1 << 16];
static int length;
static void say(const char *format, long value) { length += snprintf(line + length, sizeof line - length, format, value); }

int main(int count, char **argument) {
  int workers = count > 1 ? atoi(argument[1]) : 5;
  if (workers < 0 || workers > MOST) return 2;
  int idle = workers > 0 ? 2 : 0;
  mallopt(M_ARENA_MAX, 2);
  pthread_barrier_init(&standing, 0, workers + idle + 1);
  tids[0] = getpid();
  char *stacks = 0;
  if (count > 2 && !strcmp(argument[2], "merged"))
    stacks = mmap(0, (workers + idle) * (size_t)STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (intptr_t id = 1; id <= workers + idle; id++) {
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (stacks) pthread_attr_setstack(&attributes, stacks + (id - 1) * STACK, STACK);
    void *(*what)(void *) = id <= workers ? work : id == workers + 1 ? sleep_only : spin_only;
    if (pthread_create(&thread, &attributes, what, (void *)id)) abort();
  }
  fill(0);
  pthread_barrier_wait(&standing);
  say("{\"workers\":%ld,\"threads\":[", workers);
  for (int thread = 0; thread <= workers + idle; thread++) {
    say(thread ? ",{\"tid\":%ld," : "{\"tid\":%ld,", tids[thread]);
    say("\"freed\":[", 0);
    for (int bin = 0; thread <= workers && bin < BINS; bin++) say(bin ? ",%ld" : "%ld", freed(thread, bin));
    say("]}", 0);
  }
  say("]}\n", 0);
  if (write(1, line, length) != length) return 1;
  for (;;) pause();
}
