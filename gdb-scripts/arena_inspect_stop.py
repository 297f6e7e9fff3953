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

SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000
# A thread in an uninterruptible system call does not stop; it does not touch memory of its own accord either.
STOP_SECONDS = 1.0
PAUSE_SECONDS = 0.0002

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


class Hold(object):
    """Threads of one process that stand still; with the signals that wait for them."""

    def __init__(self, pid):
        self.pid, self.signals, self.seized, self.began = pid, {}, set(), None

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
            end = time.monotonic() + STOP_SECONDS
            while waiting and time.monotonic() < end:
                waiting = [tid for tid in waiting if not self.has_stopped(tid)]
                if waiting:
                    time.sleep(PAUSE_SECONDS)

    def has_stopped(self, tid):
        try:
            got, status = os.waitpid(tid, os.WNOHANG | WALL)
        except OSError:
            return True
        if got == 0:
            return False
        if os.WIFSTOPPED(status):
            # Not our interruption but a signal on its way: the thread gets it when it runs on.
            self.signals[tid] = os.WSTOPSIG(status) if status >> 16 == 0 else 0
        return True

    def release(self):
        """Milliseconds that the process stood still."""
        for tid, signal in self.signals.items():
            ptrace(DETACH, tid, signal)
        late = [tid for tid in self.seized if tid not in self.signals]
        for tid in late:
            # It may have stopped by now; if not, it is let go by the end of this process.
            self.has_stopped(tid)
            if tid in self.signals:
                ptrace(DETACH, tid, self.signals[tid])
        return (time.monotonic() - self.began) * 1000


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
        if len(words) == 3 and words[0] == "hold":
            hold, line = Hold(int(words[1])), None
            try:
                error = hold.stop()
                if error == 0:
                    say(held=len(hold.signals), missed=len(hold.seized) - len(hold.signals))
                    line = lines.next(float(words[2]))
            finally:
                elapsed = hold.release()
            if error == 0:
                say(stoodStillMs=elapsed, late=line is None)
            else:
                say(error=errno.errorcode.get(error, str(error)))
            if error == 0 and line is None:
                # The answer to a release that comes too late would be taken for that of the next.
                while not lines.ended and lines.next(None) != "release":
                    pass
                say(late=True)


main()
