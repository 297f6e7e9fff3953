// A process that grows by known steps: prints `ready`; each SIGUSR1 is one step and prints `step N`. A step holds BLOCKS more
// blocks of 1000 bytes (chunks of 1008 bytes) in main_arena, and starts one more thread with an arena of its own, named
// `step-N`, which holds as many. usage: stepper BLOCKS
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int blocks;
static sem_t done;

static void hold(void) {
  for (int i = 0; i < blocks; i++)
    if (!malloc(1000)) abort();
}

static void *stay(void *name) {
  pthread_setname_np(pthread_self(), name);
  hold();
  sem_post(&done);
  for (;;) pause();
}

int main(int argc, char **argv) {
  blocks = argc > 1 ? atoi(argv[1]) : 1000;
  mallopt(M_ARENA_MAX, 64);
  setvbuf(stdout, NULL, _IOLBF, 4096);
  sem_init(&done, 0, 0);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  static char names[64][16];
  hold();
  printf("ready\n");
  for (int step = 1; step < 64; step++) {
    int signal;
    sigwait(&set, &signal);
    hold();
    snprintf(names[step], sizeof names[step], "step-%d", step);
    pthread_t thread;
    if (pthread_create(&thread, NULL, stay, names[step])) abort();
    sem_wait(&done);
    printf("step %d\n", step);
  }
  return 0;
}
