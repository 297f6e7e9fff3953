# What is written below a thread's stack so that a function runs there and the thread then comes back by itself: the
# frames that the kernel writes to deliver a signal, one for each thing to do, the last with all that the thread was.
# Every function returns into rt_sigreturn, which takes the next frame. So it comes back whether a tracer lives or not.
#
# Layouts: Linux arch/x86/include/uapi/asm/sigcontext.h, ucontext.h, arch/x86/include/asm/sigframe.h.
import re
import struct

# The kernel restores what follows a system call that a signal interrupted; its own values, negative, in the result.
ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND, ERESTART_RESTARTBLOCK = 512, 513, 514, 516
EINTR = 4
FP_XSTATE_MAGIC1, FP_XSTATE_MAGIC2 = 0x46505853, 0x46505845
SW_RESERVED = 464
XSTATE_HEADER = 512
XSTATE_ALIGN = 64
FLAGS_PLAIN = 0x202


class NoFrames(Exception):
    """Such frames cannot be made here, for the reason given."""


class Call(object):
    """A function and its arguments (words)."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments


class Store(object):
    """A word that the thread writes."""

    def __init__(self, address, value):
        self.address, self.value = address, value


class Final(object):
    """What the thread was: registers, blocked signals, and where its vector state lies."""

    def __init__(self, registers, mask, state_at):
        self.registers, self.mask, self.state_at = registers, mask, state_at


class Gadgets(object):
    """Addresses of short pieces of code that the process has anyway, and how the one that stores a word does it."""

    def __init__(self, machine, pieces):
        """`pieces`: (address, bytes) of executable memory, libc's first. Raises NoFrames."""
        found = {}
        for name, pattern in machine.PATTERNS.items():
            for base, code in pieces:
                match = re.search(pattern, code, re.DOTALL)
                if match:
                    found[name] = (base + match.start(), match)
                    break
            else:
                raise NoFrames("its code has no piece that could be used to %s" % machine.PURPOSES[name])
        self.restorer = found["restorer"][0]
        self.skip = found["skip"][0]
        self.skipped = machine.skipped(found["skip"][1].group())
        self.store, match = found["store"]
        # A bare `ret`, for alignment.
        self.ret = self.store + len(match.group()) - 1
        self.register, self.displacement, self.popped = machine.store_form(match)

    def stored_through(self, address):
        """The register that must hold the address, with its value."""
        return {self.register: address - self.displacement}


def signed8(byte):
    return byte - 256 if byte > 127 else byte


class Machine(object):
    """Registers of one instruction set by name, its frames, and how its functions are called."""

    PURPOSES = {
        "restorer": "return from a signal",
        "skip": "take a word from the stack",
        "store": "keep a result",
    }

    def __init__(self, gadgets, signal, raise_at):
        """`signal` is raised by raise(), at `raise_at`, after each call: it tells a tracer, and nobody else."""
        self.gadgets, self.signal, self.raise_at = gadgets, signal, raise_at

    @classmethod
    def unpack(cls, data):
        return dict(zip(cls.NAMES, struct.unpack(cls.FORMAT, data)))

    @classmethod
    def pack(cls, registers):
        limit = 1 << (8 * cls.WORD)
        return struct.pack(cls.FORMAT, *(registers[name] % limit for name in cls.NAMES))

    @classmethod
    def result(cls, registers):
        """What the register of results has, as a signed number."""
        value, limit = registers[cls.RESULT], 1 << (8 * cls.WORD)
        return value - limit if value >= limit >> 1 else value

    @classmethod
    def in_system_call(cls, registers):
        # The kernel writes -1, in as many bits as there are, for "in none".
        return registers[cls.ORIGINAL] < 1 << (8 * cls.WORD - 1)

    @classmethod
    def restarts_with_timeout(cls, registers):
        """True in a wait whose rest only the kernel knows: it ends with EINTR when rt_sigreturn restarts it."""
        return cls.in_system_call(registers) and cls.result(registers) == -ERESTART_RESTARTBLOCK

    @classmethod
    def uninterrupted(cls, registers):
        """Of a thread that a stop took out of a wait without end which Linux does not restart: the registers with which
        it waits on, unless a handler runs first. None where nothing is to be done."""
        wait = cls.ENDLESS_WAITS.get(registers[cls.ORIGINAL])
        if wait is None or cls.result(registers) != -EINTR:
            return None
        register, endless, bits = wait
        if register is not None and registers[register] & ((1 << bits) - 1) != endless:
            return None
        after = dict(registers)
        after[cls.RESULT] = -ERESTARTNOHAND
        return after

    @classmethod
    def restarted(cls, registers):
        """The registers for a frame: what the kernel would make of an interrupted system call."""
        after = dict(registers)
        if cls.in_system_call(registers):
            result = -cls.result(registers)
            if result in (ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND):
                after[cls.RESULT] = registers[cls.ORIGINAL]
                after[cls.COUNTER] -= 2
            elif result == ERESTART_RESTARTBLOCK:
                after[cls.RESULT] = cls.RESTART_SYSCALL
                after[cls.COUNTER] -= 2
        after[cls.ORIGINAL] = -1
        return after

    def words(self, *values):
        limit = 1 << (8 * self.WORD)
        return struct.pack("<%d%s" % (len(values), self.CODE), *(value % limit for value in values))

    def pads(self):
        return bytes(self.gadgets.popped)

    def at_restorer(self, original, stack):
        """The registers of a thread that takes the frame at `stack` next."""
        after = dict(original)
        after.update({self.COUNTER: self.gadgets.restorer, self.STACK: stack, self.ORIGINAL: -1, self.FLAGS: FLAGS_PLAIN})
        return after

    def image(self, original, steps, slot, mask, base):
        """The bytes from `base` (a multiple of 16) on for `steps`, of which the last is Final; where the first frame is taken from; and the
        registers with which the first step begins. Results are stored in `slot`; `mask` blocks signals meanwhile."""
        data, first, begin = bytearray(), None, None
        for index, step in enumerate(steps):
            at = base + len(data)
            stack = at + self.FRAME_HEAD
            first = stack if first is None else first
            if isinstance(step, Final):
                data += self.frame(self.restarted(step.registers), step.mask, step.state_at)
                break
            after = at + self.FRAME_BYTES
            gap, entry = self.entry_of(step, after)
            registers = dict(original)
            registers.update(entry)
            registers.update({self.STACK: after + gap, self.ORIGINAL: -1, self.FLAGS: FLAGS_PLAIN})
            if isinstance(step, Call):
                registers.update(self.gadgets.stored_through(slot))
            begin = registers if index == 0 else begin
            data += self.frame(registers, mask, 0) + bytes(gap) + self.tail(step, after + gap)
        return bytes(data), first, begin


class X86_64(Machine):
    WORD, CODE = 8, "Q"
    NAMES = (
        "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs gs"
    ).split()
    FORMAT = "<27Q"
    RESULT, ORIGINAL, COUNTER, STACK, FLAGS = "rax", "orig_rax", "rip", "rsp", "eflags"
    ARGUMENTS = ("rdi", "rsi", "rdx", "rcx", "r8", "r9")
    RESTART_SYSCALL = 219
    # By number: the register of the timeout, its value for "none", and how many of its bits count.
    ENDLESS_WAITS = {
        65: (None, 0, 0),  # semop
        128: ("rdx", 0, 64),  # rt_sigtimedwait
        208: ("r8", 0, 64),  # io_getevents
        220: ("r10", 0, 64),  # semtimedop
        232: ("r10", 0xFFFFFFFF, 32),  # epoll_wait
        281: ("r10", 0xFFFFFFFF, 32),  # epoll_pwait
        441: ("r10", 0, 64),  # epoll_pwait2
    }
    RED_ZONE = 128
    UC_FLAGS = 7  # FP_XSTATE, SIGCONTEXT_SS, STRICT_RESTORE_SS
    FRAME_HEAD, FRAME_BYTES = 0, 304
    STATE_HEAD = 0
    PATTERNS = {
        # mov $15,%rax; syscall
        "restorer": rb"\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05",
        # pop %rdi; ret
        "skip": rb"\x5f\xc3",
        # mov %rax,disp(rbx, rbp, r12 to r15); perhaps add $n,%rsp; pops; ret
        "store": rb"(\x48\x89\x03|\x48\x89\x43.|\x48\x89\x45.|\x49\x89\x04\x24|\x49\x89\x44\x24.|\x49\x89\x45.|\x49\x89\x06|\x49\x89\x46."
        rb"|\x49\x89\x07|\x49\x89\x47.)(\x48\x83\xc4[\x08\x10\x18\x20\x28\x30\x38])?((?:[\x58-\x5b\x5d-\x5f]|\x41[\x58-\x5f])*)\xc3",
    }
    STORES = {
        b"\x48\x89\x03": "rbx", b"\x48\x89\x43": "rbx", b"\x48\x89\x45": "rbp",
        b"\x49\x89\x04": "r12", b"\x49\x89\x44": "r12", b"\x49\x89\x45": "r13",
        b"\x49\x89\x06": "r14", b"\x49\x89\x46": "r14", b"\x49\x89\x07": "r15", b"\x49\x89\x47": "r15",
    }  # fmt: skip

    @classmethod
    def store_form(cls, match):
        move, add, pops = match.group(1), match.group(2), match.group(3)
        register = cls.STORES[move[:3]]
        bare = 4 if register == "r12" else 3
        displacement = signed8(move[bare]) if len(move) > bare else 0
        return register, displacement, (add[3] if add else 0) + 8 * (len(pops) - pops.count(b"\x41"))

    @staticmethod
    def skipped(_):
        return 8

    def entry_of(self, step, after):
        if isinstance(step, Store):
            entry = {"rip": self.gadgets.store, "rax": step.value}
            entry.update(self.gadgets.stored_through(step.address))
            return 0, entry
        entry = {"rip": step.function}
        entry.update(zip(self.ARGUMENTS, step.arguments))
        # As after a call: 8 beyond a multiple of 16.
        return (8 - after) % 16, entry

    def tail(self, step, at):
        g = self.gadgets
        if isinstance(step, Store):
            return self.pads() + self.words(g.restorer)
        data = self.words(g.store) + self.pads()
        # raise() is entered with the same alignment.
        if (len(data) + 24) % 16 != 0:
            data += self.words(g.ret)
        return data + self.words(g.skip, self.signal, self.raise_at, g.restorer)

    def frame(self, r, mask, state_at):
        names = "r8 r9 r10 r11 r12 r13 r14 r15 rdi rsi rbp rbx rdx rax rcx rsp rip eflags".split()
        head = self.words(self.UC_FLAGS, 0, 0, 0, 0)
        # No signal stack is given (size 0): the kernel leaves the thread's own as it is.
        segments = struct.pack("<4H", r["cs"], 0, 0, r["ss"])
        body = self.words(*(r[name] for name in names)) + segments + self.words(0, 0, 0, 0, state_at) + bytes(64)
        return head + body + self.words(mask)

    def state_bytes(self, state, size, features):
        """What a frame points at: the vector state with the kernel's marks of its size."""
        return marked_state(state, size, features, 0)


class I386(Machine):
    WORD, CODE = 4, "I"
    NAMES = "ebx ecx edx esi edi ebp eax ds es fs gs orig_eax eip cs eflags esp ss".split()
    FORMAT = "<17I"
    RESULT, ORIGINAL, COUNTER, STACK, FLAGS = "eax", "orig_eax", "eip", "esp", "eflags"
    RESTART_SYSCALL = 0
    ENDLESS_WAITS = {
        177: ("edx", 0, 32),  # rt_sigtimedwait
        256: ("esi", 0xFFFFFFFF, 32),  # epoll_wait
        319: ("esi", 0xFFFFFFFF, 32),  # epoll_pwait
        421: ("edx", 0, 32),  # rt_sigtimedwait_time64
        441: ("esi", 0, 32),  # epoll_pwait2
    }
    RED_ZONE = 128
    UC_FLAGS = 1
    # rt_sigreturn is entered behind the return address, of which the frame begins with its place.
    FRAME_HEAD = 4
    FRAME_BYTES = 16 + 128 + 12 + 8 + 88 + 8
    STATE_HEAD = 112
    MOST_ARGUMENT_BYTES = 24
    PATTERNS = {
        # mov $173,%eax; int $0x80
        "restorer": rb"\xb8\xad\x00\x00\x00\xcd\x80",
        # add $n,%esp; ret: past six arguments
        "skip": rb"\x83\xc4[\x1c\x2c\x3c]\xc3",
        # mov %eax,disp(ebx, ebp, esi, edi); perhaps add $n,%esp; pops; ret
        "store": rb"(\x89\x03|\x89\x43.|\x89\x45.|\x89\x06|\x89\x46.|\x89\x07|\x89\x47.)"
        rb"(\x83\xc4[\x04\x08\x0c\x10\x14\x18\x1c\x2c\x3c])?([\x58-\x5b\x5d-\x5f]*)\xc3",
    }
    STORES = {0x03: "ebx", 0x43: "ebx", 0x45: "ebp", 0x06: "esi", 0x46: "esi", 0x07: "edi", 0x47: "edi"}

    @classmethod
    def store_form(cls, match):
        move, add, pops = match.group(1), match.group(2), match.group(3)
        displacement = signed8(move[2]) if len(move) > 2 else 0
        return cls.STORES[move[1]], displacement, (add[2] if add else 0) + 4 * len(pops)

    @staticmethod
    def skipped(code):
        return code[2]

    def entry_of(self, step, after):
        if isinstance(step, Store):
            entry = {"eip": self.gadgets.store, "eax": step.value}
            entry.update(self.gadgets.stored_through(step.address))
            return 0, entry
        return (12 - after) % 16, {"eip": step.function}

    # What follows is a frame, whose first word is the return address of raise() and whose second is its argument.
    def tail(self, step, at):
        g = self.gadgets
        if isinstance(step, Store):
            return self.pads()
        arguments = self.words(*step.arguments)
        data = self.words(g.skip) + arguments.ljust(g.skipped, b"\0") + self.words(g.store) + self.pads()
        while (at + len(data) + 4) % 16 != 12:
            data += self.words(g.ret)
        return data + self.words(self.raise_at)

    def frame(self, r, mask, state_at):
        head = self.words(self.gadgets.restorer, self.signal, 0, 0) + bytes(128) + self.words(self.UC_FLAGS, 0, 0, 0, 0)
        names = "gs fs es ds edi esi ebp esp ebx edx ecx eax".split()
        body = self.words(*(r[name] for name in names))
        body += self.words(0, 0, r["eip"], r["cs"], r["eflags"], r["esp"], r["ss"], state_at, 0, 0)
        return head + body + struct.pack("<Q", mask)

    def state_bytes(self, state, size, features):
        return legacy_state(state) + marked_state(state, size, features, self.STATE_HEAD)


def marked_state(state, size, features, head):
    """NT_X86_XSTATE's bytes with struct _fpx_sw_bytes in them and the second mark behind."""
    data = bytearray(state[:size])
    marks = struct.pack("<IIQI", FP_XSTATE_MAGIC1, head + size + 4, features, size)
    data[SW_RESERVED : SW_RESERVED + 48] = marks.ljust(48, b"\0")
    return bytes(data) + struct.pack("<I", FP_XSTATE_MAGIC2)


def legacy_state(state):
    """struct _fregs_state of 32-bit frames, out of fxsave's form: what the kernel takes x87 registers from."""
    control, status, used, _, opcode, instruction, code, _, data, segment = struct.unpack_from("<HHBBHIHHIH", state)
    tags = sum(0 if used & (1 << index) else 3 << (2 * index) for index in range(8))
    tags = 0xFFFF0000 | tags
    head = (0xFFFF0000 | control, 0xFFFF0000 | status, tags, instruction, opcode << 16 | code, data, 0xFFFF0000 | segment)
    registers = b"".join(state[32 + 16 * index : 42 + 16 * index] for index in range(8))
    return struct.pack("<7I", *head) + registers + struct.pack("<HH", status, 0)


MACHINES = {8: X86_64, 4: I386}
