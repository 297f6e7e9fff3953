# Lets a process stand still and run on, by ptrace alone: no breakpoints, no symbols, nothing written into it.
# By hand: python3 arena_inspect_stop.py (or gdb -nx -batch -x arena_inspect_stop.py), then lines on its standard input:
#   hold PID SECONDS    all its threads stop, for SECONDS at most
#   release             they run on
# Each is answered by one line of JSON. The process runs on when this one ends, however it ends: the kernel sees to it.
import ctypes
import errno
import json
import os
import select
import time

SEIZE, INTERRUPT, CONT, DETACH = 0x4206, 0x4207, 7, 17
WALL = 0x40000000
# A thread in an uninterruptible system call does not stop; it does not touch memory of its own accord either.
STOP_SECONDS = 1.0
# One that waits for a CPU does as soon as it gets one.
STARVED_SECONDS = 10.0
PAUSE_SECONDS = 0.0002
# So long each thread that may hold a lock runs on alone, and so often that is tried.
NUDGE_SECONDS = 0.00005
NUDGE_ROUNDS = 100
UNLOCK_SECONDS = 1.0

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def ptrace(request, tid, data=0):
    """0, or the errno."""
    ctypes.set_errno(0)
    return ctypes.get_errno() if libc.ptrace(request, tid, None, data) < 0 else 0


def threads(pid):
    try:
        return [int(name) for name in os.listdir("/proc/%d/task" % pid)]
    except OSError:
        return []


def state(pid, tid):
    try:
        with open("/proc/%d/task/%d/stat" % (pid, tid), "rb") as file:
            return file.read().rpartition(b") ")[2][:1].decode()
    except OSError:
        return "X"


# System calls that malloc makes with a lock in its hands; a thread in any other sleeps, or has none.
MEMORY_CALLS = {
    "x86_64": (9, 10, 11, 12, 25, 28),  # mmap mprotect munmap brk mremap madvise
    "i686": (45, 91, 125, 163, 192, 219),
    "aarch64": (214, 215, 216, 222, 226, 233),
}.get(os.uname()[4], ())


def is_awake(pid, tid):
    try:
        with open("/proc/%d/task/%d/syscall" % (pid, tid)) as file:
            number = file.read().split()[0]
    except (OSError, IndexError):
        return False
    return number in ("running", "-1") or int(number) in MEMORY_CALLS


class Hold(object):
    """Threads of one process that stand still; with the signals that wait for them."""

    def __init__(self, pid):
        self.pid, self.signals, self.seized, self.gone, self.began = pid, {}, set(), set(), None

    def stop(self):
        """Stops all threads, new ones too. 0, or the errno of the first that may not be traced."""
        self.began = time.monotonic()
        while True:
            new = [tid for tid in threads(self.pid) if tid not in self.seized]
            if not new:
                return 0 if self.seized else errno.ESRCH
            for tid in new:
                error = ptrace(SEIZE, tid)
                if error in (0, errno.ESRCH):
                    self.seized.add(tid)
                else:
                    return error
            waiting = [tid for tid in new if ptrace(INTERRUPT, tid) == 0]
            asked = time.monotonic()
            while waiting and time.monotonic() < asked + STARVED_SECONDS:
                waiting = [tid for tid in waiting if not self.has_stopped(tid)]
                if waiting:
                    time.sleep(PAUSE_SECONDS)
                if time.monotonic() > asked + STOP_SECONDS:
                    waiting = [tid for tid in waiting if state(self.pid, tid) != "D"]

    def unlock(self, locks):
        """Lets threads that hold a lock (an int) run on, one by one, until none is held. Locks that still are."""
        end = time.monotonic() + UNLOCK_SECONDS
        held, owned = self.held(locks), {}
        for _ in range(NUDGE_ROUNDS):
            orphans = held - set(owned.values())
            for tid in [tid for tid in self.signals if is_awake(self.pid, tid)]:
                if not held or time.monotonic() > end:
                    return held
                # One that is outside of malloc, as is known, could only go in again.
                if owned.get(tid) not in held if tid in owned else not orphans:
                    continue
                self.nudge(tid)
                now = self.held(locks)
                if now != held:
                    owned[tid] = min(now ^ held)
                    held, orphans = now, now - set(owned.values())
        return held

    def nudge(self, tid):
        if ptrace(CONT, tid, self.signals.pop(tid)) != 0:
            self.gone.add(tid)
            return
        time.sleep(NUDGE_SECONDS)
        ptrace(INTERRUPT, tid)
        end = time.monotonic() + STARVED_SECONDS
        while not self.has_stopped(tid) and time.monotonic() < end:
            time.sleep(PAUSE_SECONDS / 4)

    def held(self, locks):
        """Those of the locks that are held."""
        held = set()
        try:
            with open("/proc/%d/mem" % self.pid, "rb", 0) as memory:
                for lock in locks:
                    memory.seek(lock)
                    if memory.read(4) != b"\0\0\0\0":
                        held.add(lock)
        except (OSError, OverflowError):
            pass
        return held

    def has_stopped(self, tid):
        try:
            got, status = os.waitpid(tid, os.WNOHANG | WALL)
        except OSError:
            got, status = tid, 0
        if got == 0:
            return False
        if os.WIFSTOPPED(status):
            # Not our interruption but a signal on its way: the thread gets it when it runs on.
            self.signals[tid] = os.WSTOPSIG(status) if status >> 16 == 0 else 0
        else:
            self.gone.add(tid)
        return True

    def release(self):
        """Milliseconds that the process stood still."""
        for tid, signal in self.signals.items():
            ptrace(DETACH, tid, signal)
        return (time.monotonic() - self.began) * 1000

    def missed(self):
        """Threads that did not stop. When they do they stay so, unless this process has ended."""
        return len(self.seized) - len(self.signals) - len(self.gone)


def say(**answer):
    os.write(1, (json.dumps(answer) + "\n").encode())


class Lines(object):
    """Lines of standard input."""

    def __init__(self):
        self.text, self.ended = b"", False

    def next(self, seconds):
        """The next line; None when none came in time, and at the end."""
        end = None if seconds is None else time.monotonic() + seconds
        while b"\n" not in self.text and not self.ended:
            left = None if end is None else max(0.0, end - time.monotonic())
            if not select.select([0], [], [], left)[0]:
                return None
            more = os.read(0, 4096)
            self.text += more
            self.ended = more == b""
        line, _, self.text = self.text.partition(b"\n")
        return line.decode() if line else None


def main():
    lines = Lines()
    say(ready=True)
    while not lines.ended:
        words = (lines.next(None) or "").split()
        if len(words) >= 3 and words[0] == "hold":
            hold, line = Hold(int(words[1])), None
            try:
                error = hold.stop()
                if error == 0:
                    locked = hold.unlock([int(word, 16) for word in words[3:]])
                    say(locked=len(locked), held=len(hold.signals), missed=hold.missed())
                    line = lines.next(float(words[2]))
            finally:
                elapsed = hold.release()
            if error == 0:
                say(stoodStillMs=elapsed, late=line is None, ends=hold.missed() > 0)
            else:
                say(error=errno.errorcode.get(error, str(error)))
            if hold.missed() > 0:
                return
            if error == 0 and line is None:
                # The answer to a release that comes too late would be taken for that of the next.
                while not lines.ended and lines.next(None) != "release":
                    pass
                say(late=True)


main()
