# Calls into a live process by gdb's own `call`: for processors that arena_inspect_calls.py has no frames for. gdb
# attaches, calls, puts back, detaches; all of it is one gdb command, so that it comes to its end whoever started it is
# gone. A SIGKILL of gdb itself during a call ends the process, which is why this is the second choice.
# Needs Python 3. Used by arena-inspect only; src/control/plan.ts has its questions and answers.
import json
import os
import socket
import sys
import time

import gdb

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from arena_inspect_guards import Memory, NeedsSymbols, Refusal, Stand  # noqa: E402
from arena_inspect_visit import Link, answer_of, let_nothing_end_us  # noqa: E402

# gdb calls on the thread's stack, and printf takes less than 16 KiB.
STACK_ROOM = 64 * 1024
MOST_FRAMES = 4096
SIG_SETMASK = 2


def as_refusal(error):
    return Refusal("gdb", str(error))


class GdbProcess(Memory):
    """The process that gdb is attached to: bytes, threads, calls."""

    needs_memory = True
    room = STACK_ROOM

    def __init__(self, plan):
        self.pid, self.word = plan["pid"], plan["wordBytes"]
        self.functions, self.modules = plan["functions"], plan["modules"]
        self.memory = self.signals = None
        self.loaded = False
        self.calls, self.seconds_in_calls = 0, 0.0

    def attach(self):
        try:
            gdb.execute("attach %d" % self.pid, False, True)
            for command in (
                "set scheduler-locking on",
                # Signals that arrive are the program's own business, and no reason to leave a call half done.
                "handle all nostop noprint pass",
                "handle SIGINT nostop noprint pass",
            ):
                gdb.execute(command, False, True)
        except gdb.error as error:
            raise as_refusal(error)
        self.memory = os.open("/proc/%d/mem" % self.pid, os.O_RDONLY)

    def detach(self):
        if self.memory is not None:
            os.close(self.memory)
            self.memory = None
        if gdb.selected_inferior().pid != 0:
            gdb.execute("detach", False, True)

    def settle(self, arenas):
        pass

    def write(self, at, data):
        gdb.selected_inferior().write_memory(at, bytes(data))

    def stands(self):
        threads = sorted(gdb.selected_inferior().threads(), key=lambda thread: thread.num)
        return [self.stand_of(thread) for thread in threads]

    def stand_of(self, thread):
        lwp = thread.ptid[1] or thread.ptid[0]
        with open("/proc/%d/task/%d/syscall" % (self.pid, lwp)) as file:
            words = file.read().split()
        if len(words) < 3:
            raise Refusal("thread-unknown", "the kernel does not tell where thread %d stands" % lwp, True)
        waits = len(words) > 3 and int(words[0]) >= 0
        thread.switch()
        stand = Stand(lwp, int(words[-2], 16), int(words[-1], 16), thread_pointer(), 0 if waits else 1)
        stand.thread = thread
        return stand

    def is_inside(self, stand, text):
        """By gdb's unwinder; None when it does not reach the end of the stack."""
        if not self.loaded:
            raise NeedsSymbols()
        low, high = text
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

    def load_symbols(self):
        """The unwind tables of the program's files, read while it runs."""
        self.loaded = True
        for module in self.modules:
            try:
                gdb.execute('add-symbol-file "%s" -o 0x%x' % (module["file"], module["bias"]), False, True)
            except gdb.error:
                continue

    def take(self, stands):
        stands[0].thread.switch()
        gdb.execute("frame 0", False, True)
        return stands[0]

    def in_system_call(self, stand):
        return stand.cost == 0

    def call(self, name, arguments, undo=()):
        """The function's result as an unsigned word. `undo` is nobody's: gdb cannot be outlived."""
        types = ",".join("unsigned long" for _ in arguments) or "void"
        values = ",".join("%dUL" % value for value in arguments)
        expression = "((unsigned long(*)(%s))%d)(%s)" % (types, self.functions[name], values)
        self.calls += 1
        began = time.time()
        try:
            return int(gdb.parse_and_eval(expression))
        except gdb.error as error:
            raise as_refusal(error)
        finally:
            self.seconds_in_calls += time.time() - began

    def stand_by(self, undo):
        pass

    def block_signals(self, old, everything):
        self.write(everything, b"\xff" * 128)
        if self.call("sigprocmask", (SIG_SETMASK, everything, old)) & 0xFFFFFFFF != 0:
            raise Refusal("no-mask", "sigprocmask failed")
        self.signals = old

    def unblock_signals(self):
        if self.signals is not None:
            old, self.signals = self.signals, None
            self.call("sigprocmask", (SIG_SETMASK, old, 0))


def thread_pointer():
    """fs_base and its like of the selected thread; None where gdb has none."""
    frame = gdb.newest_frame()
    for name in ("fs_base", "tpidr"):
        try:
            return int(frame.read_register(name)) & (2**64 - 1)
        except (ValueError, gdb.error):
            continue
    return None


class ControlCommand(gdb.Command):
    """arena-inspect-control PLAN-FILE: the visit that the JSON in the file asks for; the socket has the answer."""

    def __init__(self):
        super(ControlCommand, self).__init__("arena-inspect-control", gdb.COMMAND_OBSCURE)

    def invoke(self, text, from_tty):
        with open(text) as file:
            plan = json.load(file)
        line = socket.socket(socket.AF_UNIX)
        line.connect(plan["socket"])
        # Whoever made these may be killed: nothing is left lying about then. They may have removed them by now, too.
        for remove, path in ((os.unlink, text), (os.unlink, plan["socket"]), (os.rmdir, os.path.dirname(text))):
            try:
                remove(path)
            except OSError:
                pass
        link = Link(line.fileno(), line.fileno())
        answer = answer_of(GdbProcess, plan, link)
        # Not as gdb's own answer: that comes too early, as `^running`, when there is a second attach.
        link.tell(event="answer", answer=answer)
        line.close()


let_nothing_end_us()
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
