# Watches system calls of a live process that map memory, with their stacks, until told to stop. Nothing is written into
# the process: no breakpoints, no registers, no calls; when this gdb dies, the kernel lets the process run on.
# Needs Python 3, and arena_inspect_trace_parts.py loaded before it. Used by arena-inspect only; src/trace/gdb-line.ts has
# the lines that go over the socket.
import json
import os
import signal
import subprocess
import time
import traceback

import gdb

ENOSYS = -38
MREMAP_DONTUNMAP, MAP_FIXED, MAP_NORESERVE = 4, 0x10, 0x4000
STOPPING = ("SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU")
# Wakes a process that this gdb, killed in the middle of attaching or letting go of it at once, would leave stopped. Its
# standard input ends with us, or says `done`. While gdb attaches it has, for some milliseconds, a stopped child that keeps everything open.
GUARDIAN = """
trap '' HUP INT TERM
attached=
trap attached=1 USR1
while [ -z "$attached" ] && [ -e /proc/$3/exe ]; do sleep 0.1; done
[ -e /proc/$3/exe ] || kill -9 -$3
while read word; do [ "$word" = done ] && exit; done
for n in 1 2 3 4 5 6 7 8 9 10; do
  [ "$(sed 's/.*) //' /proc/$1/stat | cut -d' ' -f20)" = "$2" ] || exit
  grep -q '^State:.T (stopped)' /proc/$1/status && kill -CONT $1
  sleep 0.1
done
"""


class Tracer(object):
    def __init__(self, plan, line):
        self.plan, self.line = plan, line
        self.pid, self.page, self.minimum = plan["pid"], plan["pageBytes"], plan["minimumBytes"]
        self.machine = MACHINES[plan["machine"]]
        self.calls = dict((self.machine[name], name) for name in ("mmap", "munmap", "brk", "mremap"))
        if "oldMmap" in self.machine:
            self.calls[self.machine["oldMmap"]] = "oldMmap"
        self.word = (1 << 8 * plan["wordBytes"]) - 1
        self.ranges, self.code = Ranges(), Code()
        self.order, self.slots, self.held = Order(line), {}, {}
        self.brk, self.guardian, self.over, self.image = None, None, False, None

    # Attaching and letting go.

    def start(self):
        gdb.execute("set architecture " + self.machine["architecture"], False, True)
        self.image = image_of(self.pid)
        self.code.add(self.plan["modules"])
        self.guard()
        names = ["mmap2" if self.plan["machine"] == "i386" else "mmap", "mremap", "brk", "munmap"]
        for name in names + (["mmap"] if self.plan["machine"] == "i386" else []):
            number = self.catch("catch syscall " + name)
            gdb.execute("condition %d %s" % (number, self.condition(name)), False, True)
        self.catch("catch exec")
        gdb.events.stop.connect(self.on_stop)
        gdb.events.exited.connect(self.on_exit)
        gdb.execute("attach %d" % self.pid, False, True)
        self.brk = end_of_heap(self.pid)
        gdb.execute("continue -a &", False, True)
        if self.guardian is not None:
            self.guardian.send_signal(signal.SIGUSR1)

    def catch(self, command):
        gdb.execute(command, False, True)
        return int(gdb.convenience_variable("bpnum"))

    def condition(self, name):
        """What gdb decides by itself, so that calls of no interest cost little."""
        call, result = "$_arena_inspect_event()", self.machine["result"]
        if "direction" in self.machine:
            return call
        returned = "(long)$%s != %d" % (result, ENOSYS)
        if name in ("mmap", "mmap2") and not (name == "mmap" and self.plan["machine"] == "i386"):
            length, rights, flags = ["$" + register for register in self.machine["arguments"][1:]]
            wanted = "(unsigned long)%s >= %d || ((long)%s & (%s == 0 ? %d : %d))" % (
                length, self.minimum, flags, rights, MAP_FIXED | MAP_NORESERVE, MAP_FIXED)
            return "%s && (%s) && %s" % (returned, wanted, call)
        return "%s && %s" % (returned, call) if name == "brk" else call

    def guard(self):
        self.started = started = stat_of(self.pid)[19]
        try:
            self.guardian = subprocess.Popen(
                ["/bin/sh", "-c", GUARDIAN, "sh", str(self.pid), started, str(os.getpid())],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                close_fds=True, start_new_session=True,
            )
        except OSError:
            self.guardian = None

    def end(self, why, **more):
        """Lets the process go, tells what is left, and is over."""
        if self.over:
            return
        self.over = True
        try:
            if gdb.selected_inferior().pid != 0:
                gdb.execute("detach", False, True)
        finally:
            if self.guardian is not None:
                try:
                    # Stopped by a signal of its own, it stays so. Else a stop that attaching began may have outlived it.
                    if why == "stopped":
                        self.guardian.stdin.write(b"done\n")
                    self.guardian.stdin.close()
                except OSError:
                    pass
            self.order.settle()
            self.line.tell(k="end", why=why, lost=self.line.lost, **more)
            self.line.finish()

    # What gdb tells.

    def on_exit(self, event):
        """Also told when gdb lets go because it ends; the guardian then looks after the process."""
        try:
            fields = stat_of(self.pid)
            lives = fields[0] not in "ZX" and fields[19] == self.started
        except (OSError, IndexError):
            lives = False
        if not lives:
            self.end("exited")

    def on_stop(self, event):
        """In non-stop only one thread stands. Commands that resume are not for here, but for right after."""
        thread = getattr(event, "inferior_thread", None) or gdb.selected_thread()
        gdb.post_event(lambda: self.stopped(event, thread))

    def stopped(self, event, thread):
        if self.over or thread is None or not thread.is_valid():
            return
        try:
            if isinstance(event, gdb.SignalEvent):
                if event.stop_signal in STOPPING and self.stops_by(event.stop_signal):
                    # The signal goes with it; the kernel then stops the process as if nobody had watched.
                    self.end("stopped")
                    return
            elif self.has_executed():
                self.code.forget()
                self.slots, self.ranges, self.brk = {}, Ranges(), end_of_heap(self.pid)
                self.order.settle()
                self.order.append({"k": "exec", "t": time.time() * 1000})
                self.order.send()
                self.held = {thread.ptid[1]: (thread, None)}
            elif not isinstance(event, gdb.BreakpointEvent) and self.is_trapped(thread):
                gdb.execute("handle SIGTRAP pass", False, True)
                gdb.execute("signal SIGTRAP &", False, True)
                gdb.execute("handle SIGTRAP nopass", False, True)
                return
            if thread.ptid[1] in self.held:
                self.line.tell(k="modules", tid=thread.ptid[1])
                return
            self.resume(thread)
        except Exception:
            self.end("defect", what=traceback.format_exc().strip())

    def has_executed(self):
        """Another program begins: the kernel gave it another auxiliary vector."""
        before, self.image = self.image, image_of(self.pid)
        return self.image != before

    def is_trapped(self, thread):
        """By a SIGTRAP of the program's own: gdb has set no breakpoints, and the kernel marks those for tracers."""
        thread.switch()
        try:
            info = gdb.parse_and_eval("$_siginfo")
            return int(info["si_signo"]) == int(signal.SIGTRAP) and int(info["si_code"]) < 0x100
        except gdb.error:
            return False

    def stops_by(self, name):
        """True unless the program has a handler for the signal, or ignores it."""
        if name == "SIGSTOP":
            return True
        number = int(getattr(signal, name))
        with open("/proc/%d/status" % self.pid) as file:
            for text in file:
                key, _, value = text.partition(":")
                if key in ("SigCgt", "SigIgn") and int(value, 16) >> (number - 1) & 1:
                    return False
        return True

    def resume(self, thread):
        if thread.is_valid() and thread.is_stopped():
            thread.switch()
            gdb.execute("continue &", False, True)

    def modules(self, modules):
        if not self.code.add(modules):
            self.end("moved")
            return
        held, self.held = self.held, {}
        for thread, finish in held.values():
            if not thread.is_valid():
                continue
            thread.switch()
            if finish is not None:
                finish()
            self.resume(thread)

    def tick(self):
        """Now and then: threads that gdb stopped for a reason of its own run on, and what waits is sent."""
        if self.over:
            return
        threads = gdb.selected_inferior().threads()
        for thread in threads:
            if thread.is_valid() and thread.is_stopped() and thread.ptid[1] not in self.held:
                self.resume(thread)
        living = set(thread.ptid[1] for thread in threads)
        for tid in [tid for tid in self.slots if tid not in living]:
            self.slots.pop(tid).events = []
        self.order.send()
        self.line.flush()

    # System calls.

    def event(self):
        """One system call at its entry or return, in its thread. True when the thread has to wait for modules."""
        frame = gdb.newest_frame()
        name = self.calls.get(self.register(frame, self.machine["number"]))
        thread = gdb.selected_thread()
        if name is None or thread is None or self.over:
            return False
        if "direction" in self.machine:
            is_entry = self.register(frame, self.machine["direction"]) == 0
        else:
            is_entry = signed(self.register(frame, self.machine["result"]), self.word) == ENOSYS
        arguments = [self.register(frame, register) for register in self.machine["arguments"]]
        if is_entry:
            self.entry(thread, name, arguments)
            return False
        result = self.register(frame, self.machine["result"])
        failed = -4096 < signed(result, self.word) < 0
        return self.returned(frame, thread, name, arguments, result, failed)

    def register(self, frame, name):
        return int(frame.read_register(name)) & self.word

    def entry(self, thread, name, arguments):
        start, length = arguments[0], self.pages(arguments[1])
        is_known = name in ("munmap", "mremap") and self.ranges.touches(start, start + length)
        grows = name == "mremap" and self.pages(arguments[2]) - length >= self.minimum
        if is_known or grows:
            slot = Slot(name, arguments)
            self.slots[thread.ptid[1]] = slot
            self.order.append(slot)
            # Once the call runs, another thread can be given the same place, and told of before this one returns.
            self.ranges.remove(start, start + length)

    def returned(self, frame, thread, name, arguments, result, failed):
        if name == "brk":
            return self.moved_brk(frame, thread, result)
        if name in ("mmap", "oldMmap"):
            return not failed and self.mapped(frame, thread, name, arguments, result)
        slot = self.slots.pop(thread.ptid[1], None)
        if slot is None or slot.call != name:
            return False
        slot.events = []
        start, length = slot.arguments[0], self.pages(slot.arguments[1])
        if failed:
            self.ranges.add(start, start + length)
            self.order.send()
            return False
        if name == "munmap":
            self.unmap(start, length, slot.events)
            self.order.send()
            return False
        return self.remapped(frame, thread, slot, start, length, result)

    def mapped(self, frame, thread, name, arguments, at):
        if name == "oldMmap":
            words = gdb.selected_inferior().read_memory(arguments[0], 16).tobytes()
            arguments = [int.from_bytes(words[i:i + 4], "little") for i in range(0, 16, 4)]
        length, rights, flags = self.pages(arguments[1]), arguments[2], arguments[3]
        if flags & MAP_FIXED and self.ranges.touches(at, at + length):
            self.ranges.remove(at, at + length)
            self.unmap(at, length, self.order)
        # As malloc reserves its heaps.
        may_be_heap = rights == 0 and flags & MAP_NORESERVE != 0
        if length < self.minimum and not may_be_heap:
            self.order.send()
            return False
        self.ranges.add(at, at + length)
        return self.map(frame, thread, "mmap", at, length, self.order, may_be_heap)

    def remapped(self, frame, thread, slot, start, length, at):
        wanted, keeps = self.pages(slot.arguments[2]), slot.arguments[3] & MREMAP_DONTUNMAP
        common = min(length, wanted)
        if at != start and common > 0:
            if self.ranges.touches(at, at + wanted):
                self.unmap(at, wanted, slot.events)
            slot.events.append({"k": "move", "t": time.time() * 1000, "f": hex(start), "a": hex(at), "b": common})
            if keeps:
                self.ranges.add(start, start + common)
        self.ranges.add(at, at + common)
        if wanted < length:
            self.unmap(start + wanted, length - wanted, slot.events)
        if wanted - length >= self.minimum:
            self.ranges.add(at + length, at + wanted)
            return self.map(frame, thread, "mremap", at + length, wanted - length, slot.events, False)
        self.order.send()
        return False

    def moved_brk(self, frame, thread, at):
        before, now = self.brk, self.pages(at)
        self.brk = now
        if before is None or now == before:
            return False
        if now < before:
            if self.ranges.touches(now, before):
                self.ranges.remove(now, before)
                self.unmap(now, before - now, self.order)
                self.order.send()
            return False
        if now - before < self.minimum:
            return False
        self.ranges.add(before, now)
        return self.map(frame, thread, "brk", before, now - before, self.order, False)

    def map(self, frame, thread, call, at, length, events, may_be_heap):
        event = {"k": "map", "c": call, "t": time.time() * 1000, "i": thread.ptid[1], "n": thread.name or "",
                 "a": hex(at), "b": length, "h": may_be_heap, "s": None}
        events.append(event)
        missing = self.code.walk(frame, event)
        if missing is None:
            self.order.send()
            return False
        # The event keeps its place, and the thread stands until somebody has told where code lies now.
        self.held[thread.ptid[1]] = (thread, lambda: self.walk_again(event, missing))
        return True

    def walk_again(self, event, missing):
        while missing is not None:
            if self.code.is_missing(missing):
                self.code.has_nothing(missing)
            missing = self.code.walk(gdb.newest_frame(), event)
        self.order.send()

    def unmap(self, start, length, events):
        events.append({"k": "unmap", "t": time.time() * 1000, "a": hex(start), "b": length})

    def pages(self, size):
        return (size + self.page - 1) & ~(self.page - 1)


class EventFunction(gdb.Function):
    """In the condition of the catchpoints: gdb does not stop while it is false."""

    def __init__(self, tracer):
        super(EventFunction, self).__init__("_arena_inspect_event")
        self.tracer = tracer

    def invoke(self):
        try:
            return 1 if self.tracer.event() else 0
        except Exception:
            what = traceback.format_exc().strip()
            gdb.post_event(lambda: self.tracer.end("defect", what=what))
            return 0


class TraceCommand(gdb.Command):
    """arena-inspect-trace PLAN-FILE: watches until `arena-inspect-trace-stop`; -tick and -modules are for in between."""

    tracer = None

    def __init__(self, name, work):
        super(TraceCommand, self).__init__(name, gdb.COMMAND_OBSCURE)
        self.work = work

    def invoke(self, text, from_tty):
        self.work(text)


def read_json(path):
    with open(path) as file:
        data = json.load(file)
    os.unlink(path)
    return data


def start(path):
    plan = read_json(path)
    line = Line(plan["socket"])
    tracer = TraceCommand.tracer = Tracer(plan, line)
    EventFunction(tracer)
    try:
        tracer.start()
        line.tell(k="recording")
    except (gdb.error, OSError) as error:
        tracer.end("refused", what=str(error))


def settings():
    for setting in (
        "non-stop on",
        "language c",
        "auto-solib-add off",
        "sysroot /nonexistent",
        "libthread-db-search-path /nonexistent",
        "exec-file-mismatch off",
        "follow-fork-mode parent",
        "detach-on-fork on",
        "backtrace past-main on",
        "backtrace past-entry on",
        # It only looks.
        "may-insert-breakpoints off",
        "may-insert-tracepoints off",
        "may-write-memory off",
        "may-write-registers off",
        "may-call-functions off",
    ):
        try:
            gdb.execute("set " + setting, False, True)
        except gdb.error:
            pass
    gdb.execute("handle all nostop noprint pass", False, True)
    # Not SIGTRAP: gdb would pass its own on to children of a fork.
    gdb.execute("handle SIGINT nostop noprint pass", False, True)
    gdb.execute("handle %s stop print pass" % " ".join(STOPPING), False, True)


# An interrupt is not for us, and must not reach the process through us.
for name in ("SIGINT", "SIGPIPE"):
    signal.signal(getattr(signal, name), signal.SIG_IGN)
settings()
TraceCommand("arena-inspect-trace", start)
TraceCommand("arena-inspect-trace-tick", lambda _: TraceCommand.tracer.tick())
TraceCommand("arena-inspect-trace-modules", lambda path: TraceCommand.tracer.modules(read_json(path)))
TraceCommand("arena-inspect-trace-stop", lambda _: TraceCommand.tracer.end("asked"))
