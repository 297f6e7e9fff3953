// Threads on stacks, and under rules, that a call has to heed: odd-stands MODE [BYTES]; prints its pid when it stands so.
// SIGUSR1 ends the oddity; from then on it sleeps as anybody does.
//   deep        its only thread has used its stack up but for some pages
//   altstack    its only thread is in a handler, on a signal stack
//   small BYTES its first thread as in deep, another on a stack of BYTES
//   filter      a seccomp filter of its own that allows what malloc and a call need, and kills for anything else
//   late        it catches SIGURG and SIGWINCH and counts them; a second SIGUSR1 prints the counts
//   fault abort its heap is damaged so that malloc_trim faults, or is ended by glibc; later it mends that, and allocates
//   printing    another thread holds the lock of stderr
#define _GNU_SOURCE
#include <alloca.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t go, urgent;
static void on_usr1(int signal) { (void)signal; go++; }
static void on_urgent(int signal) { (void)signal; urgent++; }
static void doze(void) { nanosleep(&(struct timespec){0, 20000000}, 0); }
static void stand(void) {
  printf("%d\n", getpid());
  fflush(stdout);
  while (!go) doze();
}
static void *stand_here(void *none) { stand(); for (;;) doze(); return none; }
static void on_alternate(int signal) { (void)signal; stand(); }

enum { LEFT_BYTES = 4 << 10 };
__attribute__((noinline)) static void deep(void *(*then)(void *)) {
  struct rlimit limit;
  getrlimit(RLIMIT_STACK, &limit);
  char here, *used = alloca(limit.rlim_cur - LEFT_BYTES - (size_t)((char *)__builtin_frame_address(0) - &here) - 16384);
  for (size_t at = 0; at < limit.rlim_cur - LEFT_BYTES - 20000; at += 4096) used[at] = 1;
  then(used);
}
static void *stand_once(void *none) { stand(); return none; }
static void *print(void *none) {
  flockfile(stderr);
  stand();
  funlockfile(stderr);
  for (;;) doze();
  return none;
}
static void *sleep_deep(void *none) {
  while (!go) doze();
  fputs("", stderr);
  return none;
}

#define ALLOW(call) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
static void filter(void) {
  struct sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      ALLOW(mmap), ALLOW(munmap), ALLOW(madvise), ALLOW(brk), ALLOW(rt_sigreturn), ALLOW(rt_sigprocmask), ALLOW(getpid),
      ALLOW(gettid), ALLOW(tgkill), ALLOW(write), ALLOW(clock_nanosleep), ALLOW(restart_syscall), ALLOW(newfstatat),
      ALLOW(openat), ALLOW(read), ALLOW(close), ALLOW(exit_group),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
  };
  struct sock_fprog program = {sizeof rules / sizeof *rules, rules};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) exit(3);
}

// A chunk in the unsorted bin leads to nowhere, or one in a fastbin has a size that it cannot have.
static void damaged(int faults) {
  enum { FAST_BYTES = 40, MANY = 20 };
  static char printed[64];
  setvbuf(stdout, printed, _IOFBF, sizeof printed);
  pthread_t thread;
  pthread_create(&thread, 0, sleep_deep, 0);
  size_t *volatile chunks[MANY], *volatile large = malloc(5000), *guard = malloc(100);
  for (int i = 0; i < MANY; i++) chunks[i] = malloc(FAST_BYTES);
  for (int i = 0; i < MANY; i++) free(chunks[i]);
  free(large);
  volatile size_t *place = faults ? large + 1 : chunks[MANY - 2] - 1;
  size_t before = *place;
  *place = faults ? 0x1000 : 0x7fffffff1;
  stand();
  *place = before;
  free(malloc(60000));
  // Which takes the lock of stderr.
  pthread_join(thread, 0);
  printf("allocates %d\n", guard != 0);
  fflush(stdout);
}

int main(int count, char **arguments) {
  const char *mode = arguments[1];
  signal(SIGUSR1, on_usr1);
  for (int i = 0; i < 50; i++) free(malloc(10000));
  if (!strcmp(mode, "deep")) deep(stand_once);
  if (!strcmp(mode, "altstack")) {
    enum { BYTES = 256 << 10 };
    stack_t stack = {.ss_sp = malloc(BYTES), .ss_size = BYTES};
    struct sigaction action = {.sa_handler = on_alternate, .sa_flags = SA_ONSTACK | SA_NODEFER};
    sigaltstack(&stack, 0);
    sigaction(SIGUSR2, &action, 0);
    raise(SIGUSR2);
  }
  if (!strcmp(mode, "small")) {
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    if (pthread_attr_setstacksize(&attributes, (size_t)atol(arguments[count - 1]))) return 2;
    if (pthread_create(&thread, &attributes, stand_here, 0)) return 2;
    deep(sleep_deep);
  }
  if (!strcmp(mode, "printing")) {
    pthread_t thread;
    if (pthread_create(&thread, 0, print, 0)) return 2;
  }
  if (!strcmp(mode, "late")) {
    signal(SIGURG, on_urgent);
    signal(SIGWINCH, on_urgent);
    stand();
    while (go < 2) doze();
    printf("%d\n", (int)urgent);
    fflush(stdout);
  }
  if (!strcmp(mode, "fault") || !strcmp(mode, "abort")) damaged(!strcmp(mode, "fault"));
  if (!strcmp(mode, "filter")) filter(), stand();
  for (;;) doze();
}
