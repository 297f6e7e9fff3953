# One visit to a live process: stopped, checked, glibc's functions called, everything put back, let go. How a process is
# stopped and called is its `process` object's affair: arena_inspect_calls.py has ours, arena_inspect_control.py gdb's.
# src/control/plan.ts has the questions and answers.
import errno
import json
import os
import select
import signal
import struct
import time
import traceback

from arena_inspect_frames import Call, Store
from arena_inspect_guards import PAGE, NeedsSymbols, Refusal, arenas_of, check_locks, choose_threads

# Layout of the memory that is mapped in the target: two signal sets, a FILE of our own and its lock, then its buffer.
OLD_SIGNALS, ALL_SIGNALS, FILE, LOCK, BUFFER = 0, 128, 512, 1024, PAGE
PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS = 3, 0x22
# libio.h: no lock of its own, being written to; the bits of buffering; an error was seen.
IO_USER_LOCK, IO_CURRENTLY_PUTTING, IO_ERR_SEEN = 0x8000, 0x800, 0x20
IO_UNBUFFERED, IO_LINE_BUF, IO_LINKED = 0x2, 0x200, 0x80
# struct _IO_FILE, the same in every glibc since 2.1 (libio/bits/types/struct_FILE.h): offsets by word size.
FILES = {
    8: {"pointers": 0x8, "fileno": 0x70, "flags2": 0x74, "chain": 0x68, "lock": 0x88, "mode": 0xC0, "size": 0xE0},
    4: {"pointers": 0x4, "fileno": 0x38, "flags2": 0x3C, "chain": 0x34, "lock": 0x48, "mode": 0x68, "size": 0x98},
}


class Link(object):
    """The line to whoever asked, as two file descriptors. It ends when they are gone: then nothing more is begun."""

    def __init__(self, reads, writes):
        self.reads, self.writes = reads, writes
        self.open = True
        self.text = b""

    def tell(self, **event):
        line = (json.dumps(event) + "\n").encode("ascii")
        try:
            while line:
                line = line[os.write(self.writes, line) :]
        except OSError:
            self.open = False

    def is_open(self):
        self._receive(0)
        return self.open

    def answer(self, seconds):
        """The next line, or None: the other side is gone, or it took too long."""
        end = time.time() + seconds
        while b"\n" not in self.text and self.open and time.time() < end:
            self._receive(max(0.0, end - time.time()))
        if b"\n" not in self.text:
            return None
        line, self.text = self.text.split(b"\n", 1)
        return json.loads(line.decode("ascii"))

    def _receive(self, seconds):
        try:
            if self.open and select.select([self.reads], [], [], seconds)[0]:
                more = os.read(self.reads, 65536)
                self.open = more != b""
                self.text += more
        except OSError:
            self.open = False


def as_int(word):
    """A result of type int."""
    return (word & 0xFFFFFFFF) - ((word & 0x80000000) << 1)


class Visit(object):
    """A stop in which calls are made, with memory of our own in the target where they need it."""

    def __init__(self, process, plan, arenas):
        self.process, self.plan = process, plan
        # malloc_info lists at most 137 lists an arena; what does not fit is dropped, never written elsewhere.
        self.buffer_size = ((64 + 20 * arenas) * 1024 + PAGE - 1) & ~(PAGE - 1)
        self.size = BUFFER + self.buffer_size
        self.base = None
        # What the thread does by itself after a call, should we be gone by then.
        self.undo = []

    def begin(self):
        p = self.process
        if not p.needs_memory and not any(name in ("info", "stats") for name in self.plan["calls"]):
            return
        minus_one = (1 << 8 * p.word) - 1
        at = p.call("mmap", (0, self.size, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, minus_one, 0))
        if at % PAGE != 0 or at == 0:
            raise Refusal("no-memory", "the process could not map %d bytes of memory" % self.size)
        self.base = at
        self.undo = [Call(p.functions["munmap"], at, self.size)]
        p.block_signals(at + OLD_SIGNALS, at + ALL_SIGNALS)

    def end(self):
        """Puts back signals, then memory; both are tried whatever happened before."""
        if self.base is None:
            return
        try:
            self.process.unblock_signals()
        finally:
            base, self.base, self.undo = self.base, None, []
            self.process.call("munmap", (base, self.size))

    # A FILE whose buffer is our memory: it is in no list and has no file behind it.
    def file_bytes(self, stderr):
        word, layout = self.process.word, FILES[self.process.word]
        data = bytearray(stderr)
        flags = struct.unpack_from("<I", data, 0)[0] & ~(IO_UNBUFFERED | IO_LINE_BUF | IO_ERR_SEEN)
        struct.pack_into("<I", data, 0, flags | IO_CURRENTLY_PUTTING)
        start, end = self.base + BUFFER, self.base + BUFFER + self.buffer_size
        # read ptr, end, base; write base, ptr, end; buffer base, end; three of backup.
        pointers = (start, start, start, start, start, end, start, end, 0, 0, 0)
        struct.pack_into("<%d%s" % (len(pointers), "Q" if word == 8 else "I"), data, layout["pointers"], *pointers)
        struct.pack_into("<i", data, layout["fileno"], -1)
        mode = struct.unpack_from("<i", data, layout["mode"])[0]
        struct.pack_into("<i", data, layout["mode"], -1)
        # A stream that is wide has other functions.
        jumps = self.plan["fileJumps"]
        if jumps is None and mode > 0:
            raise Refusal("stderr-wide", "the program's stderr is wide, and libc does not export _IO_file_jumps")
        if jumps is not None:
            struct.pack_into("<%s" % ("Q" if word == 8 else "I"), data, layout["size"] - word, jumps)
        return data

    def without_lock(self, data):
        """The same FILE, which takes no lock."""
        word, layout = self.process.word, FILES[self.process.word]
        struct.pack_into("<I", data, 0, struct.unpack_from("<I", data, 0)[0] | IO_USER_LOCK)
        struct.pack_into("<%s" % ("Q" if word == 8 else "I"), data, layout["lock"], self.base + LOCK)
        return data

    def written(self, file):
        """What was printed to the FILE at `file`; None when it did not fit."""
        word, layout = self.process.word, FILES[self.process.word]
        data = self.process.read(file, layout["size"])
        pointer = int.from_bytes(data[layout["pointers"] + 4 * word :][:word], "little")
        start = self.base + BUFFER
        failed = struct.unpack_from("<I", data, 0)[0] & IO_ERR_SEEN
        if failed or not start <= pointer <= start + self.buffer_size:
            return None
        return self.process.read(start, pointer - start).decode("latin1")

    def info(self):
        p, layout = self.process, FILES[self.process.word]
        data = self.without_lock(self.file_bytes(p.read(p.functions["_IO_2_1_stderr_"], layout["size"])))
        struct.pack_into("<I", data, 0, struct.unpack_from("<I", data, 0)[0] & ~IO_LINKED)
        data[layout["chain"] : layout["chain"] + p.word] = bytes(p.word)
        p.write(self.base + FILE, data)
        p.call("malloc_info", (0, self.base + FILE), self.undo)
        return self.written(self.base + FILE)

    def stats(self):
        """malloc_stats prints to stderr, whose FILE has our buffer for that long. It is ours by its own lock: should
        we die meanwhile, whoever wants to print waits until the thread has put the FILE back."""
        p, layout = self.process, FILES[self.process.word]
        at = p.functions["_IO_2_1_stderr_"]
        if p.number(self.plan["stderrVariable"], p.word) != at:
            raise Refusal("stderr-replaced", "the program has put another FILE into its variable stderr")
        locks = [p.functions[name] for name in ("flockfile", "funlockfile") if name in p.functions]
        unlock, lock = [], p.number(at + layout["lock"], p.word)
        if len(locks) == 2:
            if p.number(lock, 4) != 0:
                raise Refusal("stderr-locked", "a thread that is printing holds the lock of stderr")
            unlock = [Call(locks[1], at)]
            p.call("flockfile", (at,), unlock + self.undo)
        before = p.read(at, layout["size"])
        ours = self.file_bytes(before)
        words = range(0, layout["size"], p.word)
        back = [Store(at + n, int.from_bytes(before[n : n + p.word], "little")) for n in words]
        undo = back + unlock + self.undo
        try:
            p.stand_by(undo)
            p.write(at, ours if unlock else self.without_lock(ours))
            p.call("malloc_stats", (), undo)
            text = self.written(at)
        except Refusal as refusal:
            # It took the lock once more and did not give it back: an int, a count, an owner.
            if refusal.code == "broken" and unlock:
                p.write(lock, bytes(8 + p.word))
                unlock = []
            raise
        finally:
            p.write(at, before)
            if unlock:
                p.call("funlockfile", (at,), self.undo)
        return text

    def trim(self):
        return as_int(self.process.call("malloc_trim", (self.plan.get("pad", 0),), self.undo))

    def mallopt(self):
        limit = 1 << 32
        return as_int(self.process.call("mallopt", tuple(value % limit for value in self.plan["mallopt"]), self.undo))

    def write(self):
        """A size_t of glibc's own, by address: what it was before."""
        at, value = self.plan["write"]
        before = self.process.number(at, self.process.word)
        self.process.write(at, value.to_bytes(self.process.word, "little"))
        return before


CALLS = {"info": Visit.info, "stats": Visit.stats, "trim": Visit.trim, "mallopt": Visit.mallopt, "write": Visit.write}


def pause(link, name, plan):
    """Lets the other side look at the process while it stands; its answer says whether to go on."""
    link.tell(event="pause", name=name)
    answer = link.answer(plan["pauseSeconds"])
    if answer is None or not answer.get("go"):
        why = "nobody asks any more" if not link.open else "the look at the stopped process took too long or was broken off"
        raise Refusal("aborted", why)


def visit(process, plan, arenas, link):
    """The calls of one stop; whatever happens, signals and memory are put back."""
    results, errors = {}, {}
    if plan["pauses"]:
        pause(link, "before", plan)
    stop = Visit(process, plan, len(arenas))
    if plan["calls"]:
        try:
            stop.begin()
            for name in plan["calls"]:
                if not link.is_open():
                    raise Refusal("aborted", "nobody asks any more")
                link.tell(event="call", name=name)
                try:
                    results[name] = CALLS[name](stop)
                except Refusal as refusal:
                    if refusal.code == "broken":
                        raise
                    errors[name] = {"code": refusal.code, "why": refusal.why}
        finally:
            stop.end()
    if "after" in plan["pauses"]:
        try:
            pause(link, "after", plan)
        except Refusal as refusal:
            errors["after"] = {"code": refusal.code, "why": refusal.why}
    return {"results": results, "errors": errors}


def guarded_visit(process, plan, link):
    """One stop: everything from the first thread that stops to the last that runs on. Raises Refusal, NeedsSymbols."""
    began = time.time()
    try:
        process.attach()
        arenas = arenas_of(process, plan)
        process.settle(arenas)
        check_locks(process, arenas)
        stand = process.take(choose_threads(process, plan))
        answer = visit(process, plan, arenas, link)
        answer.update(thread=stand.lwp, inSystemCall=process.in_system_call(stand), arenas=len(arenas))
    finally:
        process.detach()
    answer.update(
        stoppedMs=(time.time() - began) * 1000, callMs=process.seconds_in_calls * 1000, calls=process.calls
    )
    return answer


def run(process, plan, link):
    deadline, tries = time.time() + plan["retrySeconds"], 0
    while True:
        tries += 1
        try:
            answer = guarded_visit(process, plan, link)
            answer.update(tries=tries)
            return answer
        except NeedsSymbols:
            process.load_symbols()
        except Refusal as refusal:
            if not refusal.passing or time.time() > deadline or not link.is_open():
                return {"refused": {"code": refusal.code, "why": refusal.why}, "tries": tries}
            link.tell(event="retry", why=refusal.why)
            time.sleep(min(0.2, 0.002 * 1.5 ** min(tries, 12)) * (0.5 + (time.time() * 1000) % 1))


def answer_of(make_process, plan, link):
    """run() with every failure as an answer; `make_process(plan)` may refuse as well."""
    try:
        return run(make_process(plan), plan, link)
    except Refusal as refusal:
        return {"refused": {"code": refusal.code, "why": refusal.why}, "tries": 1}
    except OSError as error:
        gone = error.errno in (errno.ESRCH, errno.ECHILD, errno.ENOENT)
        why = "the process is gone" if gone else "the kernel refuses"
        code = "gone" if gone else "kernel"
        return {"refused": {"code": code, "why": "%s: %s" % (why, os.strerror(error.errno or errno.ESRCH))}, "tries": 1}
    except Exception:
        why = "a defect of this script: " + traceback.format_exc().strip().replace("\n", " | ")
        return {"refused": {"code": "defect", "why": why}, "tries": 1}


def let_nothing_end_us():
    """Nothing polite ends this process while it is inside another one: not a closed pipe, not a hang-up. An interrupt
    is worse than useless: gdb would pass it on."""
    for name in ("SIGPIPE", "SIGHUP", "SIGTERM", "SIGINT"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
