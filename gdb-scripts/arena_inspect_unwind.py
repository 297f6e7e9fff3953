# Callers of a stopped thread by call frame information (.eh_frame), read from the process's own memory: no files, no
# symbols, no gdb. DWARF 5, 6.4; Linux Standard Base, "Exception Frames"; psABI register numbers.
import os
import struct

PT_LOAD, PT_GNU_EH_FRAME = 1, 0x6474E550
PCREL_SDATA4, UDATA4, DATAREL_SDATA4 = 0x1B, 0x03, 0x3B
MOST_ENTRY_BYTES = 1 << 16
MOST_FRAMES = 4096
# Registers by DWARF's numbers, the last of them the return address.
NAMES = {
    8: "rax rdx rcx rbx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip".split(),
    4: "eax ecx edx ebx esp ebp esi edi eip".split(),
}
STACKS = {8: 7, 4: 4}


class Unknown(Exception):
    """Nothing tells the caller."""


class Cursor(object):
    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def take(self, form):
        size = struct.calcsize(form)
        if self.at + size > len(self.data):
            raise Unknown("call frame information is cut")
        value = struct.unpack_from("<" + form, self.data, self.at)[0]
        self.at += size
        return value

    def uleb(self):
        value, shift = 0, 0
        while True:
            byte = self.take("B")
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def sleb(self):
        start = self.at
        value = self.uleb()
        bits = 7 * (self.at - start)
        return value - (1 << bits) if value >> (bits - 1) & 1 else value

    def bytes(self, size):
        if size < 0 or self.at + size > len(self.data):
            raise Unknown("call frame information is cut")
        self.at += size
        return self.data[self.at - size : self.at]

    def text(self):
        end = self.data.find(b"\0", self.at)
        if end < 0:
            raise Unknown("call frame information is cut")
        return self.bytes(end + 1 - self.at)[:-1]

    @property
    def more(self):
        return self.at < len(self.data)


class Unwinder(object):
    """Frames of threads of one process; `read(address, size)` gives its memory, `maps` its mappings as
    (start, end, permissions, path)."""

    def __init__(self, word, read, maps):
        self.word, self.read, self.maps = word, read, maps
        self.names, self.stack = NAMES[word], STACKS[word]
        self.headers = {}

    def counters(self, registers):
        """Program counters from the innermost frame out, each with whether it is a return address. Ends after the
        outermost frame; raises Unknown where the way there is not known."""
        values = [registers.get(name) for name in self.names]
        is_return = False
        for _ in range(MOST_FRAMES):
            counter = values[-1]
            yield counter, is_return
            values, is_signal = self.caller(values, counter - 1 if is_return else counter)
            if values is None:
                return
            is_return = not is_signal
        raise Unknown("the stack has no end")

    def caller(self, values, counter):
        fde, cie, base = self.entry_of(counter)
        rows = Rows(self, cie, fde, base, counter)
        if rows.rules.get(rows.return_column) == ("undefined",):
            return None, False
        cfa = self.cfa(rows, values)
        older = list(values)
        for number in range(len(self.names)):
            older[number] = self.saved(rows.rules.get(number), number, values, cfa)
        older[-1] = self.saved(rows.rules.get(rows.return_column), len(self.names) - 1, values, cfa)
        if rows.rules.get(self.stack) is None:
            older[self.stack] = cfa
        if older[-1] == 0:
            return None, False
        if older[-1] is None or (older[self.stack] == values[self.stack] and older[-1] == values[-1]):
            raise Unknown("a frame has no caller")
        return older, cie["signal"]

    def cfa(self, rows, values):
        rule = rows.cfa
        if rule is None:
            raise Unknown("a frame has no address")
        if rule[0] == "expression":
            return self.evaluate(rule[1], values, [])
        base = values[rule[1]] if rule[1] < len(values) else None
        if base is None:
            raise Unknown("a register is not known")
        return (base + rule[2]) % (1 << 8 * self.word)

    def saved(self, rule, number, values, cfa):
        if rule is None or rule[0] == "same":
            return values[number]
        if rule[0] == "undefined":
            return None
        if rule[0] == "offset":
            return self.pointer(cfa + rule[1])
        if rule[0] == "value":
            return cfa + rule[1]
        if rule[0] == "register":
            return values[rule[1]]
        at = self.evaluate(rule[1], values, [cfa])
        return self.pointer(at) if rule[0] == "expression" else at

    def pointer(self, at):
        return int.from_bytes(self.read(at % (1 << 8 * self.word), self.word), "little")

    def evaluate(self, code, values, stack):
        """The few operations of DWARF expressions that compilers and libc use in unwind tables."""
        cursor, limit = Cursor(code), 1 << 8 * self.word
        binary = {
            0x1A: lambda a, b: a & b, 0x1C: lambda a, b: a - b, 0x1E: lambda a, b: a * b, 0x21: lambda a, b: a | b,
            0x22: lambda a, b: a + b, 0x24: lambda a, b: a << min(b, 64), 0x25: lambda a, b: a >> min(b, 64),
            0x27: lambda a, b: a ^ b, 0x29: lambda a, b: int(a == b), 0x2A: lambda a, b: int(a >= b),
            0x2B: lambda a, b: int(a > b), 0x2C: lambda a, b: int(a <= b), 0x2D: lambda a, b: int(a < b),
            0x2E: lambda a, b: int(a != b),
        }  # fmt: skip
        constants = {0x08: "B", 0x09: "b", 0x0A: "H", 0x0B: "h", 0x0C: "I", 0x0D: "i", 0x0E: "Q", 0x0F: "q"}
        try:
            while cursor.more:
                op = cursor.take("B")
                if op in constants:
                    stack.append(cursor.take(constants[op]))
                elif op == 0x06:
                    stack.append(self.pointer(stack.pop()))
                elif op == 0x10:
                    stack.append(cursor.uleb())
                elif op == 0x11:
                    stack.append(cursor.sleb())
                elif op == 0x12:
                    stack.append(stack[-1])
                elif op == 0x23:
                    stack.append((stack.pop() + cursor.uleb()) % limit)
                elif 0x30 <= op <= 0x4F:
                    stack.append(op - 0x30)
                elif 0x70 <= op <= 0x8F:
                    stack.append((values[op - 0x70] + cursor.sleb()) % limit)
                elif op in binary:
                    second, first = stack.pop(), stack.pop()
                    stack.append(binary[op](first, second) % limit)
                else:
                    raise Unknown("an expression has operation 0x%x" % op)
            return stack[-1]
        except (IndexError, TypeError):
            raise Unknown("an expression in call frame information makes no sense")

    # The module that has a program counter, and its entry for it.
    def entry_of(self, counter):
        region = next((m for m in self.maps if m[0] <= counter < m[1]), None)
        if region is None:
            raise Unknown("code outside of every mapping")
        key = region[3] or region[0]
        if key not in self.headers:
            self.headers[key] = self.header_of(region)
        header = self.headers[key]
        if header is None:
            raise Unknown("code without call frame information")
        return self.fde_of(header, counter)

    def header_of(self, region):
        """Address of .eh_frame_hdr of the file that a mapping is of."""
        starts = [m[0] for m in self.maps if m[3] == region[3] and m[0] <= region[0]] if region[3] else [region[0]]
        for start in reversed(starts):
            head = self.read(start, 64)
            if head[:4] == b"\x7fELF":
                return self.header_in(start, head)
        return None

    def header_in(self, start, head):
        wide = head[4] == 2
        table = struct.unpack_from("<Q" if wide else "<I", head, 32 if wide else 28)[0]
        size, count = struct.unpack_from("<HH", head, 54 if wide else 42)
        if size < (56 if wide else 32) or count > 512:
            return None
        entries, first, found = self.read(start + table, size * count), None, None
        for at in range(0, size * count, size):
            kind = struct.unpack_from("<I", entries, at)[0]
            address = struct.unpack_from("<Q" if wide else "<I", entries, at + (16 if wide else 8))[0]
            if kind == PT_LOAD and first is None:
                first = address & ~0xFFF
            if kind == PT_GNU_EH_FRAME:
                found = address
        return None if found is None or first is None else start - first + found

    def fde_of(self, header, counter):
        version, frames, count, entries = self.read(header, 4)
        if (version, frames, count, entries) != (1, PCREL_SDATA4, UDATA4, DATAREL_SDATA4):
            raise Unknown("an index of call frame information in an unknown form")
        low, high = 0, struct.unpack("<I", self.read(header + 8, 4))[0]
        while low < high:
            middle = (low + high) // 2
            if header + struct.unpack("<i", self.read(header + 12 + 8 * middle, 4))[0] <= counter:
                low = middle + 1
            else:
                high = middle
        if low == 0:
            raise Unknown("code without call frame information")
        at = header + struct.unpack("<i", self.read(header + 12 + 8 * (low - 1) + 4, 4))[0]
        data = self.entry(at)
        cie = self.cie_of(at + 4 - struct.unpack_from("<I", data)[0])
        fde = Cursor(data, 4)
        start = at + 8 + fde.take("i")
        length = fde.take("I")
        if not start <= counter < start + length:
            raise Unknown("code without call frame information")
        if cie["augmented"]:
            fde.bytes(fde.uleb())
        return fde, cie, start

    def entry(self, at):
        length = struct.unpack("<I", self.read(at, 4))[0]
        if length == 0 or length > MOST_ENTRY_BYTES:
            raise Unknown("an entry of call frame information has no sound length")
        return self.read(at + 4, length)

    def cie_of(self, at):
        cursor = Cursor(self.entry(at), 4)
        version = cursor.take("B")
        augmentation = cursor.text()
        if version not in (1, 3) or augmentation[:1] not in (b"", b"z"):
            raise Unknown("call frame information in an unknown form")
        cie = {"signal": b"S" in augmentation, "augmented": augmentation[:1] == b"z"}
        cie["code"], cie["data"] = cursor.uleb(), cursor.sleb()
        cie["return"] = cursor.take("B") if version == 1 else cursor.uleb()
        if cie["augmented"]:
            letters = Cursor(cursor.bytes(cursor.uleb()))
            for letter in augmentation[1:].decode("ascii"):
                if letter == "R" and letters.take("B") != PCREL_SDATA4:
                    raise Unknown("call frame information in an unknown form")
                if letter == "P":
                    letters.bytes({0: self.word, 3: 4, 4: 8, 11: 4, 12: 8}.get(letters.take("B") & 0xF, 4))
                if letter == "L":
                    letters.take("B")
        cie["instructions"] = cursor
        return cie


class Rows(object):
    """The rules at one program counter: where the frame is, and where each register of the caller was saved."""

    def __init__(self, unwinder, cie, fde, start, counter):
        self.rules, self.cfa, self.saved = {}, None, []
        self.return_column, self.cie, self.counter = cie["return"], cie, counter
        self.location = start
        self.initial = {}
        instructions = cie["instructions"]
        self.run(Cursor(instructions.data, instructions.at))
        self.initial = dict(self.rules)
        self.location = start
        self.run(fde)
        if self.return_column != len(unwinder.names) - 1:
            raise Unknown("an unusual column of return addresses")

    def run(self, cursor):
        while cursor.more and self.location <= self.counter:
            op = cursor.take("B")
            high, low = op & 0xC0, op & 0x3F
            if high == 0x40:
                self.location += low * self.cie["code"]
            elif high == 0x80:
                self.rules[low] = ("offset", cursor.uleb() * self.cie["data"])
            elif high == 0xC0:
                self.restore(low)
            else:
                self.step(op, cursor)

    def restore(self, number):
        if number in self.initial:
            self.rules[number] = self.initial[number]
        else:
            self.rules.pop(number, None)

    def step(self, op, cursor):
        factor = self.cie["data"]
        if op in (0x02, 0x03, 0x04):
            self.location += cursor.take({0x02: "B", 0x03: "H", 0x04: "I"}[op]) * self.cie["code"]
        elif op == 0x05:
            number = cursor.uleb()
            self.rules[number] = ("offset", cursor.uleb() * factor)
        elif op == 0x06:
            self.restore(cursor.uleb())
        elif op == 0x07:
            self.rules[cursor.uleb()] = ("undefined",)
        elif op == 0x08:
            self.rules[cursor.uleb()] = ("same",)
        elif op == 0x09:
            number = cursor.uleb()
            self.rules[number] = ("register", cursor.uleb())
        elif op == 0x0A:
            self.saved.append((dict(self.rules), self.cfa))
        elif op == 0x0B:
            if not self.saved:
                raise Unknown("call frame information makes no sense")
            self.rules, self.cfa = self.saved.pop()
        elif op == 0x0C:
            number = cursor.uleb()
            self.cfa = ("register", number, cursor.uleb())
        elif op == 0x0D:
            self.cfa = ("register", cursor.uleb(), self.offset())
        elif op == 0x0E:
            self.cfa = ("register", self.base(), cursor.uleb())
        elif op == 0x0F:
            self.cfa = ("expression", cursor.bytes(cursor.uleb()))
        elif op in (0x10, 0x16):
            number = cursor.uleb()
            self.rules[number] = ("expression" if op == 0x10 else "value-expression", cursor.bytes(cursor.uleb()))
        elif op == 0x11:
            number = cursor.uleb()
            self.rules[number] = ("offset", cursor.sleb() * factor)
        elif op == 0x12:
            number = cursor.uleb()
            self.cfa = ("register", number, cursor.sleb() * factor)
        elif op == 0x13:
            self.cfa = ("register", self.base(), cursor.sleb() * factor)
        elif op == 0x14:
            number = cursor.uleb()
            self.rules[number] = ("value", cursor.uleb() * factor)
        elif op == 0x2E:
            cursor.uleb()  # DW_CFA_GNU_args_size
        elif op != 0x00:
            raise Unknown("call frame information has instruction 0x%x" % op)

    def base(self):
        return self.known()[1]

    def offset(self):
        return self.known()[2]

    def known(self):
        if self.cfa is None or self.cfa[0] != "register":
            raise Unknown("call frame information makes no sense")
        return self.cfa


def mappings(pid):
    """(start, end, permissions, path) of each mapping."""
    found = []
    with open("/proc/%d/maps" % pid, errors="replace") as lines:
        for line in lines:
            words = line.rstrip("\n").split(None, 5)
            start, end = (int(part, 16) for part in words[0].split("-"))
            found.append((start, end, words[1], words[5] if len(words) > 5 else ""))
    return found


def reader_of(file):
    """Reads from an open /proc/PID/mem; raises Unknown where there is nothing."""

    def read(at, size):
        try:
            data = os.pread(file, size, at)
        except (OSError, OverflowError):
            data = b""
        if len(data) != size:
            raise Unknown("memory at 0x%x cannot be read" % at)
        return data

    return read
