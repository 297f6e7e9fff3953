// What the debug adapter's tests look at: known variables, deep stacks, many chunks, a heartbeat.
// usage: dap-target HEARTBEAT-FILE CHUNKS [crash]; prints its PID when it is ready.
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct hb { uint64_t ticks, max_ns, sum_over5ms_ns, n_over5ms, log_n; };
struct item { int id; double weight; char label[16]; struct item *next; };

static struct hb *hb;
static char marker[] = "dap-target's own marker";
static struct item ring[3] = {{7, 1.5, "seven", &ring[1]}, {8, 2.5, "eight\033[2J", &ring[2]}, {9, 3.5, "nine", &ring[0]}};
static void *kept;

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void *beat(void *unused) {
  uint64_t last = now();
  for (;;) {
    struct timespec ms = {0, 1000000};
    nanosleep(&ms, 0);
    uint64_t at = now();
    if (at - last > hb->max_ns) hb->max_ns = at - last;
    last = at;
    hb->ticks++;
  }
  return unused;
}

static void *arena_user(void *list) {
  void *mine = malloc(50000);
  memset(mine, 0x5a, 50000);
  kept = mine;
  for (;;) pause();
  return list;
}

__attribute__((noinline)) static int waits(struct item *list, const char *text, int crash) {
  int numbers[5] = {1, 1, 2, 3, 5};
  unsigned char page[4096];
  struct item copy = *list;
  memset(page, 0xab, sizeof page);
  printf("%d\n", getpid());
  fflush(stdout);
  if (crash) *(volatile int *)(uintptr_t)0x1230 = numbers[4];
  for (;;) pause();
  return copy.id + text[0] + page[0];
}

__attribute__((noinline)) static int deep(int left, struct item *list, const char *text, int crash) {
  int result = left > 0 ? deep(left - 1, list, text, crash) : waits(list, text, crash);
  return result + left;
}

int main(int count, char **words) {
  if (count < 3) return 2;
  int file = open(words[1], O_RDWR | O_CREAT | O_TRUNC, 0644);
  if (ftruncate(file, sizeof *hb)) return 1;
  hb = mmap(0, sizeof *hb, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  long chunks = atol(words[2]);
  for (long i = 0; i < chunks; i++) {
    char *one = malloc(24);
    if (i % 4 == 3) free(one);
  }
  pthread_t thread;
  pthread_create(&thread, 0, beat, 0);
  pthread_create(&thread, 0, arena_user, ring);
  while (!__atomic_load_n(&kept, __ATOMIC_SEQ_CST)) usleep(1000);
  return deep(40, ring, marker, count > 3);
}
