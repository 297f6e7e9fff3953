// One process a shape of malloc's heap. usage: heap-shapes SHAPE OUT
// Writes OUT.xml (malloc_info) and OUT.txt (malloc_stats) once the heap stands still, prints its pid, and waits.
// With -DCOUNT (not in static programs) also OUT.json: the blocks that it and its libraries hold, as it counted them.
#define _GNU_SOURCE
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef COUNT
// malloc's functions in front of glibc's, for libc's and ld.so's own calls too: each block is counted while it is held.
// Only the tcache structs, one for each thread that allocates (from 2.43 on: that frees what a tcache takes), come past them.
void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);
void __libc_free(void *);
enum { MAIN, OTHERS, MMAPPED, KINDS };
static size_t blocks[KINDS], bytes[KINDS], allocating, freeing;
static __thread char has_allocated, has_freed;

static int kind_of(void *block) {
  size_t flags = ((size_t *)block)[-1];
  return flags & 2 ? MMAPPED : flags & 4 ? OTHERS : MAIN;
}
static size_t chunk_bytes(void *block, int kind) {
  return malloc_usable_size(block) + (kind == MMAPPED ? 2 : 1) * sizeof(size_t);
}
static void *held(void *block) {
  if (!has_allocated) { has_allocated = 1; __atomic_add_fetch(&allocating, 1, __ATOMIC_RELAXED); }
  if (!block) return 0;
  int kind = kind_of(block);
  __atomic_add_fetch(&blocks[kind], 1, __ATOMIC_RELAXED);
  __atomic_add_fetch(&bytes[kind], chunk_bytes(block, kind), __ATOMIC_RELAXED);
  return block;
}
static void given_back(void *block) {
  if (!block) return;
  if (!has_freed && malloc_usable_size(block) <= 1020) { has_freed = 1; __atomic_add_fetch(&freeing, 1, __ATOMIC_RELAXED); }
  int kind = kind_of(block);
  __atomic_sub_fetch(&blocks[kind], 1, __ATOMIC_RELAXED);
  __atomic_sub_fetch(&bytes[kind], chunk_bytes(block, kind), __ATOMIC_RELAXED);
}
void *malloc(size_t size) { return held(__libc_malloc(size)); }
void *calloc(size_t count, size_t size) { return held(__libc_calloc(count, size)); }
void *memalign(size_t align, size_t size) { return held(__libc_memalign(align, size)); }
void *aligned_alloc(size_t align, size_t size) { return memalign(align, size); }
int posix_memalign(void **block, size_t align, size_t size) { return (*block = memalign(align, size)) ? 0 : 12; }
void free(void *block) { given_back(block); __libc_free(block); }
void *realloc(void *block, size_t size) {
  if (!block) return malloc(size);
  if (size == 0) { free(block); return 0; }
  given_back(block);
  void *moved = __libc_realloc(block, size);
  held(moved ? moved : block);
  return moved;
}
static void write_count(const char *path) {
  static const char *names[] = {"main", "others", "mmapped"};
  static char text[1024];
  int length = snprintf(text, sizeof text, "{\"allocating\":%zu,\"freeing\":%zu", allocating, freeing);
  for (int kind = 0; kind < KINDS; kind++)
    length += snprintf(text + length, sizeof text - length, ",\"%s\":{\"blocks\":%zu,\"bytes\":%zu}", names[kind], blocks[kind], bytes[kind]);
  length += snprintf(text + length, sizeof text - length, "}\n");
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (write(file, text, length) != length) abort();
}
#else
static void write_count(const char *path) { (void)path; }
#endif

static pthread_barrier_t standing;
static void (*work)(int);
static void *keep[4096];

static void *run(void *id) {
  work((int)(intptr_t)id);
  pthread_barrier_wait(&standing);
  for (;;) pause();
}
static void threads(int count, void (*what)(int)) {
  work = what;
  pthread_barrier_init(&standing, 0, count + 1);
  for (intptr_t id = 0; id < count; id++) {
    pthread_t thread;
    if (pthread_create(&thread, 0, run, (void *)id)) abort();
  }
  pthread_barrier_wait(&standing);
}

// Fastbins: far more small chunks than tcache takes, freed in both orders.
static void fill_fastbins(int id) {
  void *chunk[600];
  for (int i = 0; i < 600; i++) memset(chunk[i] = malloc(16 + 16 * (i % 7)), id, 16);
  for (int i = 0; i < 600; i += 2) free(chunk[i]);
  for (int i = 597; i > 0; i -= 4) free(chunk[i]);
}
// Heaps: one arena beyond 64 MiB, with free room in the first, the middle and the last heap.
static void many_heaps(int id) {
  static void *chunks[2][1500];
  void **keep = chunks[id];
  for (int i = 0; i < 1500; i++) memset(keep[i] = malloc(100000 + id), 1, 64);
  for (int i = 1; i < 1499; i += 3) free(keep[i]);
}
static void small_mix(int id) {
  void *chunk[300];
  for (int i = 0; i < 300; i++) memset(chunk[i] = malloc(24 + 40 * (i % 50)), id, 24);
  for (int i = 0; i < 300; i++)
    if (i % 3) free(chunk[i]);
}

// Holes of many pages, and a top of many pages.
static void large_holes(int id) {
  void *chunk[60];
  for (int i = 0; i < 60; i++) memset(chunk[i] = malloc(20000 + 8 * id), id, 20000);
  for (int i = 0; i < 60; i++)
    if (i % 5 || i > 40) free(chunk[i]);
}
// tcache: lists of every length, one more size class a round, and what does not fit goes to the bins.
static void fill_tcache(int id) {
  void *chunk[64][20];
  for (int class = 0; class < 64; class++)
    for (int i = 0; i < 20; i++) memset(chunk[class][i] = malloc(16 * class + 8), id, 8);
  for (int class = 0; class < 64; class++)
    for (int i = 0; i < (class + id) % 21; i++) free(chunk[class][i]);
}

int main(int count, char **argument) {
  if (count < 3) return 2;
  const char *shape = argument[1];
  static char path[4096], buffer[1 << 16];
  snprintf(path, sizeof path, "%s.xml", argument[2]);
  FILE *info = fopen(path, "w");
  setvbuf(info, buffer, _IOFBF, sizeof buffer);
  snprintf(path, sizeof path, "%s.txt", argument[2]);
  int stats = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

  if (!strcmp(shape, "main-only")) small_mix(0);
  else if (!strcmp(shape, "fastbins")) { fill_fastbins(9); threads(5, fill_fastbins); }
  else if (!strcmp(shape, "many-heaps")) { mallopt(M_MMAP_THRESHOLD, 1 << 20); threads(2, many_heaps); }
  else if (!strcmp(shape, "foreign-sbrk")) {
    for (int i = 0; i < 200; i++) keep[i] = malloc(1000);
    if (sbrk(12345) == (void *)-1) return 1;
    for (int i = 200; i < 800; i++) keep[i] = malloc(1000);
    for (int i = 0; i < 800; i += 2) free(keep[i]);
  } else if (!strcmp(shape, "noncontiguous")) {
    for (int i = 0; i < 50; i++) keep[i] = malloc(1000);
    // The next brk fails: something is in its way.
    uintptr_t end = ((uintptr_t)sbrk(0) + 4095) & ~4095ul;
    if (mmap((void *)end, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED) return 1;
    for (int i = 50; i < 3000; i++) keep[i] = malloc(2000);
    for (int i = 0; i < 3000; i += 2) free(keep[i]);
  } else if (!strcmp(shape, "mmapped")) {
    for (int i = 0; i < 12; i++) memset(keep[i] = malloc((200 + 37 * i) << 10), 1, 4096);
    keep[20] = memalign(1 << 21, 3 << 20);
    keep[21] = memalign(65536, 700000);
    free(keep[3]);
  } else if (!strcmp(shape, "beyond-4gib")) {
    small_mix(0);
    if (sizeof(size_t) > 4) keep[0] = malloc((size_t)5 << 30);
  } else if (!strcmp(shape, "arenas")) { small_mix(0); threads(12, small_mix); }
  else if (!strcmp(shape, "arenas-64")) { mallopt(M_ARENA_MAX, 64); small_mix(0); threads(63, small_mix); }
  else if (!strcmp(shape, "trimmed")) { threads(3, large_holes); large_holes(3); malloc_trim(0); }
  else if (!strcmp(shape, "tcache")) { fill_tcache(3); threads(5, fill_tcache); }
  else if (!strcmp(shape, "fork")) {
    // The child keeps the arenas of threads that it does not have; it is the process that stands still.
    threads(6, small_mix);
    pid_t child = fork();
    if (child > 0) return waitpid(child, 0, 0) < 0;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    small_mix(1);
  }
  else return 2;

  malloc_info(0, info);
  fflush(info);
  int saved = dup(2);
  dup2(stats, 2);
  malloc_stats();
  dup2(saved, 2);
  snprintf(path, sizeof path, "%s.json", argument[2]);
  write_count(path);
  char line[32];
  int length = snprintf(line, sizeof line, "%d\n", getpid());
  if (write(1, line, length) != length) return 1;
  for (;;) pause();
}
