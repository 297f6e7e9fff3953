# Parts of the watch over a live process: the line to whoever asked, what is told in which order, ranges and code that are
# known, what /proc tells.
# Loaded before arena_inspect_trace.py, which uses them.
import bisect
import errno
import json
import os
import socket
import time

import gdb

MOST_QUEUED_BYTES = 64 << 20
MOST_FRAMES = 1024
# Register names: arguments, result, and how an entry is told from a return.
MACHINES = {
    "x86_64": {"number": "orig_rax", "result": "rax", "arguments": ("rdi", "rsi", "rdx", "r10"), "mmap": 9,
               "munmap": 11, "brk": 12, "mremap": 25, "architecture": "i386:x86-64"},
    "i386": {"number": "orig_eax", "result": "eax", "arguments": ("ebx", "ecx", "edx", "esi"), "mmap": 192,
             "oldMmap": 90, "munmap": 91, "brk": 45, "mremap": 163, "architecture": "i386"},
    # The kernel puts 0 into x7 for a tracer at entry, 1 at return; x0 holds the first argument until then.
    "aarch64": {"number": "x8", "result": "x0", "arguments": ("x0", "x1", "x2", "x3"), "mmap": 222, "munmap": 215,
                "brk": 214, "mremap": 216, "direction": "x7", "architecture": "aarch64"},
}


class Line(object):
    """The socket to whoever asked; never waits: what it cannot take is queued, and when that is full, counted as lost."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.setblocking(False)
        self.queue, self.lost = b"", 0

    def tell(self, **event):
        data = (json.dumps(event, separators=(",", ":")) + "\n").encode("ascii")
        if self.lost and len(self.queue) < MOST_QUEUED_BYTES // 2:
            data = ('{"k":"lost","t":%d,"n":%d}\n' % (time.time() * 1000, self.lost)).encode("ascii") + data
            self.lost = 0
        if len(self.queue) + len(data) > MOST_QUEUED_BYTES and event.get("k") != "end":
            self.lost += 1
            return
        self.queue += data
        self.flush()

    def flush(self):
        try:
            while self.queue:
                self.queue = self.queue[self.socket.send(self.queue[:1 << 20]):]
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EINTR):
                self.queue = b""

    def finish(self):
        """At the very end everything is sent; nobody waits for us then."""
        try:
            self.socket.settimeout(5)
            self.socket.sendall(self.queue)
            self.socket.close()
        except OSError:
            pass
        self.queue = b""


class Ranges(object):
    """Address ranges that were told, for what touches them."""

    def __init__(self):
        self.starts, self.ends = [], []

    def touches(self, start, end):
        at = bisect.bisect_right(self.ends, start)
        return at < len(self.starts) and self.starts[at] < end

    def remove(self, start, end):
        first = bisect.bisect_right(self.ends, start)
        last = bisect.bisect_left(self.starts, end)
        if first >= last:
            return
        low, high = self.starts[first], self.ends[last - 1]
        pieces = [piece for piece in ((low, start), (end, high)) if piece[0] < piece[1]]
        self.starts[first:last] = [piece[0] for piece in pieces]
        self.ends[first:last] = [piece[1] for piece in pieces]

    def add(self, start, end):
        first = bisect.bisect_left(self.ends, start)
        last = bisect.bisect_right(self.starts, end)
        if first < last:
            start, end = min(start, self.starts[first]), max(end, self.ends[last - 1])
        self.starts[first:last] = [start]
        self.ends[first:last] = [end]


class Code(object):
    """Which code gdb has unwind information for."""

    def __init__(self):
        # loaded: by file, build-id and bias, where gdb takes it to be. extents: of those that are mapped now.
        self.loaded, self.extents, self.nothing = {}, [], set()

    def add(self, modules):
        """False when one lies where gdb has another file, of before exec: it cannot be told to forget that one."""
        for module in modules:
            key = (module["file"], module["buildId"], module["bias"])
            extents = [tuple(extent) for extent in module["extents"]]
            if key not in self.loaded:
                if any(start < end2 and start2 < end for start, end in extents
                       for known in self.loaded.values() for start2, end2 in known):
                    return False
                self.loaded[key] = extents
                try:
                    gdb.execute('add-symbol-file "%s" -o 0x%x' % (key[0], key[2]), False, True)
                except gdb.error:
                    self.loaded[key] = []
            self.extents = sorted(set(self.extents + self.loaded[key]))
        return True

    def forget(self):
        """Another program runs: what was loaded is not mapped. gdb 13 dies of remove-symbol-file after an exec."""
        self.extents, self.nothing = [], set()

    def knows(self, pc):
        at = bisect.bisect_right(self.extents, (pc, 1 << 64)) - 1
        return at >= 0 and self.extents[at][0] <= pc < self.extents[at][1]

    def is_missing(self, pc):
        """True when the place is in no known module, and nobody has looked for one yet."""
        return not self.knows(pc) and pc >> 12 not in self.nothing

    def has_nothing(self, pc):
        if len(self.nothing) > 100000:
            self.nothing.clear()
        self.nothing.add(pc >> 12)

    def walk(self, frame, event):
        """Puts the stack into the event, or returns the place whose code nobody knows yet."""
        counters, cut = [], False
        while frame is not None:
            if len(counters) == MOST_FRAMES:
                cut = True
                break
            pc = frame.pc()
            if frame.type() != gdb.INLINE_FRAME:
                if pc != 0 or not counters:
                    counters.append(hex(pc))
                at = pc if len(counters) == 1 else pc - 1
                if not self.knows(at):
                    if self.is_missing(at):
                        return at
                    # Without unwind information what follows would be guessed.
                    cut = True
                    break
            try:
                older = frame.older()
            except gdb.error:
                cut = True
                break
            if older is None:
                reason = frame.unwind_stop_reason()
                cut = reason not in (gdb.FRAME_UNWIND_NO_REASON, gdb.FRAME_UNWIND_OUTERMOST)
            frame = older
        event["s"], event["cut"] = counters, cut
        return None


class Slot(object):
    """An unmapping that has begun: it counts from its beginning, if it succeeds."""

    def __init__(self, call, arguments):
        self.call, self.arguments, self.events = call, arguments, None


class Order(object):
    """What was seen, in the order in which it took effect: events, and slots whose call has not returned. It is told to
    the line as far as it is complete."""

    def __init__(self, line):
        self.line, self.parts = line, []

    def append(self, part):
        self.parts.append(part)

    def send(self):
        done = 0
        for part in self.parts:
            if isinstance(part, Slot):
                if part.events is None or any(waits(event) for event in part.events):
                    break
                for event in part.events:
                    self.line.tell(**event)
            elif waits(part):
                break
            else:
                self.line.tell(**part)
            done += 1
        del self.parts[:done]

    def settle(self):
        """Calls that have not returned are taken to have done nothing, and stacks that are not known are told as cut."""
        for part in self.parts:
            if isinstance(part, Slot) and part.events is None:
                part.events = []
            for event in part.events if isinstance(part, Slot) else [part]:
                if waits(event):
                    event["cut"] = True
                    event["s"] = []
        self.send()


def waits(event):
    return event["k"] == "map" and event["s"] is None


def signed(value, word):
    return value - word - 1 if value > word >> 1 else value


def stat_of(pid):
    """The fields of /proc/PID/stat from the third, the state, on."""
    with open("/proc/%d/stat" % pid, errors="replace") as file:
        return file.read().rsplit(") ", 1)[1].split()


def image_of(pid):
    with open("/proc/%d/auxv" % pid, "rb") as file:
        return file.read()


def end_of_heap(pid):
    """Where brk stands, in whole pages: the end of [heap], or where it would begin."""
    with open("/proc/%d/maps" % pid) as lines:
        ends = [int(text.split()[0].split("-")[1], 16) for text in lines if text.rstrip().endswith("[heap]")]
    if ends:
        return max(ends)
    return int(stat_of(pid)[44]) or None
