# A process behind a gdb stub (gdbserver), read for a program that asks by a pipe: gdb -nx
# -x arena_inspect_stub.py -x arena_inspect_remote.py, then
#   arena-inspect-remote FOLDER HOST:PORT TIMEOUT-SECONDS PID|0
# FOLDER holds two pipes: one line of JSON comes in by `requests`, and to each goes out by `answers` eight bytes (0 for an
# answer or 1 for an error, and the length of what follows, both 32 bits, little-endian) and the answer itself.
# However it ends, also when the program that asks is killed: the process is let run again first. Needs gdb 8 with Python 3.
import fcntl
import json
import os
import shutil
import signal
import struct
import time

import gdb

PAGE = 4096
MOST_FRAMES = 4096
F_SETPIPE_SZ = 1031
PIPE_BYTES = 1 << 20
# gdb itself can wait for ever for a stub that sends without end; by then nobody waits for its answer.
REQUEST_SECONDS = 120
# Before the connection: no file of the target is looked for, no signal of the process is our business.
SETTINGS = (
    "set auto-solib-add off",
    "set exec-file-mismatch off",
    "set tcp auto-retry off",
)


def quietly(command):
    try:
        return gdb.execute(command, False, True)
    except gdb.error:
        return None


def silence():
    """Sends standard output and errors nowhere; returns where they went."""
    gdb.flush()
    before = [os.dup(1), os.dup(2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(nowhere, number)
    os.close(nowhere)
    return before


def speak(before):
    gdb.flush()
    for number, kept in zip((1, 2), before):
        os.dup2(kept, number)
        os.close(kept)


class Remote(object):
    """The stub and its process."""

    def __init__(self, folder, timeout):
        self.folder, self.timeout = folder, timeout
        self.files = Files()
        self.pid = 0
        self.began = None
        self.stood_still = 0.0
        self.stops = 0
        self.symbols = set()
        self.can_attach = False
        self.wire = None

    def connect(self, where, pid):
        for command in SETTINGS:
            quietly(command)
        quietly("set sysroot %s" % os.path.join(self.folder, "nothing"))
        quietly("set tcp connect-timeout %d" % self.timeout)
        gdb.execute("set remotetimeout %d" % self.timeout, False, True)
        began = time.time()
        before = sockets()
        said = gdb.execute("target extended-remote " + where, False, True)
        self.files.connected()
        # Only gdbserver starts programs, and attaches again to what it has let go.
        self.can_attach = "QStartupWithShell+" in (quietly("maintenance packet qSupported") or "")
        new = [number for number in sockets() if number not in before]
        without_acks = "enabled" in (quietly("show remote noack-packet") or "")
        if self.can_attach and without_acks and len(new) == 1:
            self.wire = Wire(new[0], self.timeout)
        here = gdb.selected_inferior().pid
        if here == 0 and pid == 0:
            raise Lost("no-process", said)
        if here != 0:
            self.pid, self.began, self.stops = here, began, 1
        if pid not in (0, here):
            if here != 0:
                raise Lost("other-process", str(here))
            self.pid = pid
            self.hold()

    def is_held(self):
        return gdb.selected_inferior().pid != 0

    def hold(self):
        if self.is_held():
            return
        began = time.time()
        try:
            gdb.execute("attach %d" % self.pid, False, True)
        except gdb.error as error:
            raise Lost("gone" if self.is_connected() else "closed", str(error))
        self.began = began
        self.stops += 1

    def release(self):
        """Lets the process run."""
        if self.is_held():
            try:
                gdb.execute("detach", False, True)
            finally:
                if self.began is not None:
                    self.stood_still += time.time() - self.began
                    self.began = None

    def report(self):
        now = 0 if self.began is None else time.time() - self.began
        return {"runs": not self.is_held(), "stoodStillMs": (self.stood_still + now) * 1000, "stops": self.stops}

    def is_connected(self):
        inferior = gdb.selected_inferior()
        if hasattr(inferior, "connection"):
            return inferior.connection is not None
        return "remote" in (quietly("info inferiors") or "")

    def read(self, at, size):
        """Bytes from `at` on, as many as can be read up to the first that cannot."""
        data = self.wire.read(at, size) if self.wire else None
        if data is None:
            data = self.try_read(at, size)
        if data is not None:
            return data
        # Memory comes and goes by pages: the last piece ends with the request.
        ends = list(range(PAGE - at % PAGE, size, PAGE)) + [size]
        found, low, high = b"", 0, len(ends) - 1
        while low < high:
            middle = (low + high) // 2
            data = self.try_read(at + len(found), ends[middle] - len(found))
            if data is None:
                high = middle
            else:
                found, low = found + data, middle + 1
        return found

    def try_read(self, at, size):
        began = time.time()
        try:
            return bytes(gdb.selected_inferior().read_memory(at, size))
        except gdb.MemoryError:
            # gdb takes a packet without an answer for memory that is not there.
            if time.time() - began >= self.timeout:
                raise Lost("silent", "no answer to a read")
            return None

    def threads(self):
        found = []
        for thread in gdb.selected_inferior().threads():
            thread.switch()
            pid, lwp, tid = thread.ptid
            found.append([
                lwp or tid or pid,
                thread.name,
                register(("sp", "esp", "rsp")),
                register(("fs_base", "tpidr", "tpidr_el0")),
            ])
        return found

    def stacks(self, depth):
        stacks = {}
        for thread in gdb.selected_inferior().threads():
            thread.switch()
            pid, lwp, tid = thread.ptid
            stacks[lwp or tid or pid] = frames(min(depth, MOST_FRAMES))
        return stacks

    def load(self, modules):
        """Files for the unwinder, and for the names of functions."""
        for path, bias, is_program in modules:
            if path in self.symbols:
                continue
            self.symbols.add(path)
            # The program is gdb's main file: variables it copied from a library then are where they really are.
            if is_program:
                quietly("symbol-file -o %s %s" % (bias, quoted(path)))
            else:
                quietly("add-symbol-file %s -o %s" % (quoted(path), bias))


def register(names):
    frame = gdb.newest_frame()
    for name in names:
        try:
            return hex(int(frame.read_register(name)) & (2 ** 64 - 1))
        except (ValueError, gdb.error):
            continue
    return None


def frames(depth):
    found = []
    try:
        frame = gdb.newest_frame()
        while frame is not None and len(found) < depth:
            sal = frame.find_sal()
            source = "%s:%d" % (sal.symtab.filename, sal.line) if sal.symtab is not None else None
            found.append([hex(frame.pc()), frame.name(), source])
            frame = frame.older()
    except gdb.error:
        pass
    return found


class Pipes(object):
    """Raises OSError when who made them is gone: an open that waits would wait for ever."""

    def __init__(self, folder):
        self.answers = os.open(os.path.join(folder, "answers"), os.O_WRONLY | os.O_NONBLOCK)
        self.requests = os.open(os.path.join(folder, "requests"), os.O_RDONLY | os.O_NONBLOCK)
        for pipe in (self.answers, self.requests):
            flags = fcntl.fcntl(pipe, fcntl.F_GETFL)
            fcntl.fcntl(pipe, fcntl.F_SETFL, flags & ~os.O_NONBLOCK)
        try:
            fcntl.fcntl(self.answers, F_SETPIPE_SZ, PIPE_BYTES)
        except OSError:
            # A smaller pipe takes more turns.
            pass
        self.text = b""

    def next(self):
        """The next request; None when nobody asks any more."""
        while b"\n" not in self.text:
            more = os.read(self.requests, 65536)
            if not more:
                return None
            self.text += more
        signal.alarm(REQUEST_SECONDS)
        line, _, self.text = self.text.partition(b"\n")
        return json.loads(line.decode())

    def answer(self, kind, data):
        signal.alarm(0)
        data = struct.pack("<II", kind, len(data)) + data
        view = memoryview(data)
        while len(view):
            view = view[os.write(self.answers, view):]


def act(remote, request):
    """The bytes that answer a request."""
    what = request["do"]
    if what == "read":
        remote.hold()
        return remote.read(int(request["at"], 16), request["size"])
    return json.dumps(answer_of(remote, what, request)).encode()


def answer_of(remote, what, request):
    if what == "fetch":
        return {"bytes": remote.files.fetch(request["path"], request["to"], request["most"])}
    if what == "link":
        return {"link": remote.files.link_of(request["path"])}
    if what == "threads":
        remote.hold()
        return {"threads": remote.threads()}
    if what == "stacks":
        remote.load(request["modules"])
        remote.hold()
        return {"stacks": remote.stacks(request["depth"])}
    if what == "hold":
        remote.hold()
        return {"stops": remote.stops}
    if what == "release":
        if remote.can_attach:
            remote.release()
        return remote.report()
    raise Refused("no such request: %s" % what)


def serve(remote, pipes):
    about = {"pid": remote.pid, "version": gdb.VERSION, "architecture": architecture()}
    pipes.answer(0, json.dumps(about).encode())
    while True:
        request = pipes.next()
        if request is None or request["do"] == "quit":
            return request is not None
        try:
            pipes.answer(0, act(remote, request))
        except Refused as error:
            pipes.answer(1, failure("refused", str(error)))
        except Lost as error:
            pipes.answer(1, failure(error.code, error.why))
        except gdb.error as error:
            pipes.answer(1, failure("refused" if remote.is_connected() else "closed", str(error)))


def failure(code, why):
    return json.dumps({"code": code, "why": why}).encode()


def architecture():
    try:
        return gdb.selected_inferior().architecture().name()
    except (gdb.error, AttributeError):
        return None


class RemoteCommand(gdb.Command):
    """arena-inspect-remote FOLDER HOST:PORT TIMEOUT-SECONDS PID: answers what is asked by the pipes in FOLDER."""

    def __init__(self):
        super(RemoteCommand, self).__init__("arena-inspect-remote", gdb.COMMAND_DATA)

    def invoke(self, text, from_tty):
        folder, where, timeout, pid = gdb.string_to_argv(text)
        remote = Remote(folder, int(timeout))
        try:
            pipes = Pipes(folder)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            return
        asked = False
        # Who waits for an answer in place reads nothing else: gdb would wait for room in the pipe of its own words.
        said = silence()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(REQUEST_SECONDS)
        try:
            try:
                remote.connect(where, int(pid))
            except gdb.error as error:
                pipes.answer(1, failure("connect", str(error)))
                return
            except Lost as error:
                pipes.answer(1, failure(error.code, error.why))
                return
            asked = serve(remote, pipes)
            if asked:
                remote.release()
                pipes.answer(0, json.dumps(remote.report()).encode())
        except OSError:
            # Nobody reads the answers any more.
            pass
        finally:
            # By the end of gdb a process that the stub started would be killed.
            try:
                remote.release()
            except gdb.error:
                pass
            quietly("disconnect")
            if not asked:
                shutil.rmtree(folder, ignore_errors=True)
            speak(said)


RemoteCommand()
