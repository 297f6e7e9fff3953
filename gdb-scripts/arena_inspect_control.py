# Runs functions of glibc's malloc inside a live process: attaches, checks that a call is safe now, calls, puts
# everything back, detaches. All of it is one gdb command, so that it comes to its end whoever started it is gone.
# Needs Python 3, and arena_inspect_guards.py loaded before it. Used by arena-inspect only; src/control/plan.ts has its
# questions and answers.
import errno
import json
import os
import select
import signal
import socket
import struct
import time
import traceback

import gdb

# Layout of the memory that is mapped in the target: two signal sets, a FILE of our own and its lock, then its buffer.
OLD_SIGNALS, ALL_SIGNALS, FILE, LOCK, BUFFER = 0, 128, 512, 1024, PAGE
SIG_SETMASK = 2
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
    """The line to whoever asked. It is closed when they are gone: then nothing more is begun."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        # Whoever made it may be killed: nothing is left lying about then. They may have removed it by now, too.
        try:
            os.unlink(path)
        except OSError:
            pass
        self.open = True
        self.text = b""

    def tell(self, **event):
        try:
            self.socket.sendall((json.dumps(event) + "\n").encode("ascii"))
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
            if self.open and select.select([self.socket], [], [], seconds)[0]:
                more = self.socket.recv(4096)
                self.open = more != b""
                self.text += more
        except OSError:
            self.open = False


class Visit(object):
    """A stop in which calls are made: memory of our own in the target, and no signal handlers meanwhile."""

    def __init__(self, process, plan, arenas):
        self.process, self.plan, self.arenas = process, plan, arenas
        # malloc_info lists at most 137 lists an arena; what does not fit is dropped, never written elsewhere.
        self.buffer_size = ((64 + 20 * arenas) * 1024 + PAGE - 1) & ~(PAGE - 1)
        self.size = BUFFER + self.buffer_size
        self.base = None
        self.masked = False

    def begin(self):
        p, word = self.process, "unsigned long"
        kinds = (word, 0), (word, self.size), ("int", PROT_READ_WRITE), ("int", MAP_PRIVATE_ANONYMOUS)
        at = p.call("mmap", word, *(kinds + (("int", -1), ("long", 0))))
        if at % PAGE != 0 or at == 0:
            raise Refusal("no-memory", "the process could not map %d bytes of memory" % self.size)
        self.base = at
        p.write(at + ALL_SIGNALS, b"\xff" * 128)
        if self._mask(at + ALL_SIGNALS, at + OLD_SIGNALS) != 0:
            raise Refusal("no-mask", "sigprocmask failed")
        self.masked = True

    def end(self):
        """Puts back signals, then memory; both are tried whatever happened before."""
        try:
            if self.masked:
                self._mask(self.base + OLD_SIGNALS, 0)
                self.masked = False
        finally:
            if self.base is not None:
                word = "unsigned long"
                self.process.call("munmap", "int", (word, self.base), (word, self.size))
                self.base = None

    def _mask(self, to, old):
        word = "unsigned long"
        return self.process.call("sigprocmask", "int", ("int", SIG_SETMASK), (word, to), (word, old))

    # A FILE whose buffer is our memory: it takes no lock, is in no list, and has no file behind it.
    def file_bytes(self, stderr):
        word, layout = self.process.word, FILES[self.process.word]
        data = bytearray(stderr)
        flags = struct.unpack_from("<I", data, 0)[0] & ~(IO_UNBUFFERED | IO_LINE_BUF | IO_ERR_SEEN)
        struct.pack_into("<I", data, 0, flags | IO_USER_LOCK | IO_CURRENTLY_PUTTING)
        start, end = self.base + BUFFER, self.base + BUFFER + self.buffer_size
        # read ptr, end, base; write base, ptr, end; buffer base, end; three of backup.
        pointers = (start, start, start, start, start, end, start, end, 0, 0, 0)
        struct.pack_into("<%d%s" % (len(pointers), "Q" if word == 8 else "I"), data, layout["pointers"], *pointers)
        struct.pack_into("<i", data, layout["fileno"], -1)
        struct.pack_into("<%s" % ("Q" if word == 8 else "I"), data, layout["lock"], self.base + LOCK)
        mode = struct.unpack_from("<i", data, layout["mode"])[0]
        struct.pack_into("<i", data, layout["mode"], -1)
        # A stream that is wide has other functions.
        jumps = self.plan["fileJumps"]
        if jumps is None and mode > 0:
            raise Refusal("stderr-wide", "the program's stderr is wide, and libc does not export _IO_file_jumps")
        if jumps is not None:
            struct.pack_into("<%s" % ("Q" if word == 8 else "I"), data, layout["size"] - word, jumps)
        return data

    def written(self, file):
        """What was printed to the FILE at `file`; None when it did not fit."""
        word, layout = self.process.word, FILES[self.process.word]
        data = self.process.read(file, layout["size"])
        pointer = int.from_bytes(data[layout["pointers"] + 4 * word:][:word], "little")
        start = self.base + BUFFER
        failed = struct.unpack_from("<I", data, 0)[0] & IO_ERR_SEEN
        if failed or not start <= pointer <= start + self.buffer_size:
            return None
        return self.process.read(start, pointer - start).decode("latin1")

    def info(self):
        p, layout = self.process, FILES[self.process.word]
        data = self.file_bytes(p.read(p.functions["_IO_2_1_stderr_"], layout["size"]))
        struct.pack_into("<I", data, 0, struct.unpack_from("<I", data, 0)[0] & ~IO_LINKED)
        data[layout["chain"]:layout["chain"] + p.word] = bytes(p.word)
        p.write(self.base + FILE, data)
        p.call("malloc_info", "int", ("int", 0), ("unsigned long", self.base + FILE))
        return self.written(self.base + FILE)

    def stats(self):
        """malloc_stats prints to stderr, whose FILE is ours for that long; other threads stand still meanwhile."""
        p, layout = self.process, FILES[self.process.word]
        at = p.functions["_IO_2_1_stderr_"]
        if p.number(self.plan["stderrVariable"], p.word) != at:
            raise Refusal("stderr-replaced", "the program has put another FILE into its variable stderr")
        before = p.read(at, layout["size"])
        try:
            p.write(at, self.file_bytes(before))
            p.call("malloc_stats", "void")
            text = self.written(at)
        finally:
            p.write(at, before)
        return text

    def trim(self):
        return self.process.call("malloc_trim", "int", ("unsigned long", self.plan.get("pad", 0)))

    def mallopt(self):
        parameter, value = self.plan["mallopt"]
        return self.process.call("mallopt", "int", ("int", parameter), ("int", value))

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
                    errors[name] = {"code": refusal.code, "why": refusal.why}
        finally:
            stop.end()
    if "after" in plan["pauses"]:
        try:
            pause(link, "after", plan)
        except Refusal as refusal:
            errors["after"] = {"code": refusal.code, "why": refusal.why}
    return {"results": results, "errors": errors}


def guarded_visit(process, plan, link, symbols):
    """One stop: attached, checked, called, detached. Raises Refusal, NeedsSymbols, gdb.error."""
    began = time.time()
    try:
        process.attach()
        arenas = arenas_of(process, plan)
        check_locks(process, arenas)
        stand = choose_thread(process, plan, symbols)
        answer = visit(process, plan, arenas, link)
        answer.update(thread=stand.lwp, inSystemCall=stand.in_system_call, arenas=len(arenas))
    finally:
        process.detach()
    answer.update(
        stoppedMs=(time.time() - began) * 1000, callMs=process.seconds_in_calls * 1000, calls=process.calls
    )
    return answer


def run(plan, link):
    process, symbols = Process(plan), Symbols(plan["modules"])
    deadline, tries = time.time() + plan["retrySeconds"], 0
    while True:
        tries += 1
        try:
            answer = guarded_visit(process, plan, link, symbols)
            answer.update(tries=tries)
            return answer
        except NeedsSymbols:
            symbols.load()
        except Refusal as refusal:
            if not refusal.passing or time.time() > deadline or not link.is_open():
                return {"refused": {"code": refusal.code, "why": refusal.why}, "tries": tries}
            link.tell(event="retry", why=refusal.why)
            time.sleep(min(0.2, 0.002 * 1.5 ** min(tries, 12)) * (0.5 + (time.time() * 1000) % 1))
        except gdb.error as error:
            return {"refused": {"code": "gdb", "why": str(error)}, "tries": tries, "calls": process.calls}


class ControlCommand(gdb.Command):
    """arena-inspect-control PLAN-FILE: the visit that the JSON in the file asks for; the socket has the answer."""

    def __init__(self):
        super(ControlCommand, self).__init__("arena-inspect-control", gdb.COMMAND_OBSCURE)

    def invoke(self, text, from_tty):
        with open(text) as file:
            plan = json.load(file)
        os.unlink(text)
        link = Link(plan["socket"])
        try:
            answer = run(plan, link)
        except OSError as error:
            why = "the process is gone: %s" % os.strerror(error.errno or errno.ESRCH)
            answer = {"refused": {"code": "gone", "why": why}, "tries": 1}
        except Exception:
            why = "a defect of this script: " + traceback.format_exc().strip().replace("\n", " | ")
            answer = {"refused": {"code": "defect", "why": why}, "tries": 1}
        finally:
            try:
                os.rmdir(os.path.dirname(text))
            except OSError:
                pass
        # Not as gdb's own answer: that comes too early, as `^running`, when there is a second attach.
        link.tell(event="answer", answer=answer)


# Nothing ends this gdb while it is inside another process: not a closed pipe, not a hang-up, not a polite kill. An
# interrupt is worse than useless: gdb would pass it on to the process, where it stays pending until we are gone.
for name in ("SIGPIPE", "SIGHUP", "SIGTERM", "SIGINT"):
    signal.signal(getattr(signal, name), signal.SIG_IGN)
for setting in (
    "auto-solib-add off",
    # What the process has mapped is not read while it stands still; calls go by address.
    "sysroot /nonexistent",
    "exec-file-mismatch off",
    "unwindonsignal on",
    "language c",
):
    try:
        gdb.execute("set " + setting, False, True)
    except gdb.error:
        pass
try:
    # A signal that ends a called function as an exception would is unwound too (gdb 12 and older have no such setting).
    gdb.execute("set unwind-on-terminating-exception on", False, True)
except gdb.error:
    pass
ControlCommand()
