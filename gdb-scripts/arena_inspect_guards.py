# What a call into a live process needs to know first: its arenas, their locks, and a thread that is fit. Of a process
# that is stopped already, by gdb or by our own ptrace.
import array
import os

from arena_inspect_unwind import mappings

PAGE = 4096
MOST_ARENAS = 65536
# So many threads are looked for, should the best not do.
MOST_CALLERS = 3
PAGEMAP_GUARD = 58
NO_STACK = "no thread stands on a stack of its own with room for a call"


class Refusal(Exception):
    """No call is made. `passing`: another moment may be better."""

    def __init__(self, code, why, passing=False):
        Exception.__init__(self, why)
        self.code, self.why, self.passing = code, why, passing


class NeedsSymbols(Exception):
    """Whoever unwinds has to read files for it, which is done while the process runs."""


class Memory(object):
    """Reads from `self.memory`, an open /proc/PID/mem."""

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


class Stand(object):
    """Where one thread stopped. `cost`: how little it would mind making the calls, 0 the best; None: it may not."""

    def __init__(self, lwp, stack, counter, pointer, cost):
        self.lwp, self.stack, self.counter = lwp, stack, counter
        # fs_base and its like, which glibc keeps at the end of each stack that it makes; None where that is unknown.
        self.pointer, self.cost = pointer, cost
        self.lowest = None

    def span(self, pid, maps, stands):
        """[lowest, end) of the stack it stands on; None when it is not surely a whole stack of glibc's or the kernel's:
        on a signal stack, a coroutine's, or one that the program made without a guard page."""
        region = next((m for m in maps if m[0] <= self.stack < m[1]), None)
        if region is None or not region[2].startswith("rw"):
            return None
        if region[3] == "[stack]":
            return (region[1] - stack_limit(pid), region[1])
        if region[3] != "" and not region[3].startswith("[anon:") and not region[3].startswith("[stack:"):
            return None
        own = self.pointer
        # What the first thread's points at is at the end of no stack.
        if self.lwp == pid or own is None or not region[0] <= own < region[1] or own <= self.stack:
            return None
        # Stacks can lie side by side in one mapping: nobody else's end may be between.
        others = [stand.pointer for stand in stands if stand is not self and stand.pointer is not None]
        if any(self.stack <= p < own for p in others):
            return None
        lowest = max([region[0]] + [p + PAGE for p in others if p < self.stack])
        guarded = any(m[1] == region[0] and m[2].startswith("---") for m in maps) and lowest == region[0]
        guard = guard_page_between(pid, lowest, self.stack)
        if guard is not None:
            lowest = guard + PAGE
        return (lowest, own) if guarded or guard is not None else None


def guard_page_between(pid, low, high):
    """The highest page of [low, high) that madvise(MADV_GUARD_INSTALL) made a guard, as glibc does from 2.42 on: the
    mappings do not show it. None for none, and where the kernel (before 6.15) does not tell."""
    first, last = low // PAGE, high // PAGE
    try:
        with open("/proc/%d/pagemap" % pid, "rb", 0) as file:
            file.seek(8 * first)
            entries = array.array("Q", file.read(8 * (last - first)))
    except (OSError, ValueError, OverflowError):
        return None
    for index in range(len(entries) - 1, -1, -1):
        if entries[index] >> PAGEMAP_GUARD & 1:
            return (first + index) * PAGE
    return None


def stack_limit(pid):
    """Bytes that the first thread's stack may grow to; an unlimited one has at least 8 MiB here."""
    with open("/proc/%d/limits" % pid) as lines:
        for line in lines:
            if line.startswith("Max stack size"):
                word = line.split()[3]
                return int(word) if word.isdigit() else 8 << 20
    return 8 << 20


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


def touches_malloc(process, plan, stand, span):
    """True when the program counter or any word of the stack points into malloc's code: more than there are frames."""
    low, high = plan["mallocText"]
    if low <= stand.counter < high:
        return True
    # What all these addresses have in common is searched for; a stack can be megabytes.
    common = next(n for n in range(process.word) if low >> 8 * n == (high - 1) >> 8 * n)
    pattern = low.to_bytes(process.word, "little")[common:]
    start = stand.stack & ~(process.word - 1)
    for at in range(start, span[1], 1 << 20):
        data = process.read(at, min(1 << 20, span[1] - at) & ~(process.word - 1))
        found = data.find(pattern)
        while found >= 0:
            word = found - common
            if word % process.word == 0 and low <= int.from_bytes(data[word : word + process.word], "little") < high:
                return True
            found = data.find(pattern, found + 1)
    return False


def choose_threads(process, plan):
    """The threads that may make the calls, the best first: on a whole stack with room, not inside malloc. Where malloc
    takes no locks (one thread), no thread at all may be in it."""
    stands = process.stands()
    single = plan["singleThreaded"]
    lockless = len(stands) == 1 or (single is not None and process.number(single, 1) != 0)
    maps = mappings(process.pid)
    clean, doubtful = [], []
    for stand in sorted((one for one in stands if one.cost is not None), key=lambda one: one.cost):
        if len(clean) == MOST_CALLERS and not lockless:
            break
        span = stand.span(process.pid, maps, stands)
        if span is not None and stand.stack - span[0] >= process.room:
            stand.lowest = span[0]
            (doubtful if touches_malloc(process, plan, stand, span) else clean).append(stand)
    if not clean + doubtful or (lockless and len(clean + doubtful) < len(stands)):
        raise Refusal("no-stack", NO_STACK, True)
    if clean and (not lockless or not doubtful):
        return clean
    return unwound(process, plan, clean, doubtful, lockless)


def unwound(process, plan, clean, doubtful, lockless):
    """`clean`, and those of the doubtful threads that are not inside malloc by their callers."""
    for stand in doubtful:
        inside = process.is_inside(stand, plan["mallocText"])
        if inside is False:
            clean.append(stand)
            if not lockless:
                break
        elif lockless:
            what = "is inside malloc" if inside else "may be inside malloc: its stack cannot be read to its end"
            raise Refusal("in-malloc", "thread %d %s, and a process of one thread takes no locks" % (stand.lwp, what), True)
    if not clean:
        raise Refusal("in-malloc", "every thread is inside malloc", True)
    return clean
