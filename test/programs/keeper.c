// A process whose threads notice if anything of theirs is lost: keeper PAGE [KIND...]; prints its pid when all run.
// PAGE: a file that it maps and writes struct page to, for whoever watches. A KIND is one thread:
//   general xmm ymm zmm x87 tile   never leaves user space; registers of that kind hold known values, compared each round
//   sleep poll futex select        waits with a timeout, over and over
//   read epoll sigsuspend          waits without one, for a byte or a signal that `feeder` sends each 20 ms
// Without a KIND: all that the processor has. Its first thread sleeps (kind main), or with `alone KIND` is the only one.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum kind { MAIN, GENERAL, XMM, YMM, ZMM, X87, TILE, SLEEP, POLL, FUTEX, SELECT, READ, EPOLL, SIGSUSPEND, KINDS };
static const char *const names[KINDS] = {"main", "general", "xmm", "ymm", "zmm", "x87", "tile",
                                         "sleep", "poll", "futex", "select", "read", "epoll", "sigsuspend"};
static struct page { _Atomic uint64_t running[KINDS], rounds[KINDS], wrong[KINDS], eintr[KINDS]; } *page;

// Registers filled from `in`, a long stretch of nothing, registers stored to `out`.
#define SPIN "12000000"
#ifdef __x86_64__
#define IN(n, r) "mov 8*" #n "(%rdi), %" #r "\n"
#define OUT(n, r) "mov %" #r ", 8*" #n "(%rcx)\n"
#define RED(n) "mov 8*13(%rdi), %rcx\n add $" #n ", %rcx\n mov %rcx, -8*" #n "(%rsp)\n"
#define RED_OUT(n) "mov -8*" #n "(%rsp), %rax\n mov %rax, 8*(13+" #n ")(%rcx)\n"
#define EACH(M) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11) M(12) M(13) M(14) M(15) M(16)
enum { GENERAL_WORDS = 14 };
// With call frame information: whoever looks whether it is inside malloc must find its caller.
#define PUSH(r) "push %" #r "\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset %" #r ", 0\n"
__asm__("hold_general: .cfi_startproc\n" PUSH(rbx) PUSH(rbp) PUSH(r12) PUSH(r13) PUSH(r14) PUSH(r15) PUSH(rsi) EACH(RED)
        IN(0, rax) IN(1, rbx) IN(2, rdx) IN(3, rsi) IN(4, rbp) IN(5, r8) IN(6, r9) IN(7, r10) IN(8, r11) IN(9, r12)
        IN(10, r13) IN(11, r14) IN(12, r15) IN(13, rdi) "mov $" SPIN ", %ecx\n1: dec %ecx; jnz 1b; mov (%rsp), %rcx\n"
        OUT(0, rax) OUT(1, rbx) OUT(2, rdx) OUT(3, rsi) OUT(4, rbp) OUT(5, r8) OUT(6, r9) OUT(7, r10) OUT(8, r11)
        OUT(9, r12) OUT(10, r13) OUT(11, r14) OUT(12, r15) OUT(13, rdi) EACH(RED_OUT)
        "pop %rsi; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n.cfi_endproc\n");
#define V(op, reg, size, n) op " " #size "*" #n "(%rdi), %" reg #n "\n"
#define W(op, reg, size, n) op " %" reg #n ", " #size "*" #n "(%rsi)\n"
#define LOW(M, ...) M(__VA_ARGS__, 0) M(__VA_ARGS__, 1) M(__VA_ARGS__, 2) M(__VA_ARGS__, 3) M(__VA_ARGS__, 4) \
  M(__VA_ARGS__, 5) M(__VA_ARGS__, 6) M(__VA_ARGS__, 7) M(__VA_ARGS__, 8) M(__VA_ARGS__, 9) M(__VA_ARGS__, 10) \
  M(__VA_ARGS__, 11) M(__VA_ARGS__, 12) M(__VA_ARGS__, 13) M(__VA_ARGS__, 14) M(__VA_ARGS__, 15)
#define HIGH(M, ...) M(__VA_ARGS__, 16) M(__VA_ARGS__, 17) M(__VA_ARGS__, 18) M(__VA_ARGS__, 19) M(__VA_ARGS__, 20) \
  M(__VA_ARGS__, 21) M(__VA_ARGS__, 22) M(__VA_ARGS__, 23) M(__VA_ARGS__, 24) M(__VA_ARGS__, 25) M(__VA_ARGS__, 26) \
  M(__VA_ARGS__, 27) M(__VA_ARGS__, 28) M(__VA_ARGS__, 29) M(__VA_ARGS__, 30) M(__VA_ARGS__, 31)
#define NOTHING "mov $" SPIN ", %ecx\n1: dec %ecx; jnz 1b\n"
#define K(op, n) op " 2048+8*" #n "(%rdi), %k" #n "\n"
#define KW(op, n) op " %k" #n ", 2048+8*" #n "(%rsi)\n"
#define MASKS(M) M("kmovq", 1) M("kmovq", 2) M("kmovq", 3) M("kmovq", 4) M("kmovq", 5) M("kmovq", 6) M("kmovq", 7)
__asm__("hold_xmm:\n" LOW(V, "movdqu", "xmm", 16) NOTHING LOW(W, "movdqu", "xmm", 16) "ret\n");
__asm__("hold_ymm:\n" LOW(V, "vmovdqu", "ymm", 32) NOTHING LOW(W, "vmovdqu", "ymm", 32) "vzeroupper; ret\n");
__asm__("hold_zmm:\n" LOW(V, "vmovdqu64", "zmm", 64) HIGH(V, "vmovdqu64", "zmm", 64) MASKS(K) NOTHING
        LOW(W, "vmovdqu64", "zmm", 64) HIGH(W, "vmovdqu64", "zmm", 64) MASKS(KW) "vzeroupper; ret\n");
#define T(n) "tileloadd 1024*" #n "(%rdi,%rax), %tmm" #n "\n"
#define TW(n) "tilestored %tmm" #n ", 1024*" #n "(%rsi,%rax)\n"
#define TILES(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7)
__asm__("hold_tile: ldtilecfg 8192(%rdi); mov $64, %eax\n" TILES(T) NOTHING TILES(TW) "tilerelease; ret\n");
#define FLD(n) "fldt 16*" #n "(%rdi)\n"
#define FST(n) "fstpt 16*" #n "(%rsi)\n"
__asm__("hold_x87: fninit; fldcw 128(%rdi)\n" FLD(0) FLD(1) FLD(2) FLD(3) FLD(4) FLD(5) FLD(6) FLD(7) NOTHING
        FST(7) FST(6) FST(5) FST(4) FST(3) FST(2) FST(1) FST(0) "fnstcw 128(%rsi); fninit; ret\n");
enum { XMM_REGISTERS = 16 };
#else
#define NOTHING "mov $" SPIN ", %ecx\n1: dec %ecx; jnz 1b\n"
#define ARGUMENTS "mov 4(%esp), %eax; mov 8(%esp), %edx\n"
enum { GENERAL_WORDS = 6, XMM_REGISTERS = 8 };
__asm__("hold_general: push %ebx; push %ebp; push %esi; push %edi; mov 20(%esp), %ecx\n"
        "mov (%ecx), %eax; mov 4(%ecx), %ebx; mov 8(%ecx), %edx; mov 12(%ecx), %esi; mov 16(%ecx), %edi; mov 20(%ecx), %ebp\n"
        NOTHING "mov 24(%esp), %ecx; mov %eax, (%ecx); mov %ebx, 4(%ecx); mov %edx, 8(%ecx); mov %esi, 12(%ecx)\n"
        "mov %edi, 16(%ecx); mov %ebp, 20(%ecx); pop %edi; pop %esi; pop %ebp; pop %ebx; ret\n");
#define X(n) "movdqu 16*" #n "(%eax), %xmm" #n "\n"
#define XW(n) "movdqu %xmm" #n ", 16*" #n "(%edx)\n"
#define FLD(n) "fldt 16*" #n "(%eax)\n"
#define FST(n) "fstpt 16*" #n "(%edx)\n"
#define EIGHT(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7)
__asm__("hold_xmm:\n" ARGUMENTS EIGHT(X) NOTHING EIGHT(XW) "ret\n");
__asm__("hold_x87: fninit\n" ARGUMENTS "fldcw 128(%eax)\n" EIGHT(FLD) NOTHING
        FST(7) FST(6) FST(5) FST(4) FST(3) FST(2) FST(1) FST(0) "fnstcw 128(%edx); fninit; ret\n");
#endif
void hold_general(const void *in, void *out), hold_xmm(const void *in, void *out), hold_x87(const void *in, void *out);
#ifdef __x86_64__
void hold_ymm(const void *in, void *out), hold_zmm(const void *in, void *out), hold_tile(const void *in, void *out);
#endif

static uint32_t next(uint32_t *seed) { return *seed = *seed * 1664525 + 1013904223; }
static void compare(enum kind kind, const void *in, const void *out, size_t bytes) {
  for (size_t at = 0; at < bytes; at += 8)
    if (memcmp((const char *)in + at, (const char *)out + at, bytes - at < 8 ? bytes - at : 8)) page->wrong[kind]++;
}
__attribute__((noreturn)) static void compute(enum kind kind) {
  _Alignas(64) static _Thread_local unsigned char in[8192 + 64], out[8192 + 64];
  uint32_t seed = kind * 7919 + 1;
  setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 10);
  for (;; page->rounds[kind]++) {
    for (size_t at = 0; at < 8192; at += 4) *(uint32_t *)(in + at) = next(&seed);
    memset(out, 0, sizeof out);
    switch (kind) {
      case GENERAL: {
        hold_general(in, out);
        compare(kind, in, out, GENERAL_WORDS * sizeof(long));
#ifdef __x86_64__
        for (uint64_t n = 1; n <= 16; n++)
          if (((uint64_t *)out)[13 + n] != ((uint64_t *)in)[13] + n) page->wrong[kind]++;
#endif
        break;
      }
      case XMM: hold_xmm(in, out); compare(kind, in, out, XMM_REGISTERS * 16); break;
      case X87:
        for (int n = 0; n < 8; n++) {
          long double value = 1.0L + next(&seed) / 3.0L;
          memcpy(in + 16 * n, &value, 10);
          memset(in + 16 * n + 10, 0, 6);
        }
        *(uint16_t *)(in + 128) = seed & 0x40000 ? 0x37f : 0x77f;
        hold_x87(in, out);
        compare(kind, in, out, 130);
        break;
#ifdef __x86_64__
      case YMM: hold_ymm(in, out); compare(kind, in, out, 16 * 32); break;
      case ZMM: hold_zmm(in, out); compare(kind, in, out, 32 * 64); compare(kind, in + 2056, out + 2056, 56); break;
      case TILE: {
        unsigned char *config = memset(in + 8192, 0, 64);
        config[0] = 1;
        for (int n = 0; n < 8; n++) config[16 + 2 * n] = 64, config[48 + n] = 16;
        hold_tile(in, out);
        compare(kind, in, out, 8192);
        break;
      }
#endif
      default: abort();
    }
  }
}

static int fed[3][2];
static _Atomic uint64_t sent, received;
static _Atomic pthread_t suspended;
static void on_signal(int signal) { (void)signal; received++; }
static void *feed(void *none) {
  for (unsigned char n = 0;; n++) {
    nanosleep(&(struct timespec){0, 20000000}, 0);
    for (int to = 0; to < 2; to++)
      if (write(fed[to][1], &n, 1) != 1) page->wrong[to ? EPOLL : READ]++;
    if (!suspended || sent != received) continue;
    sent++;
    pthread_kill(suspended, SIGRTMIN + 1);
  }
  return none;
}
static void take_byte(enum kind kind, int from) {
  static _Thread_local unsigned char expected;
  unsigned char byte;
  ssize_t got = read(from, &byte, 1);
  if (got < 0 && errno == EINTR) { page->eintr[kind]++; return; }
  if (got != 1 || byte != expected++) page->wrong[kind]++;
}
static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}
enum { TIMEOUT_US = 50000, EARLY_US = 1000 };
static void timed(enum kind kind, int failed, uint64_t began) {
  if (failed && errno == EINTR) page->eintr[kind]++;
  else if (now() + EARLY_US < began + TIMEOUT_US) page->wrong[kind]++;
}
__attribute__((noreturn)) static void wait_about(enum kind kind) {
  struct timespec timeout = {0, TIMEOUT_US * 1000};
  int events = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN};
  int32_t word = 0;
  if (kind == EPOLL) epoll_ctl(events, EPOLL_CTL_ADD, fed[1][0], &event);
  sigset_t all, but_one, after;
  sigfillset(&all);
  sigemptyset(&but_one);
  if (kind == SIGSUSPEND) pthread_sigmask(SIG_SETMASK, &all, 0), suspended = pthread_self();
  for (;; page->rounds[kind]++) {
    uint64_t began = now(), before = received;
    struct timeval select_timeout = {0, TIMEOUT_US};
    switch (kind) {
      case MAIN: case SLEEP: timed(kind, nanosleep(&timeout, 0) != 0, began); break;
      case POLL: timed(kind, poll(0, 0, TIMEOUT_US / 1000) < 0, began); break;
      case SELECT: timed(kind, select(0, 0, 0, 0, &select_timeout) < 0, began); break;
      case FUTEX: {
        long answer = syscall(SYS_futex, &word, FUTEX_WAIT, 0, &timeout, 0, 0);
        if (answer == 0 || errno == EAGAIN) page->wrong[kind]++;
        else timed(kind, 1, began);
        break;
      }
      case READ: take_byte(kind, fed[0][0]); break;
      case EPOLL:
        if (epoll_wait(events, &event, 1, -1) == 1) take_byte(kind, fed[1][0]);
        else if (errno == EINTR) page->eintr[kind]++;
        else page->wrong[kind]++;
        break;
      case SIGSUSPEND:
        sigsuspend(&but_one);
        if (received != before + 1) page->wrong[kind]++;
        pthread_sigmask(SIG_SETMASK, 0, &after);
        if (!sigismember(&after, SIGUSR1) || !sigismember(&after, SIGRTMIN + 1)) page->wrong[kind]++;
        break;
      default: abort();
    }
  }
}

static int has(enum kind kind) {
#ifdef __x86_64__
  if (kind == YMM) return __builtin_cpu_supports("avx2");
  if (kind == ZMM) return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
  // arch_prctl ARCH_REQ_XCOMP_PERM for tile data; asked for by the whole process, so only if the kind is wanted.
  if (kind == TILE) return syscall(SYS_arch_prctl, 0x1023, 18) == 0;
#else
  if (kind == YMM || kind == ZMM || kind == TILE) return 0;
#endif
  return 1;
}
__attribute__((noreturn)) static void be(enum kind kind) {
  // For malloc_trim and the rest; nobody is inside malloc later.
  void *held[200];
  for (int i = 0; i < 200; i++) memset(held[i] = malloc(20000), 1, 20000);
  for (int i = 0; i < 200; i++) if (i % 5) free(held[i]);
  page->running[kind] = 1;
  if (kind >= GENERAL && kind <= TILE) compute(kind);
  wait_about(kind);
}
static void *run(void *kind) { be((enum kind)(uintptr_t)kind); }
static enum kind kind_of(const char *name) {
  for (enum kind kind = 0; kind < KINDS; kind++) if (!strcmp(names[kind], name)) return kind;
  fprintf(stderr, "no kind %s\n", name);
  exit(2);
}

int main(int count, char **arguments) {
  int file = open(arguments[1], O_RDWR | O_CREAT, 0600), alone = count > 3 && !strcmp(arguments[2], "alone");
  if (file < 0 || ftruncate(file, sizeof *page) != 0) return 2;
  page = mmap(0, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  signal(SIGRTMIN + 1, on_signal);
  if (pipe(fed[0]) != 0 || pipe(fed[1]) != 0) return 2;
  printf("%d\n", getpid());
  fflush(stdout);
  if (alone) be(kind_of(arguments[3]));
  pthread_t thread;
  pthread_create(&thread, 0, feed, 0);
  for (enum kind kind = GENERAL; kind < KINDS; kind++) {
    int wanted = count < 3;
    for (int i = 2; i < count; i++) wanted |= kind_of(arguments[i]) == kind;
    if (wanted && has(kind)) pthread_create(&thread, 0, run, (void *)(uintptr_t)kind);
  }
  be(MAIN);
}
