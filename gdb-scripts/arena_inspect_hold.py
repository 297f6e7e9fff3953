# Stops all threads of a process by ptrace and lets them run on: no breakpoints, no symbols, nothing written into it.
# The process runs on when this one ends, however it ends: the kernel sees to it.
import errno
import os
import struct
import time

from arena_inspect_frames import MACHINES
from arena_inspect_ptrace import (
    CONT, DETACH, INTERRUPT, NT_PRSTATUS, SEIZE, get_regset, look, ptrace, set_regset, state, threads,
)  # fmt: skip

ENDED = "ZX"
# By the size of their general registers, as the kernel gives them.
MACHINE_OF_SIZE = {struct.calcsize(machine.FORMAT): machine for machine in MACHINES.values()}
# A thread in an uninterruptible system call does not stop; it does not touch memory of its own accord either.
STOP_SECONDS = 1.0
# One that waits for a CPU does as soon as it gets one.
STARVED_SECONDS = 10.0
PAUSE_SECONDS = 0.0002
# So long each thread that may hold a lock runs on alone, and so often that is tried.
NUDGE_SECONDS = 0.00005
NUDGE_ROUNDS = 100
UNLOCK_SECONDS = 1.0

# System calls that malloc makes with a lock in its hands; a thread in any other sleeps, or has none.
MEMORY_CALLS = {
    "x86_64": (9, 10, 11, 12, 25, 28),  # mmap mprotect munmap brk mremap madvise
    "i686": (45, 91, 125, 163, 192, 219),
    "aarch64": (214, 215, 216, 222, 226, 233),
}


def memory_calls(pid):
    """Of the process's own numbers: a 32-bit program of a 64-bit machine has those of i386."""
    machine = os.uname()[4]
    try:
        with open("/proc/%d/exe" % pid, "rb") as file:
            if machine == "x86_64" and file.read(5)[4:] == b"\1":
                machine = "i686"
    except OSError:
        pass
    return MEMORY_CALLS.get(machine, ())


def keep_waiting(tid):
    """Our stop is nobody's business: epoll_wait and the like, which Linux does not restart, go on where they have no
    timeout. Done at once, so that it holds if we end."""
    try:
        data = get_regset(tid, NT_PRSTATUS, 512)
        machine = MACHINE_OF_SIZE.get(len(data))
        after = machine and machine.uninterrupted(machine.unpack(data))
        if after:
            set_regset(tid, NT_PRSTATUS, machine.pack(after))
    except OSError:
        pass


class Hold(object):
    """Threads of one process that stand still; with the signals that wait for them."""

    def __init__(self, pid):
        self.pid, self.signals, self.seized, self.gone, self.began = pid, {}, set(), set(), None
        self.memory_calls = memory_calls(pid)

    def stop(self):
        """Stops all threads, new ones too. 0, or the errno of the first that may not be traced."""
        self.began = time.monotonic()
        while True:
            new = [tid for tid in threads(self.pid) if tid not in self.seized]
            if not new:
                return 0 if self.seized else errno.ESRCH
            for tid in new:
                error = ptrace(SEIZE, tid)
                if error not in (0, errno.ESRCH) and state(self.pid, tid) not in ENDED:
                    return error
                self.seized.add(tid)
                # A first thread that has ended stays until the others have.
                if error != 0:
                    self.gone.add(tid)
            waiting = [tid for tid in new if tid not in self.gone and ptrace(INTERRUPT, tid) == 0]
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
            orphans, nudged = held - set(owned.values()), 0
            for tid in [tid for tid in self.signals if held and self.is_awake(tid)]:
                if not held or time.monotonic() > end:
                    return held
                # One that is outside of malloc, as is known, could only go in again.
                if owned.get(tid) not in held if tid in owned else not orphans:
                    continue
                self.nudge(tid)
                nudged += 1
                now = self.held(locks)
                if now != held:
                    owned[tid] = min(now ^ held)
                    held, orphans = now, now - set(owned.values())
            # None is held any more, or whoever holds them sleeps.
            if nudged == 0:
                break
        return held

    def is_awake(self, tid):
        try:
            with open("/proc/%d/task/%d/syscall" % (self.pid, tid)) as file:
                number = file.read().split()[0]
        except (OSError, IndexError):
            return False
        return number in ("running", "-1") or int(number) in self.memory_calls

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
            status = look(tid)
        except OSError:
            status = 0
        if status is None:
            return False
        if os.WIFSTOPPED(status):
            # Not our interruption but a signal on its way: the thread gets it when it runs on.
            self.signals[tid] = os.WSTOPSIG(status) if status >> 16 == 0 else 0
            if self.signals[tid] == 0:
                keep_waiting(tid)
        else:
            self.gone.add(tid)
        return True

    def release(self):
        """Milliseconds that the process stood still."""
        for tid, signal in self.signals.items():
            ptrace(DETACH, tid, signal)
        return (time.monotonic() - self.began) * 1000

    def release_others(self, but):
        """All threads but one run on."""
        for tid in [tid for tid in self.signals if tid != but]:
            ptrace(DETACH, tid, self.signals.pop(tid))
            self.gone.add(tid)

    def lose(self, tid):
        """A thread that has ended."""
        self.signals.pop(tid, None)
        self.gone.add(tid)

    def missed(self):
        """Threads that did not stop. When they do they stay so, unless this process has ended."""
        return len(self.seized) - len(self.signals) - len(self.gone)
