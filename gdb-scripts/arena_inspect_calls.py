# Calls into a live process by our own ptrace: for arena-inspect trim, limit, stats and verify. In gdb's Python or in
# python3 itself; gdb has no part in it. The first line of standard input is the plan (src/control/plan.ts), events and
# the answer go to standard output, a JSON object a line; the visit is broken off when standard input ends.
#
# The thread that makes the calls runs on frames that bring it back by themselves (arena_inspect_frames.py). The order of
# what is done to it is such that it may be let go between any two steps, by our death too: it then finds its way.
import errno
import os
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import arena_inspect_ptrace as pt  # noqa: E402
from arena_inspect_frames import MACHINES, XSTATE_ALIGN, Call, Final, Gadgets, NoFrames  # noqa: E402
from arena_inspect_guards import NO_STACK, Memory, Refusal, Stand  # noqa: E402
from arena_inspect_hold import MACHINE_OF_SIZE, Hold  # noqa: E402
from arena_inspect_unwind import Unknown, Unwinder, mappings, reader_of  # noqa: E402
from arena_inspect_visit import FILES, Link, answer_of, let_nothing_end_us  # noqa: E402
from arena_inspect_xstate import frame_state_size  # noqa: E402

# The called function's own stack: printf takes less than 4 KiB, and the resolver of late-bound symbols saves vectors.
CALL_ROOM = 24 * 1024
# What a function returns into, behind its frame; some words more on i386, which has its arguments there.
MOST_TAIL_BYTES = 160
# raise() runs below the frames behind it, while others are written further down.
RAISE_ROOM = 2048
MOST_REGSET_BYTES = 64 * 1024
MOST_CODE_BYTES = 64 << 20
# Signals that a thread makes itself: were they blocked, the kernel would take their handlers away.
OWN_FAULTS = ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS")
# Signals that a program ignores unless it asks for them, and which tell it only to look again.
HARMLESS = (signal.SIGURG, signal.SIGWINCH)
# A called function that sleeps for so long waits for somebody who stands still.
ASLEEP_SECONDS = 1.0


class OwnProcess(Memory):
    """A process that our own ptrace stops and calls into."""

    needs_memory = False
    room = CALL_ROOM

    def __init__(self, plan):
        self.pid, self.word, self.functions = plan["pid"], plan["wordBytes"], plan["functions"]
        self.calls, self.seconds_in_calls = 0, 0.0
        self.hold = self.caller = None
        # stats puts back a FILE word by word; a call before it, two behind it, and the last frame.
        self.most_steps = 4 + (FILES[self.word]["size"] // self.word if "stats" in plan["calls"] else 0)
        self.machine_class = MACHINES.get(self.word)
        if os.uname()[4] != "x86_64":
            raise Refusal("cannot-frame", "its own way of calling is not made for %s processors" % os.uname()[4])
        self.memory = os.open("/proc/%d/mem" % self.pid, os.O_RDWR)
        self.gadgets = self.find_gadgets(plan["mallocText"][0])

    def find_gadgets(self, text):
        """Pieces of code, libc's first: read before anything stops."""
        code = [m for m in mappings(self.pid) if "x" in m[2] and m[3] != "[vsyscall]"]
        libc = next((m[3] for m in code if m[0] <= text < m[1]), None)
        pieces = sorted(code, key=lambda m: m[3] != libc)
        try:
            return Gadgets(self.machine_class, Code(self.memory, pieces))
        except NoFrames as error:
            raise Refusal("cannot-frame", str(error))

    # Stopping, and letting go.
    def attach(self):
        self.hold = Hold(self.pid)
        error = self.hold.stop()
        if error != 0:
            raise Refusal("gone" if error == errno.ESRCH else "not-traceable", why_not_traced(self.pid, error))

    def detach(self):
        try:
            if self.caller is not None:
                self.caller.put_back()
        finally:
            self.caller = None
            if self.hold is not None:
                self.hold.release()
                self.hold = None

    def settle(self, arenas):
        """Lets threads that are just inside malloc, or print, come out of it."""
        stderr = self.functions["_IO_2_1_stderr_"] + FILES[self.word]["lock"]
        self.arenas = arenas
        self.hold.unlock(arenas + [self.number(stderr, self.word)])

    def write(self, at, data):
        try:
            written = os.pwrite(self.memory, bytes(data), at)
        except (OSError, OverflowError):
            written = 0
        if written != len(data):
            raise Refusal("unwritable", "memory at 0x%x cannot be written" % at)

    # Threads.
    def stands(self):
        self.registers, stands = {}, []
        for tid in sorted(self.hold.signals):
            try:
                data = pt.get_regset(tid, pt.NT_PRSTATUS, 512)
            except OSError:
                raise Refusal("thread-unknown", "the kernel does not tell where thread %d stands" % tid, True)
            stands.append(self.stand_of(tid, data))
        if self.hold.missed() > 0:
            raise Refusal("uninterruptible", "a thread waits in the kernel and cannot be interrupted")
        return stands

    def stand_of(self, tid, data):
        machine = self.machine_class
        if MACHINE_OF_SIZE.get(len(data)) is not machine:
            # In code of another width, as emulators have it.
            return Stand(tid, 0, 0, None, None)
        registers = self.registers[tid] = machine.unpack(data)
        stack, counter = registers[machine.STACK], registers[machine.COUNTER]
        pointer = registers["fs_base"] if self.word == 8 else pt.tls_base(tid, registers["gs"])
        return Stand(tid, stack, counter, pointer, self.cost_of(tid, registers))

    def cost_of(self, tid, registers):
        """Waits that start again unseen cost nothing; one with a timeout could end early, were we killed."""
        if self.hold.signals[tid] != 0:
            return None
        if self.machine_class.restarts_with_timeout(registers):
            return 2
        if self.machine_class.in_system_call(registers):
            return 0
        return 1 if pt.rseq_section(tid, self.memory) == 0 else None

    def is_inside(self, stand, text):
        unwinder = Unwinder(self.word, reader_of(self.memory), mappings(self.pid))
        low, high = text
        try:
            return any(low <= at - is_return < high for at, is_return in unwinder.counters(self.registers[stand.lwp]))
        except Unknown:
            return None

    def take(self, stands):
        """The first of them that can be made ready."""
        for stand in stands:
            try:
                self.caller = Caller(self, stand.lwp, self.registers[stand.lwp], stand.lowest)
                return stand
            except Refusal as refusal:
                last = refusal
        raise last

    def in_system_call(self, stand):
        return self.machine_class.in_system_call(self.registers[stand.lwp])

    # Calls.
    def call(self, name, arguments, undo=()):
        """The function's result as an unsigned word. `undo`: what the thread does after it, should we be gone."""
        self.calls += 1
        began = time.time()
        try:
            return self.caller.call(name, Call(self.functions[name], *arguments), list(undo))
        finally:
            self.seconds_in_calls += time.time() - began

    def stand_by(self, undo):
        """From now on the thread does `undo` when we are gone, until the next call."""
        self.caller.plant(list(undo))

    def block_signals(self, *_):
        pass

    def unblock_signals(self):
        pass

    def force_locks_open(self):
        """After a call that did not come back: the locks were free before, and nobody else has run."""
        for at in self.arenas:
            if self.number(at, 4) != 0:
                self.write(at, bytes(4))


class Code(object):
    """(address, bytes) of executable mappings, read when they are asked for."""

    def __init__(self, memory, regions):
        self.memory, self.regions, self.kept = memory, regions, {}

    def __iter__(self):
        for start, end, _, _ in self.regions:
            if start not in self.kept:
                try:
                    self.kept[start] = os.pread(self.memory, min(end - start, MOST_CODE_BYTES), start)
                except (OSError, OverflowError):
                    self.kept[start] = b""
            yield start, self.kept[start]


class Caller(object):
    """The thread that makes the calls, and what it was before."""

    def __init__(self, process, tid, registers, lowest):
        self.process, self.tid, self.original = process, tid, registers
        self.machine = process.machine_class(process.gadgets, notice_of(process.pid), process.functions["raise"])
        self.mask = pt.get_mask(tid)
        faults = [getattr(signal, name) for name in OWN_FAULTS]
        self.blocked = ~sum(1 << (number - 1) for number in [self.machine.signal] + faults) % (1 << 64)
        try:
            self.state = pt.get_regset(tid, pt.NT_X86_XSTATE, MOST_REGSET_BYTES)
        except OSError as error:
            raise Refusal("cannot-frame", "the kernel does not give the vector state: %s" % os.strerror(error.errno))
        self.late = None
        self.changed = False
        self.lay_out(lowest)

    def lay_out(self, lowest):
        """From the stack down: the red zone, the vector state, the slot of results, two places for frames in turn.
        `lowest`: where the stack ends."""
        machine, process = self.machine, self.process
        try:
            size, features = frame_state_size(self.state)
        except NoFrames as error:
            raise Refusal("cannot-frame", str(error))
        state = machine.state_bytes(self.state, size, features)
        top = self.original[machine.STACK] - machine.RED_ZONE
        aligned = (top - len(state) + machine.STATE_HEAD) & ~(XSTATE_ALIGN - 1)
        self.state_at = aligned - machine.STATE_HEAD
        self.slot = (self.state_at - 16) & ~15
        self.place = (process.most_steps * (machine.FRAME_BYTES + MOST_TAIL_BYTES) + RAISE_ROOM + 63) & ~63
        self.low = (self.slot - 2 * self.place) & ~63
        if self.low - CALL_ROOM < lowest:
            raise Refusal("no-stack", NO_STACK, True)
        # Also makes these pages resident, before anything is measured.
        process.write(self.low, bytes(self.slot + 16 - self.low))
        process.write(self.state_at, state)
        self.live = None

    def plant(self, steps):
        """Writes frames for `steps` and sends the thread there; the registers with which the first begins."""
        final = Final(self.original, self.mask, self.state_at)
        # What it stands on now is left alone: it may still need it.
        base = self.low if self.live != self.low else self.low + self.place
        data, first, begin = self.machine.image(self.original, steps + [final], self.slot, self.blocked, base)
        if len(data) > self.place - RAISE_ROOM:
            raise Refusal("no-stack", "the frames take %d bytes" % len(data))
        self.process.write(base, data)
        # 1. Let go now, it takes the frames one by one, which also block its signals and give them back.
        self.set_registers(self.machine.at_restorer(self.original, first))
        self.live, self.changed = base, True
        # 2. Let go now, it does the same. (The other way round it could be left with its signals blocked.)
        pt.set_mask(self.tid, self.blocked)
        return begin

    def call(self, name, call, undo):
        begin = self.plant([call] + undo)
        self.process.write(self.slot, SENTINEL[: self.process.word])
        # 3. Into the function itself: the first frame, by our own hand. The kernel then still knows how to restart the
        # system call that the thread was in, which rt_sigreturn makes it forget.
        self.set_registers(begin)
        pt.demand(pt.CONT, self.tid, 0)
        self.wait(name)
        return self.process.number(self.slot, self.process.word)

    def wait(self, name):
        """Until the thread has come back from the function, and raises the signal that says so."""
        began, freed = time.monotonic(), False
        while True:
            status = pt.wait_for(self.tid, ASLEEP_SECONDS)
            if status is None:
                if not freed and time.monotonic() - began > ASLEEP_SECONDS and pt.state(self.process.pid, self.tid) == "S":
                    freed = True
                    self.process.hold.release_others(self.tid)
                continue
            if not os.WIFSTOPPED(status):
                self.process.hold.lose(self.tid)
                self.changed = False
                raise Refusal("gone", "the process ended during %s" % name)
            number, event = os.WSTOPSIG(status), status >> 16
            if event == 0:
                if number == self.machine.signal and self.returned():
                    pt.take(self.tid)
                    return
                if number in self.broken_by():
                    self.break_off(name, number)
                # Somebody else's: it gets it when all is put back.
                self.late = (number, pt.get_siginfo(self.tid))
            pt.demand(pt.CONT, self.tid, 0)

    def returned(self):
        return self.process.read(self.slot, self.process.word) != SENTINEL[: self.process.word]

    def broken_by(self):
        return [getattr(signal, name) for name in OWN_FAULTS + ("SIGABRT",)]

    def break_off(self, name, number):
        self.process.force_locks_open()
        self.put_back()
        self.live = None
        raise Refusal("broken", "%s ended in signal %d: the heap is damaged; the thread has been put back" % (name, number))

    def set_registers(self, registers):
        pt.set_regset(self.tid, pt.NT_PRSTATUS, self.machine.pack(registers))

    def put_back(self):
        """The thread as it was, to the last bit; until the last step the frames would do it."""
        if not self.changed:
            return
        pt.set_regset(self.tid, pt.NT_X86_XSTATE, self.state)
        pt.set_mask(self.tid, self.mask)
        self.set_registers(self.original)
        self.changed = False
        if self.late is not None:
            number, info = self.late
            pt.set_siginfo(self.tid, info)
            self.process.hold.signals[self.tid] = number


SENTINEL = b"\xa5arena\x5a\xa5"


def notice_of(pid):
    """A signal that a thread may send to itself without anybody noticing but a tracer: one that the program does not
    catch, or else one that may come at any time."""
    caught = int(pt.status_field(pid, pid, "SigCgt") or "0", 16)
    ignored = int(pt.status_field(pid, pid, "SigIgn") or "0", 16)
    others = [number for number in range(1, 32) if ignored >> (number - 1) & 1]
    for number in list(HARMLESS) + others:
        if not caught >> (number - 1) & 1 and number not in (signal.SIGCHLD, signal.SIGCONT, signal.SIGSTOP):
            return int(number)
    return int(signal.SIGURG)


def why_not_traced(pid, error):
    if error == errno.ESRCH:
        return "the process is gone"
    return "it may not be traced (%s): another process traces it, or tracing is not allowed here" % errno.errorcode.get(error, error)


def main():
    let_nothing_end_us()
    link = Link(0, 1)
    link.tell(ready=True)
    plan = link.answer(60.0)
    if plan is not None:
        link.tell(event="answer", answer=answer_of(OwnProcess, plan, link))


main()
