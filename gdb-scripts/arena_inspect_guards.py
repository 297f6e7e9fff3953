# What a call into a live process needs to know first: the attached process, its locks, and a thread that is fit.
# Loaded before arena_inspect_control.py, which uses it.
import array
import os
import time

import gdb

PAGE = 4096
# A call may use so much of the stack of the thread that makes it (vfprintf takes less than 16 KiB).
STACK_ROOM = 64 * 1024
MOST_ARENAS = 65536
MOST_FRAMES = 4096


class Refusal(Exception):
    """No call is made. `passing`: another moment may be better."""

    def __init__(self, code, why, passing=False):
        Exception.__init__(self, why)
        self.code, self.why, self.passing = code, why, passing


class Process(object):
    """The attached process: bytes, threads, calls."""

    def __init__(self, plan):
        self.pid, self.word = plan["pid"], plan["wordBytes"]
        self.functions = plan["functions"]
        self.memory = None
        self.calls = 0
        self.seconds_in_calls = 0.0

    def attach(self):
        gdb.execute("attach %d" % self.pid, False, True)
        for command in (
            "set scheduler-locking on",
            # Signals that arrive are the program's own business, and no reason to leave a call half done.
            "handle all nostop noprint pass",
            "handle SIGINT nostop noprint pass",
        ):
            gdb.execute(command, False, True)
        self.memory = os.open("/proc/%d/mem" % self.pid, os.O_RDONLY)

    def detach(self):
        if self.memory is not None:
            os.close(self.memory)
            self.memory = None
        if gdb.selected_inferior().pid != 0:
            gdb.execute("detach", False, True)

    def read(self, at, size):
        try:
            data = os.pread(self.memory, size, at)
        except (OSError, OverflowError):
            data = b""
        if len(data) != size:
            raise Refusal("unreadable", "memory at 0x%x cannot be read" % at)
        return data

    def number(self, at, size):
        return int.from_bytes(self.read(at, size), "little")

    def write(self, at, data):
        gdb.selected_inferior().write_memory(at, bytes(data))

    def call(self, name, result, *arguments):
        """A function of the target with (type, value) arguments; raises gdb.error when it did not return."""
        types = ",".join(kind for kind, _ in arguments) or "void"
        values = ",".join(str(value) for _, value in arguments)
        expression = "((%s(*)(%s))%d)(%s)" % (result, types, self.functions[name], values)
        self.calls += 1
        began = time.time()
        try:
            value = gdb.parse_and_eval(expression)
            return None if result == "void" else int(value)
        finally:
            self.seconds_in_calls += time.time() - began


def arenas_of(process, plan):
    """Addresses of all arenas, as `next` leads from main_arena back to it."""
    main, following = plan["mainArena"], plan["nextOffset"]
    found, at = [], main
    while True:
        found.append(at)
        at = process.number(at + following, process.word)
        if at == main:
            return found
        if at == 0 or len(found) > MOST_ARENAS:
            raise Refusal("ring-broken", "the ring of arenas is broken: malloc's own walk over it could never end")


def check_locks(process, arenas):
    held = [index for index, at in enumerate(arenas) if process.number(at, 4) != 0]
    if held:
        which = "arena %d" % held[0] if len(held) == 1 else "%d arenas" % len(held)
        raise Refusal("arena-locked", "a thread that is inside malloc holds the lock of %s" % which, True)


def mappings(pid):
    found = []
    with open("/proc/%d/maps" % pid, errors="replace") as lines:
        for line in lines:
            words = line.rstrip("\n").split(None, 5)
            start, end = (int(part, 16) for part in words[0].split("-"))
            found.append((start, end, words[1], words[5] if len(words) > 5 else ""))
    return found


class Stand(object):
    """Where one thread stopped."""

    def __init__(self, process, thread):
        self.thread, self.lwp = thread, thread.ptid[1] or thread.ptid[0]
        with open("/proc/%d/task/%d/syscall" % (process.pid, self.lwp)) as file:
            words = file.read().split()
        if len(words) < 3:
            raise Refusal("thread-unknown", "the kernel does not tell where thread %d stands" % self.lwp, True)
        self.in_system_call = len(words) > 3 and int(words[0]) >= 0
        self.stack, self.counter = int(words[-2], 16), int(words[-1], 16)

    def thread_pointer(self, process):
        """fs_base and its like, which glibc keeps at the end of each stack that it makes; None where gdb has none."""
        self.thread.switch()
        frame = gdb.newest_frame()
        for name in ("fs_base", "tpidr"):
            try:
                return int(frame.read_register(name)) & (2 ** 64 - 1)
            except (ValueError, gdb.error):
                continue
        return None

    def span(self, process, maps, pointers):
        """[lowest, end) of the stack it stands on; None when it is not surely a whole stack of glibc's or the kernel's."""
        region = next((m for m in maps if m[0] <= self.stack < m[1]), None)
        if region is None or not region[2].startswith("rw"):
            return None
        if region[3] == "[stack]":
            return (region[1] - stack_limit(process.pid), region[1])
        if region[3] != "" and not region[3].startswith("[anon:") and not region[3].startswith("[stack:"):
            return None
        own = pointers.get(self.lwp)
        # Stacks can lie side by side in one mapping: nobody else's end may be between.
        others = [p for lwp, p in pointers.items() if lwp != self.lwp and p is not None]
        if own is None or not region[0] <= own < region[1] or own <= self.stack:
            return None
        if any(self.stack <= p < own for p in others):
            return None
        return (max([region[0]] + [p + PAGE for p in others if p < self.stack]), own)


def stack_limit(pid):
    """Bytes that the first thread's stack may grow to; an unlimited one has at least 8 MiB here."""
    with open("/proc/%d/limits" % pid) as lines:
        for line in lines:
            if line.startswith("Max stack size"):
                word = line.split()[3]
                return int(word) if word.isdigit() else 8 << 20
    return 8 << 20


def touches_malloc(process, plan, stand, span):
    """True when the program counter or any word of the stack points into malloc's code: more than there are frames."""
    low, high = plan["mallocText"]
    if low <= stand.counter < high:
        return True
    start = stand.stack & ~(process.word - 1)
    for at in range(start, span[1], 1 << 20):
        data = process.read(at, min(1 << 20, span[1] - at) & ~(process.word - 1))
        words = array.array("Q" if process.word == 8 else "I", data)
        if any(low <= value < high for value in words):
            return True
    return False


def is_inside_malloc(plan, stand):
    """By gdb's unwinder; None when it does not reach the end of the stack."""
    low, high = plan["mallocText"]
    stand.thread.switch()
    frame = gdb.newest_frame()
    for _ in range(MOST_FRAMES):
        if low <= frame.pc() < high:
            return True
        older = frame.older()
        if older is None:
            ended = frame.unwind_stop_reason() in (gdb.FRAME_UNWIND_NO_REASON, gdb.FRAME_UNWIND_OUTERMOST)
            return False if ended else None
        frame = older
    return None


def choose_thread(process, plan, symbols):
    """The thread that makes the calls: on a whole stack with room, not inside malloc, best in a system call."""
    threads = sorted(gdb.selected_inferior().threads(), key=lambda thread: thread.num)
    single = plan["singleThreaded"]
    lockless = len(threads) == 1 or (single is not None and process.number(single, 1) != 0)
    stands = [Stand(process, thread) for thread in threads]
    maps = mappings(process.pid)
    pointers = dict((stand.lwp, stand.thread_pointer(process)) for stand in stands)
    fit = []
    for stand in sorted(stands, key=lambda one: not one.in_system_call):
        span = stand.span(process, maps, pointers)
        if span is not None and stand.stack - span[0] >= STACK_ROOM:
            fit.append((stand, span))
    if not fit or (lockless and len(fit) < len(stands)):
        raise Refusal("no-stack", "no thread stands on a stack of its own with room for a call", True)
    best = outside_malloc(process, plan, symbols, fit, lockless)
    best.thread.switch()
    gdb.execute("frame 0", False, True)
    return best


def outside_malloc(process, plan, symbols, fit, lockless):
    """The first that is not inside malloc. Where malloc takes no locks (one thread), no thread at all may be in it."""
    doubtful = [stand for stand, span in fit if touches_malloc(process, plan, stand, span)]
    clean = [stand for stand, _ in fit if stand not in doubtful]
    if clean and (not lockless or not doubtful):
        return clean[0]
    if not symbols.loaded:
        raise NeedsSymbols()
    for stand in doubtful:
        inside = is_inside_malloc(plan, stand)
        if inside is False:
            clean.append(stand)
            if not lockless:
                break
        elif lockless:
            what = "is inside malloc" if inside else "may be inside malloc: its stack cannot be read to its end"
            raise Refusal("in-malloc", "thread %d %s, and a process of one thread takes no locks" % (stand.lwp, what), True)
    if not clean:
        raise Refusal("in-malloc", "every thread is inside malloc", True)
    return clean[0]


class NeedsSymbols(Exception):
    """The unwinder has to decide, and it needs the files' unwind tables; they are read while the process runs."""


class Symbols(object):
    def __init__(self, modules):
        self.modules, self.loaded = modules, False

    def load(self):
        self.loaded = True
        for module in self.modules:
            try:
                gdb.execute('add-symbol-file "%s" -o 0x%x' % (module["file"], module["bias"]), False, True)
            except gdb.error:
                continue
