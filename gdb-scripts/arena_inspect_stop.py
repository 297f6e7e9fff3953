# Lets a process stand still and run on, for arena-inspect --stop.
# By hand: python3 arena_inspect_stop.py (or gdb -nx -batch -x arena_inspect_stop.py), then lines on its standard input:
#   hold PID SECONDS    all its threads stop, for SECONDS at most
#   release             they run on
# Each is answered by one line of JSON. The process runs on when this one ends, however it ends: the kernel sees to it.
import errno
import json
import os
import select
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from arena_inspect_hold import Hold  # noqa: E402


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
