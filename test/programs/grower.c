// A process whose malloc moves in a known way, and says so: grower MODE [ARGUMENT…]. First prints `ready PID`, then each
// 50 ms a line `MS IN_USE ARENAS STEPS EPOCH_MS`: ms since its start (monotonic), bytes of the chunks that it holds by its own
// count (malloc_usable_size and the size word), arenas that it made threads for (main_arena included), steps done, and when
// the step began by the clock of the day: what is not yet in one line comes after the time of the next.
// All figures follow the clock, not the number of wake-ups: late steps are made up for.
//   live RATE [BLOCK]       holds RATE more bytes each second in touched blocks of BLOCK bytes (default 4096)
//   retain RATE [LIVE]      holds LIVE bytes (default 2 MiB); replaces them by ever larger blocks and leaves a pin of each, so that
//                           RATE bytes a second become free in holes that nothing fits in again
//   arenas EVERY_MS MOST    every EVERY_MS one more thread that allocates and stays, up to MOST (set MALLOC_ARENA_MAX)
//   sawtooth RATE PERIOD_MS RATE more bytes a second, all freed every PERIOD_MS
//   still                   allocates 4 MiB and rests
//   rest MS                 as `live 4000000`, and after MS rests
//   exit MS | exec MS       as `live 4000000`, and after MS ends, or executes itself as `still`
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STEP_MS 50
#define MOST_BLOCKS (1 << 22)

static void **blocks;
static size_t block_count, held_bytes, step_count;
static int arena_count = 1;

static uint64_t now_ms(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void *hold(size_t size) {
  char *p = malloc(size);
  if (!p) abort();
  memset(p, 'g', size);
  held_bytes += malloc_usable_size(p) + sizeof(size_t);
  return p;
}

static void drop(void *p) {
  held_bytes -= malloc_usable_size(p) + sizeof(size_t);
  free(p);
}

static void keep(void *p) {
  if (block_count == MOST_BLOCKS) abort();
  blocks[block_count++] = p;
}

// Shrinks a block in place to the smallest chunk: what it leaves behind it is a hole between two that stay.
static void pin(void *p) {
  held_bytes -= malloc_usable_size(p) + sizeof(size_t);
  void *same = realloc(p, 24);
  if (same != p) abort();
  held_bytes += malloc_usable_size(same) + sizeof(size_t);
}

// One step of `retain`: as many bytes as before, in blocks each larger than every hole.
static void replace(size_t live) {
  static size_t size = 16384;
  static void *old[4096];
  static size_t old_count;
  size += 64;
  size_t count = live / size;
  for (size_t i = 0; i < old_count; i++) pin(old[i]);
  for (size_t i = 0; i < count; i++) old[i] = hold(size);
  old_count = count;
}

static void *stay(void *unused) {
  (void)unused;
  if (!malloc(1000)) abort();
  for (;;) pause();
}

int main(int argc, char **argv) {
  const char *mode = argc > 1 ? argv[1] : "still";
  double first = argc > 2 ? atof(argv[2]) : 0;
  double second = argc > 3 ? atof(argv[3]) : 0;
  int is_ending = !strcmp(mode, "exit") || !strcmp(mode, "exec");
  int is_resting = !strcmp(mode, "rest");
  int is_live = !strcmp(mode, "live") || is_ending || is_resting;
  double rate = is_ending || is_resting ? 4e6 : first;
  size_t block = is_live && second > 0 ? (size_t)second : 4096;
  size_t live = second > 0 ? (size_t)second : 2 << 20;
  // Blocks come from the arena whatever their size, and no figure hides in a tcache or the page's own buffer.
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 128 << 10);
  setvbuf(stdout, NULL, _IOLBF, 4096);
  blocks = calloc(MOST_BLOCKS, sizeof *blocks); // its own mapping: 32 MiB, untouched
  hold(4 << 20);
  printf("ready %d\n", (int)getpid());
  uint64_t start = now_ms(CLOCK_MONOTONIC);
  size_t teeth = 0;
  for (;;) {
    uint64_t epoch_ms = now_ms(CLOCK_REALTIME);
    uint64_t ms = now_ms(CLOCK_MONOTONIC) - start;
    double due = rate * (is_resting && (double)ms > first ? first : (double)ms) / 1000;
    if (is_live) {
      while ((double)(step_count * block) < due) keep(hold(block)), step_count++;
    } else if (!strcmp(mode, "retain")) {
      while ((double)(step_count * live) < due) replace(live), step_count++;
    } else if (!strcmp(mode, "sawtooth")) {
      if (ms / (uint64_t)second > teeth) {
        teeth = ms / (uint64_t)second;
        while (block_count > 0) drop(blocks[--block_count]);
      }
      double in_tooth = rate * (double)(ms % (uint64_t)second) / 1000;
      while ((double)(block_count * block) < in_tooth) keep(hold(block)), step_count++;
    } else if (!strcmp(mode, "arenas")) {
      while (step_count < ms / (uint64_t)first && arena_count < (int)second) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, stay, NULL)) abort();
        arena_count++, step_count++;
      }
    }
    printf("%llu %zu %d %zu %llu\n", (unsigned long long)ms, held_bytes, arena_count, step_count, (unsigned long long)epoch_ms);
    if (is_ending && (double)ms >= first) {
      if (!strcmp(mode, "exit")) return 0;
      execl("/proc/self/exe", "grower", "still", (char *)NULL);
      abort();
    }
    usleep(STEP_MS * 1000);
  }
}
