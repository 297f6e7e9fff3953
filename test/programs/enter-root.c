// Makes a folder the root of a mount namespace of its own, as container runtimes do, and runs a program there.
// usage: unshare --mount [--pid --fork] enter-root FOLDER PROGRAM [ARGUMENT...]
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int failed(const char *what) { perror(what); return 2; }

int main(int count, char **arguments) {
  if (count < 3) return 1;
  const char *root = arguments[1];
  if (mount(0, "/", 0, MS_REC | MS_PRIVATE, 0)) return failed("private");
  if (mount(root, root, 0, MS_BIND | MS_REC, 0)) return failed(root);
  if (chdir(root)) return failed("chdir");
  mkdir("proc", 0755);
  if (mount("proc", "proc", "proc", 0, 0)) return failed("proc");
  // The old root lands on top of the new one, and is taken off: pivot_root(2), notes.
  if (syscall(SYS_pivot_root, ".", ".")) return failed("pivot_root");
  if (umount2(".", MNT_DETACH)) return failed("umount");
  if (chdir("/")) return failed("chdir /");
  execv(arguments[2], arguments + 2);
  return failed(arguments[2]);
}
