// Threads that allocate and free without pause, each in an arena of its own, and say what they hold.
// usage: busy-arenas THREADS FILE     FILE is mapped: struct board. Prints its pid when all have begun.
// Writing `epoch` makes each thread begin its bounds anew; it has when its own epoch is the same.
#include <fcntl.h>
#include <malloc.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MOST 64
#define SLOTS 4000

struct row {
  _Atomic uint64_t epoch;
  uint64_t first;  // a chunk of its arena
  int64_t held;    // bytes of chunks that it holds, headers included
  int64_t least, most;
  uint64_t calls;
};
struct board {
  _Atomic uint64_t epoch;
  struct row rows[MOST];
};

static struct board *board;
static _Atomic int begun;

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec + now.tv_nsec / 1e9;
}

static int64_t chunk_bytes(void *p) { return (int64_t)malloc_usable_size(p) + 8; }

static void bound(struct row *row) {
  if (row->held < row->least) row->least = row->held;
  if (row->held > row->most) row->most = row->held;
  uint64_t epoch = board->epoch;
  if (row->epoch != epoch) {
    row->least = row->most = row->held;
    row->epoch = epoch;
  }
}

static void *work(void *number) {
  struct row *row = &board->rows[(long)number];
  void **slots = mmap(0, SLOTS * sizeof *slots, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  unsigned s = (unsigned)(long)number * 7919 + 1;
  slots[0] = malloc(100);
  row->first = (uint64_t)slots[0];
  row->held = chunk_bytes(slots[0]);
  begun++;
  double began = seconds();
  unsigned want = SLOTS / 2;
  for (unsigned turn = 0;; turn++) {
    s = s * 1664525 + 1013904223;
    // What it holds swings slowly, so that the bounds of a second are narrow.
    if (turn % 4096 == 0) want = SLOTS / 2 + (int)(SLOTS / 3 * sin((seconds() - began) / 10));
    unsigned at = (s >> 8) % SLOTS;
    if (slots[at]) {
      row->held -= chunk_bytes(slots[at]);
      bound(row);
      free(slots[at]);
      slots[at] = 0;
    }
    if (at < want) {
      slots[at] = malloc(16 + (s >> 12) % 5000);
      row->held += chunk_bytes(slots[at]);
      bound(row);
    }
    row->calls++;
  }
  return 0;
}

int main(int argc, char **argv) {
  int count = argc > 2 ? atoi(argv[1]) : 0;
  if (count < 1 || count > MOST) return 2;
  int fd = open(argv[2], O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (fd < 0 || ftruncate(fd, sizeof *board) != 0) return 1;
  board = mmap(0, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  mallopt(M_ARENA_MAX, count + 1);
  mallopt(M_ARENA_TEST, count + 1);
  for (long i = 0; i < count; i++) {
    pthread_t thread;
    pthread_create(&thread, 0, work, (void *)i);
  }
  while (begun < count) usleep(1000);
  sleep(1);
  printf("%d\n", getpid());
  fflush(stdout);
  for (;;) pause();
}
