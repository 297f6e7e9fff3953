// Who pins memory: by symbols what the live chunks begin with, and the threads whose arenas these are.
import t from 'tap'
import { openSession } from '../../src/session/open-session.js'
import { compile, start } from '../support/programs.js'

// Three of four chunks that stay begin with a pointer to widget_table, the fourth with one to what a C++ compiler calls the vtable of shop::Gadget.
const SOURCE = `
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define COUNT 400000
__attribute__((used)) const char *const widget_table[] = {"widget", "draw"};
extern const char *const gadget_table[] __asm__("_ZTVN4shop6GadgetE");
__attribute__((used)) const char *const gadget_table[] = {"gadget", "turn"};
static void *kept[COUNT];
static void *work(void *unused) {
  pthread_setname_np(pthread_self(), "weaver");
  for (int i = 0; i < COUNT; i++) memset(kept[i] = malloc(240), 1, 240);
  for (int i = 0; i < COUNT; i++) {
    if (i % 16) free(kept[i]);
    else *(const void **)kept[i] = i % 64 ? (const void *)widget_table : (const void *)gadget_table;
  }
  printf("%d\\n", getpid()), fflush(stdout);
  for (;;) pause();
}
int main(void) {
  pthread_t thread;
  pthread_create(&thread, 0, work, 0);
  pthread_join(thread, 0);
}
`

t.test('types by symbols, threads by their arenas', async (t) => {
  const running = await start(compile(SOURCE))
  for (const useGdb of [true, false]) {
    const session = await openSession({ kind: 'live', pid: Number(running.line) }, { useGdb })
    const { findings } = session.report
    await session.close()
    const evidence = findings.find(({ rule }) => rule === 'pinned-fragmentation')?.evidence ?? []
    const shareOf = (name: string) => {
      const found = evidence.find(({ label }) => label === `live chunks that begin with ${name}`)
      return found ? Number(/([\d.]+) %$/.exec(String(found.value))![1]) : null
    }
    if (useGdb) {
      t.ok(Math.abs(shareOf('widget_table')! - 75) < 3, `${shareOf('widget_table')} % of the sample`)
      t.ok(Math.abs(shareOf('shop::Gadget')! - 25) < 3, `${shareOf('shop::Gadget')} % of the sample`)
    } else t.equal(shareOf('widget_table'), null, 'no names without gdb')
    const where = evidence.find(({ label }) => label === 'pinned in arena 1')
    t.match(where?.value, /^\d+\.\d MiB, used by weaver \(\d+\)$/)
  }
  await running.kill()
})
