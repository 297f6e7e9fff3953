// A process that maps memory by known paths and counts what it did. Compile with -fomit-frame-pointer.
// mapper MODE [ARGUMENT…]; prints `ready PID` when it stands, works at the first signal or line, prints one line of JSON
// with what it did (bytes in whole pages), then waits for the next signal or line and works again; `end` as a line, or SIGTERM, ends it.
//   path N [DEPTH]     N regions of 70 MB each by main → run_path → a → b → c → map_region, and N by a thread named
//                      `mapper-thread` (clone → start_thread → thread_main → run_path → …); of each N the first is
//                      unmapped whole, of the second the last half; b calls itself DEPTH times before it calls c, with
//                      1 KiB of stack each
//   grow N             N regions of 70 MB, each then grown by mremap to 140 MB (it may move), in main → grow;
//                      and N times sbrk(70 MB), then one sbrk(-70 MB), if the kernel allows it
//   arenas T [MIB]     T more threads with an arena each, that hold MIB each (default 1; more than 64 takes more heaps)
//                      in blocks of 100,000 bytes; the arenas and heaps it tells are counted from where its blocks lie
//   rate R SECONDS [BYTES] [THREADS]  R times a second, all threads together (default one): mmap BYTES (default 70 MB),
//                      munmap them; `behindMs` says how late the last was
//   fork N             forks a child that maps N regions and ends, then maps N itself (`mmapCalls` counts its own only)
//   exec N             maps N, then executes itself as `path N`, which prints `ready PID` again
//   churn              every signal is one round of: a thread that starts, maps 70 MB, and ends
// Threads: the working one has the program's name; with MAPPER_HEARTBEAT=FILE one named `heartbeat` beats each
// millisecond into FILE, as examples/programs/arena-bloat.c does (struct hb).
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REGION (70L * 1000 * 1000)
#define HEAP_MAX ((uintptr_t)(sizeof(long) == 8 ? 64 : 1) << 20)

static struct { _Atomic uint64_t mmaps, mmapped, mremaps, grown, brks, broken, unmaps, unmapped; } did;
static volatile sig_atomic_t signals;
static void on_signal(int number) { (void)number; signals++; }

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct hb { _Atomic uint64_t ticks, max_ns, sum_over5ms_ns, n_over5ms, log_n; } *hb;
static void *heartbeat(void *none) {
  uint64_t last = now_ns();
  for (;;) {
    struct timespec ms = {0, 1000000};
    nanosleep(&ms, 0);
    uint64_t now = now_ns(), gap = now - last;
    last = now;
    hb->ticks++;
    if (gap > hb->max_ns) hb->max_ns = gap;
  }
  return none;
}
static void start_heartbeat(const char *file) {
  int fd = open(file, O_RDWR | O_CREAT, 0600);
  if (fd < 0 || ftruncate(fd, 65536) != 0) { perror(file); exit(1); }
  hb = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  pthread_t thread;
  pthread_create(&thread, 0, heartbeat, 0);
  pthread_setname_np(thread, "heartbeat");
}

static void must(int good, const char *what) {
  if (!good) { perror(what); exit(1); }
}
static long pages(long bytes) {
  static long page;
  if (page == 0) page = sysconf(_SC_PAGESIZE);
  return (bytes + page - 1) / page * page;
}
static void counted(_Atomic uint64_t *calls, _Atomic uint64_t *sum, long bytes) {
  atomic_fetch_add(calls, 1);
  atomic_fetch_add(sum, (uint64_t)bytes);
}
static void give_back(char *at, long bytes) {
  must(munmap(at, (size_t)bytes) == 0, "munmap");
  counted(&did.unmaps, &did.unmapped, pages(bytes));
}

// The known path. The memory clobbers keep each call from becoming a jump.
#define KEPT __attribute__((noinline, noclone))
KEPT static char *map_region(long bytes) {
  char *at = mmap(0, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  must(at != MAP_FAILED, "mmap");
  counted(&did.mmaps, &did.mmapped, pages(bytes));
  return at;
}
KEPT static char *c(long bytes) { char *at = map_region(bytes); __asm__ volatile("" ::: "memory"); return at; }
KEPT static char *b(long bytes, int depth) {
  volatile char room[1024];
  room[0] = room[1023] = (char)depth;
  char *at = depth > 0 ? b(bytes, depth - 1) : c(bytes);
  room[1] = *(volatile char *)room;
  return at;
}
KEPT static char *a(long bytes, int depth) { char *at = b(bytes, depth); __asm__ volatile("" ::: "memory"); return at; }

static int count, depth;
KEPT static void run_path(void) {
  for (int i = 0; i < count; i++) {
    char *at = a(REGION, depth);
    if (i == 0) give_back(at, REGION);
    if (i == 1) give_back(at + REGION / 2 / 4096 * 4096, REGION - REGION / 2 / 4096 * 4096);
  }
}
static void *thread_main(void *none) {
  pthread_setname_np(pthread_self(), "mapper-thread");
  run_path();
  __asm__ volatile("" ::: "memory");
  return none;
}
static void in_thread(void *(*work)(void *), int waits) {
  pthread_t thread;
  must(pthread_create(&thread, 0, work, 0) == 0, "pthread_create");
  if (waits) pthread_join(thread, 0);
}

KEPT static void grow(void) {
  for (int i = 0; i < count; i++) {
    char *at = map_region(REGION);
    at = mremap(at, (size_t)REGION, 2 * (size_t)REGION, MREMAP_MAYMOVE);
    must(at != MAP_FAILED, "mremap");
    counted(&did.mremaps, &did.grown, pages(2 * REGION) - pages(REGION));
  }
  long start = pages((long)sbrk(0)), end = start;
  for (int i = 0; i < count && sbrk(REGION) != (void *)-1; i++) {
    counted(&did.brks, &did.broken, pages((long)sbrk(0)) - end);
    end = pages((long)sbrk(0));
  }
  if (end > start && sbrk(-REGION) != (void *)-1) counted(&did.unmaps, &did.unmapped, end - pages((long)sbrk(0)));
}

// One thread of `arenas`: its blocks tell in which heaps they lie, each heap's first word which arena it belongs to.
#define BLOCK 100000
static int blocks, threads;
static pthread_barrier_t standing;
static pthread_mutex_t seen_lock = PTHREAD_MUTEX_INITIALIZER;
static uintptr_t heaps[65536], arenas[4096];
static int heap_count, arena_count;
static int add(uintptr_t *list, int length, uintptr_t one) {
  for (int i = 0; i < length; i++) if (list[i] == one) return length;
  list[length] = one;
  return length + 1;
}
static void *arena_main(void *none) {
  pthread_setname_np(pthread_self(), "arena-thread");
  for (int i = 0; i < blocks; i++) {
    char *block = malloc(BLOCK);
    must(block != 0, "malloc");
    block[0] = 1;
    uintptr_t heap = (uintptr_t)block & ~(HEAP_MAX - 1);
    pthread_mutex_lock(&seen_lock);
    int before = heap_count;
    heap_count = add(heaps, heap_count, heap);
    if (heap_count > before) arena_count = add(arenas, arena_count, *(uintptr_t *)heap);
    pthread_mutex_unlock(&seen_lock);
  }
  pthread_barrier_wait(&standing);
  for (;;) pause();
  return none;
}
static void run_arenas(void) {
  pthread_barrier_init(&standing, 0, (unsigned)threads + 1);
  for (int i = 0; i < threads; i++) in_thread(arena_main, 0);
  pthread_barrier_wait(&standing);
}

static double rate, seconds;
static long rate_bytes;
static _Atomic uint64_t behind_ns;
static void *rate_main(void *none) {
  long calls = (long)(rate * seconds / threads);
  uint64_t begin = now_ns();
  for (long i = 0; i < calls; i++) {
    uint64_t due = begin + (uint64_t)(1e9 * (double)i * threads / rate), now = now_ns();
    if (now < due) {
      struct timespec rest = {(time_t)((due - now) / 1000000000), (long)((due - now) % 1000000000)};
      nanosleep(&rest, 0);
    } else if (i == calls - 1) behind_ns = now - due;
    char *at = map_region(rate_bytes);
    give_back(at, rate_bytes);
  }
  return none;
}
static void run_rate(void) {
  pthread_t others[64];
  for (int i = 1; i < threads; i++) must(pthread_create(&others[i], 0, rate_main, 0) == 0, "pthread_create");
  rate_main(0);
  for (int i = 1; i < threads; i++) pthread_join(others[i], 0);
}

KEPT static void map_some(void) { for (int i = 0; i < count; i++) map_region(REGION); }
static void *map_one(void *none) {
  pthread_setname_np(pthread_self(), "churn-thread");
  map_region(REGION);
  __asm__ volatile("" ::: "memory");
  return none;
}

static void run_fork(void) {
  pid_t child = fork();
  must(child >= 0, "fork");
  if (child == 0) { map_some(); _exit(0); }
  int status;
  while (waitpid(child, &status, 0) < 0) must(errno == EINTR, "waitpid");
  must(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child");
  map_some();
}

// Returns 0 when there is nothing more to do.
static int wait_for_word(void) {
  static int before, no_input;
  static char line[256];
  for (;;) {
    struct pollfd in = {no_input ? -1 : 0, POLLIN, 0};
    sigset_t none;
    sigemptyset(&none);
    if (signals != before) { before++; return 1; }
    if (ppoll(&in, 1, 0, &none) <= 0 || !in.revents) continue;
    ssize_t length = read(0, line, sizeof line - 1);
    if (length <= 0) { no_input = 1; continue; }
    return strncmp(line, "end", 3) != 0;
  }
}
static void tell(void) {
  printf("{\"mmapCalls\":%llu,\"mmapBytes\":%llu,\"mremapCalls\":%llu,\"mremapBytes\":%llu,\"brkCalls\":%llu,"
         "\"brkBytes\":%llu,\"unmapCalls\":%llu,\"unmapBytes\":%llu,\"arenas\":%d,\"heaps\":%d,\"behindMs\":%.1f}\n",
         (unsigned long long)did.mmaps, (unsigned long long)did.mmapped, (unsigned long long)did.mremaps,
         (unsigned long long)did.grown, (unsigned long long)did.brks, (unsigned long long)did.broken,
         (unsigned long long)did.unmaps, (unsigned long long)did.unmapped, arena_count, heap_count,
         (double)behind_ns / 1e6);
  fflush(stdout);
}

int main(int argc, char **argv) {
  static char out[4096];
  setvbuf(stdout, out, _IOFBF, sizeof out);
  if (argc < 2) return 2;
  const char *mode = argv[1];
  double first = argc > 2 ? atof(argv[2]) : 1, second = argc > 3 ? atof(argv[3]) : 0;
  count = (int)first, depth = (int)second, threads = 1;
  if (!strcmp(mode, "arenas")) {
    threads = count, blocks = (int)((second > 0 ? second : 1) * (1 << 20) / BLOCK);
    mallopt(M_ARENA_MAX, threads + 8), mallopt(M_MMAP_THRESHOLD, 1 << 20);
  }
  if (!strcmp(mode, "rate")) {
    rate = first, seconds = second, rate_bytes = argc > 4 ? atol(argv[4]) : REGION, threads = argc > 5 ? atoi(argv[5]) : 1;
    if (threads > 64) return 2;
  }
  // Signals are for this thread, and only while it waits.
  sigset_t usr1;
  sigemptyset(&usr1), sigaddset(&usr1, SIGUSR1);
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &action, 0), sigprocmask(SIG_BLOCK, &usr1, 0);
  if (getenv("MAPPER_HEARTBEAT")) start_heartbeat(getenv("MAPPER_HEARTBEAT"));
  printf("ready %d\n", getpid());
  fflush(stdout);
  while (wait_for_word()) {
    if (!strcmp(mode, "path")) run_path(), in_thread(thread_main, 1);
    else if (!strcmp(mode, "grow")) grow();
    else if (!strcmp(mode, "arenas")) run_arenas();
    else if (!strcmp(mode, "rate")) run_rate();
    else if (!strcmp(mode, "fork")) run_fork();
    else if (!strcmp(mode, "churn")) in_thread(map_one, 1);
    else if (!strcmp(mode, "exec")) {
      map_some();
      execl("/proc/self/exe", argv[0], "path", argv[2], (char *)0);
      return 1;
    } else return 2;
    tell();
  }
  return 0;
}
