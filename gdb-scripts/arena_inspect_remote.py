# A process behind a gdb stub (gdbserver), read for a program that asks by a pipe: gdb -nx -x arena_inspect_remote.py, then
#   arena-inspect-remote FOLDER HOST:PORT TIMEOUT-SECONDS PID|0
# FOLDER holds two pipes: one line of JSON comes in by `requests`, and to each goes out by `answers` eight bytes (0 for an
# answer or 1 for an error, and the length of what follows, both 32 bits, little-endian) and the answer itself.
# However it ends, also when the program that asks is killed: the process is let run again first. Needs gdb 8 with Python 3.
import binascii
import fcntl
import json
import os
import re
import select
import shutil
import signal
import struct
import time

import gdb

PAGE = 4096
FILE_BLOCK = 8192
MOST_FRAMES = 4096
# gdbserver's packets have room for 9215 bytes in hexadecimal.
BLOCK = 8192
BLOCKS_AHEAD = 4
MOST_PACKET = 1 << 20
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


class Lost(Exception):
    """Nothing more can be asked: `code` is what happened."""

    def __init__(self, code, why):
        Exception.__init__(self, why)
        self.code, self.why = code, why


class Refused(Exception):
    """This request cannot be answered; others may be."""


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


class Files(object):
    """Files of the machine that the stub runs on, by vFile packets."""

    def __init__(self):
        self.link = None

    def connected(self):
        inferior = gdb.selected_inferior()
        self.link = getattr(inferior, "connection", None)

    def packet(self, text):
        answer = self.link.send_packet(text)
        return answer if isinstance(answer, bytes) else (answer or "").encode("latin-1")

    def number(self, answer):
        found = re.match(br"F(-1,([0-9a-f]+)|[0-9a-f]+)(;|$)", answer)
        if not found:
            raise Refused("the stub gives no files")
        if found.group(2):
            raise Refused("errno %d" % int(found.group(2), 16))
        return int(found.group(1), 16)

    def fetch(self, path, to, most):
        """Copies the file to `to`; returns its bytes. Longer than `most` is refused."""
        if not hasattr(self.link, "send_packet"):
            return self.fetch_by_command(path, to, most)
        handle = self.number(self.packet("vFile:open:%s,0,0" % path.encode("utf-8", "surrogateescape").hex()))
        done = 0
        try:
            with open(to, "wb") as file:
                while True:
                    answer = self.packet("vFile:pread:%x,%x,%x" % (handle, FILE_BLOCK, done))
                    count = self.number(answer)
                    if count == 0:
                        return done
                    data = unescape(answer[answer.index(b";") + 1:])
                    if len(data) != count:
                        raise Refused("the stub sends other bytes than it says")
                    done += count
                    if done > most:
                        raise Refused("larger than %d bytes" % most)
                    file.write(data)
        finally:
            self.packet("vFile:close:%x" % handle)

    def link_of(self, path):
        """What a symbolic link says; None where that cannot be told."""
        if not hasattr(self.link, "send_packet"):
            return None
        answer = self.packet("vFile:readlink:" + path.encode("utf-8", "surrogateescape").hex())
        self.number(answer)
        return unescape(answer[answer.index(b";") + 1:]).decode("utf-8", "replace")

    def fetch_by_command(self, path, to, most):
        """For gdb before 12, which gives scripts no packets."""
        try:
            gdb.execute("remote get %s %s" % (quoted(path), quoted(to)), False, True)
        except gdb.error as error:
            raise Refused(str(error))
        size = os.stat(to).st_size
        if size > most:
            raise Refused("larger than %d bytes" % most)
        return size


class Wire(object):
    """Memory by packets of our own on gdb's connection, while gdb waits for nothing: 5 times as fast as gdb, which
    takes each character by itself and asks for the next packet when it has read the last. For gdbserver without acks."""

    def __init__(self, handle, timeout):
        self.handle, self.timeout = handle, timeout
        self.text = bytearray()

    def read(self, at, size):
        """All of [at, at + size); None where a part of it cannot be read."""
        asked, found, whole = at, [], True
        end = at + size
        blocks = []
        while asked < end or blocks:
            while asked < end and len(blocks) < BLOCKS_AHEAD:
                count = min(BLOCK - asked % BLOCK, end - asked)
                self.send("m%x,%x" % (asked, count))
                blocks.append(count)
                asked += count
            data = self.data(self.packet())
            whole = whole and data is not None and len(data) == blocks[0]
            found.append(data or b"")
            blocks.pop(0)
        return b"".join(found) if whole else None

    def send(self, text):
        data = text.encode()
        data = b"$" + data + b"#%02x" % (sum(data) & 255)
        while data:
            data = data[os.write(self.handle, data):]

    def packet(self):
        """What stands between `$` and `#`; notifications are left out."""
        while True:
            end = self.text.find(b"#")
            if end >= 0 and len(self.text) >= end + 3:
                packet = bytes(self.text[:end])
                del self.text[:end + 3]
                start = packet.find(b"$")
                if start >= 0:
                    return packet[start + 1:]
                continue
            if len(self.text) > MOST_PACKET:
                raise Lost("closed", "a packet without end")
            if not select.select([self.handle], [], [], self.timeout)[0]:
                raise Lost("silent", "no answer to a read")
            more = os.read(self.handle, 1 << 18)
            if not more:
                raise Lost("closed", "Remote connection closed")
            self.text += more

    def data(self, packet):
        try:
            return binascii.unhexlify(expand(packet))
        except ValueError:
            return None


def expand(packet):
    """Runs are a character, `*`, and how often it comes again, plus 29."""
    parts, done = [], 0
    while True:
        star = packet.find(b"*", done)
        if star < 1 or star + 1 >= len(packet):
            return b"".join(parts) + packet[done:]
        parts.append(packet[done:star] + packet[star - 1:star] * (packet[star + 1] - 29))
        done = star + 2


def sockets():
    """Connections of this process by their numbers."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink("/proc/self/fd/" + name)
        except OSError:
            continue
        if target.startswith("socket:"):
            found[int(name)] = target
    return found


def unescape(data):
    parts = data.split(b"}")
    # An escaped character is never empty, so each later part begins with one; `}` itself is escaped too.
    return parts[0] + b"".join(bytes((part[0] ^ 0x20,)) + part[1:] for part in parts[1:] if part)


def quoted(path):
    return '"%s"' % re.sub(r'([\\"])', r"\\\1", path)


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
