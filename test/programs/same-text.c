// Half a GiB in which every byte may begin what is looked for, if that is zz and something.
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void) {
  const size_t bytes = 512ul << 20;
  char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 1;
  memset(memory, 'z', bytes);
  printf("ready\n");
  fflush(stdout);
  for (;;) pause();
}
