// A process to call into. control-target MODE PAGE [ARGUMENT]; prints its pid when it stands as MODE says.
// PAGE: a file that it maps and writes struct page to, for whoever watches.
//   churn N   N threads allocate and free without pause and check what is in their blocks; one thread beats every
//             millisecond, writes a numbered line to stderr and sends itself a queued signal every ten
//   single    one thread, in nanosleep over and over
//   waits     threads in poll, read, a condition, sigtimedwait-free waits: each counts when it returns early
//   buffered  stderr has a buffer with pending text in it; wide: stderr is wide
//   huge      one block of 5 GiB, never touched
//   locked N  main_arena's lock is held until SIGUSR1; its address is N bytes below the header of the unsorted bin
//   inside    its only thread is inside malloc, in a handler of a fault there, until SIGUSR1
//   arenas N  N threads with an arena each, idle, four fifths of what they took freed
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
#include <time.h>
#include <unistd.h>
#include <wchar.h>

static struct page { _Atomic uint64_t beats, operations, damage, interrupted, lines, sent, received; } *page;
static volatile sig_atomic_t go;
static void *top_page, *volatile held;
static void on_usr1(int signal) { (void)signal; go = 1; }
static void on_queued(int signal) { (void)signal; page->received++; }

static void sleep_ms(long ms) {
  struct timespec time = {ms / 1000, ms % 1000 * 1000000};
  if (nanosleep(&time, 0) != 0 && errno == EINTR) page->interrupted++;
}

#define SLOTS 400
__attribute__((noreturn)) static void *churn(void *seed) {
  unsigned s = (unsigned)(uintptr_t)seed * 7919 + 1;
  struct { unsigned char *at; size_t size; unsigned char fill; } held[SLOTS] = {0};
  for (;;) {
    s = s * 1664525 + 1013904223;
    unsigned i = (s >> 8) % SLOTS;
    for (size_t at = 0; at < held[i].size; at += 61)
      if (held[i].at[at] != held[i].fill) page->damage++;
    free(held[i].at);
    held[i].size = 16 + (s >> 12) % ((s & 0xf00) ? 3000 : 60000);
    held[i].fill = (unsigned char)(s >> 20);
    held[i].at = malloc(held[i].size);
    memset(held[i].at, held[i].fill, held[i].size);
    page->operations++;
  }
}
static void *beat(void *none) {
  for (uint64_t n = 0;; n++) {
    struct timespec ms = {0, 1000000};
    while (nanosleep(&ms, &ms) != 0) {}
    page->beats++;
    if (n % 10 != 0) continue;
    if (dprintf(2, "line %llu\n", (unsigned long long)page->lines) > 0) page->lines++;
    if (sigqueue(getpid(), SIGRTMIN + 1, (union sigval){0}) == 0) page->sent++;
  }
  return none;
}
static void *in_poll(void *none) {
  for (;;) if (poll(0, 0, 100000) < 0) page->interrupted++;
  return none;
}
static void *in_read(void *none) {
  int ends[2]; char byte;
  if (pipe(ends) != 0) abort();
  for (;;) if (read(ends[0], &byte, 1) < 0) page->interrupted++;
  return none;
}
static void *in_condition(void *none) {
  pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; pthread_cond_t never = PTHREAD_COND_INITIALIZER;
  pthread_mutex_lock(&lock);
  for (;;) pthread_cond_wait(&never, &lock);
  return none;
}
static void *own_arena(void *none) {
  void *held[200];
  for (int i = 0; i < 200; i++) memset(held[i] = malloc(20000), 1, 20000);
  for (int i = 0; i < 200; i++) if (i % 5) free(held[i]);
  page->operations++;
  for (;;) pause();
  return none;
}
static void on_fault(int signal) {
  (void)signal;
  printf("%d\n", getpid()); fflush(stdout);
  while (!go) sleep_ms(20);
  mprotect(top_page, 8192, PROT_READ | PROT_WRITE);
}
static void start(void *(*run)(void *), long id) { pthread_t thread; if (pthread_create(&thread, 0, run, (void *)id)) abort(); }

int main(int count, char **arguments) {
  const char *mode = arguments[1];
  long n = count > 3 ? atol(arguments[3]) : 0;
  int file = open(arguments[2], O_RDWR | O_CREAT, 0600);
  if (file < 0 || ftruncate(file, 4096) != 0) return 2;
  page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  signal(SIGUSR1, on_usr1);
  signal(SIGRTMIN + 1, on_queued);
  if (!strcmp(mode, "churn")) { start(beat, 0); for (long i = 0; i < n; i++) start(churn, i); }
  if (!strcmp(mode, "waits")) { start(in_poll, 0); start(in_read, 0); start(in_condition, 0); }
  if (!strcmp(mode, "arenas")) {
    for (long i = 0; i < n; i++) start(own_arena, i);
    while (page->operations < (uint64_t)n) sleep_ms(1);
  }
  if (!strcmp(mode, "buffered")) { setvbuf(stderr, malloc(4096), _IOFBF, 4096); fputs("pending\n", stderr); }
  if (!strcmp(mode, "huge") && !(held = malloc((size_t)5 << 30))) return 3;
  if (!strcmp(mode, "wide")) fwide(stderr, 1);
  if (!strcmp(mode, "locked")) {
    void *volatile *volatile one = malloc(5000), *volatile guard = malloc(5000);
    free((void *)one);
    volatile int *lock = (volatile int *)((char *)one[0] - n);
    if (!guard || *lock != 0) return 3;
    printf("%d\n", getpid()); fflush(stdout);
    *lock = 1;
    while (!go) sleep_ms(20);
    *lock = 0;
    for (;;) sleep_ms(1000);
  }
  if (!strcmp(mode, "inside")) {
    signal(SIGSEGV, on_fault);
    setvbuf(stdout, 0, _IONBF, 0);
    char *volatile last = malloc(100);
    // Where malloc writes the size of what is left of top.
    top_page = (void *)(((uintptr_t)last + 20000) & ~(uintptr_t)4095);
    mprotect(top_page, 8192, PROT_NONE);
    char *volatile faults = malloc(20000);
    free(faults);
    for (;;) sleep_ms(1000);
  }
  printf("%d\n", getpid()); fflush(stdout);
  for (;;) {
    sleep_ms(!strcmp(mode, "single") ? 50 : 1000);
    page->beats++;
    if (!strcmp(mode, "buffered") && go) { fputs("after\n", stderr); fflush(stderr); go = 0; }
    if (!strcmp(mode, "wide") && go) { fputws(L"after\n", stderr); go = 0; }
  }
}
