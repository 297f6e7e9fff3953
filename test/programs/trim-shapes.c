// trim-shapes.c: heaps of which malloc_trim gives back much, little or nothing.
// usage: trim-shapes SHAPE MIB. Prints its pid when the heap stands; at SIGUSR1 calls malloc_trim(0) and prints `trimmed R`.
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t mib;
static const char *shape;
static pthread_barrier_t built;

static uint64_t next_random(uint64_t *state) {
  *state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
  return *state;
}

static void *filled(size_t bytes) {
  void *block = malloc(bytes);
  if (!block) abort();
  memset(block, 0x5a, bytes);
  return block;
}

// Blocks of random size, of which one in `keep` stays.
static void scatter(uint64_t seed, size_t smallest, size_t spread, size_t keep) {
  size_t most = (mib << 20) / smallest, count = 0, bytes = 0;
  void **blocks = mmap(0, most * sizeof *blocks, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  while (bytes < mib << 20 && count < most) {
    size_t size = smallest + next_random(&seed) % spread;
    blocks[count++] = filled(size), bytes += size;
  }
  for (size_t i = 0; i < count; i++)
    if (i % keep) free(blocks[i]);
  munmap(blocks, most * sizeof *blocks);
}

// Pairs of a fastbin chunk and a larger free one between blocks that stay.
static void fastbins(void) {
  size_t count = (mib << 20) / 9000;
  void **small = mmap(0, 2 * count * sizeof *small, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  void **large = small + count;
  for (size_t i = 0; i < count; i++) {
    large[i] = filled(4000);
    small[i] = filled(64);
    // The last free neighbour of each run stays in use, so that no run reaches top.
    if (i % 3 == 2) filled(900);
  }
  for (size_t i = 0; i < count; i++) free(large[i]);
  for (size_t i = 0; i < count; i++) free(small[i]);
  munmap(small, 2 * count * sizeof *small);
}

// Large blocks of which only the first page was touched, every second one freed.
static void untouched(void) {
  size_t count = mib;
  void *blocks[count];
  for (size_t i = 0; i < count; i++) blocks[i] = malloc(1 << 20), *(char *)blocks[i] = 1;
  for (size_t i = 0; i < count; i += 2) free(blocks[i]);
}

static void top(void) {
  filled(100);
  free(filled(mib << 20));
}

static void build(uint64_t seed) {
  if (!strcmp(shape, "fastbins")) fastbins();
  else if (!strcmp(shape, "untouched")) untouched();
  else if (!strcmp(shape, "top") || !strcmp(shape, "foreign")) top();
  else if (!strcmp(shape, "small")) scatter(seed, 24, 200, 7);
  else scatter(seed, 200, 60000, 13);
}

static void *worker(void *seed) {
  build((uintptr_t)seed * 0x9e3779b97f4a7c15u);
  pthread_barrier_wait(&built);
  for (;;) pause();
}

// dprintf allocates in older glibcs, from the heap that was just trimmed.
static void say(const char *format, int number) {
  char text[40];
  if (write(1, text, snprintf(text, sizeof text, format, number)) < 0) abort();
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  shape = argv[1], mib = strtoul(argv[2], 0, 10);
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  sigset_t set;
  sigemptyset(&set), sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, 0);
  enum { WORKERS = 3 };
  pthread_barrier_init(&built, 0, WORKERS + 1);
  for (uintptr_t i = 0; i < WORKERS; i++) {
    pthread_t thread;
    if (pthread_create(&thread, 0, worker, (void *)(i + 2))) abort();
  }
  build(0x9e3779b97f4a7c15u);
  pthread_barrier_wait(&built);
  if (!strcmp(shape, "foreign")) sbrk(4096);
  if (!strcmp(shape, "locked") && mlockall(MCL_CURRENT)) return 3;
  if (!strcmp(shape, "forked") && fork() == 0) {
    pause();
    _exit(0);
  }
  say("%d\n", getpid());
  int got;
  for (;;) {
    sigwait(&set, &got);
    say("trimmed %d\n", malloc_trim(0));
  }
}
