# glibc malloc arenas in plain gdb: gdb -nx -x arena_inspect.py PROGRAM CORE, then `arenas` and `regions`.
# One file, to be copied to where no Node is. Needs gdb 8 or newer with Python 3.
import re

import gdb


def libc_objfile():
    """The objfile that malloc belongs to: libc, else the program itself (static), else None."""
    files = [o for o in gdb.objfiles() if o.filename and not getattr(o, "owner", None)]
    for pattern in (r"/libc(\.so\.6|-2\.\d+\.so)$", r"/libc[.-][^/]*$"):
        for objfile in files:
            if re.search(pattern, objfile.filename):
                return objfile
    for objfile in files:
        if symbol_in(objfile, "main_arena") is not None:
            return objfile
    return None


def symbol_in(objfile, name):
    """The variable `name` of one objfile, so that another library's variable of that name is never taken."""
    if objfile is not None:
        for lookup in ("lookup_static_symbol", "lookup_global_symbol"):
            find = getattr(objfile, lookup, None)
            symbol = find(name) if find else None
            if symbol is not None and symbol.is_variable:
                return symbol
        if hasattr(objfile, "lookup_static_symbol"):
            return None
    try:
        malloc_file = gdb.lookup_symbol("malloc")[0].symtab
        symbol = gdb.lookup_global_symbol(name) or gdb.lookup_symbol(name, malloc_file.static_block())[0]
    except (gdb.error, AttributeError, RuntimeError):
        return None
    return symbol if symbol is not None and symbol.is_variable else None


def address_without_type(objfile, name):
    """Address of a symbol that has no debug information, when it lies in `objfile`; else None."""
    if not re.match(r"[A-Za-z_]\w*$", name):
        return None
    try:
        value = int(gdb.parse_and_eval("(unsigned long)&" + name))
        where = gdb.execute("info symbol %d" % value, False, True)
    except gdb.error:
        return None
    if not re.match(re.escape(name) + r" in section ", where):
        return None
    found = re.search(r" of (.*)$", where.strip())
    if found and objfile is not None and found.group(1) not in (objfile.filename, getattr(objfile, "username", None)):
        return None
    return value


WANTED_TAGS = {"main_arena": "malloc_state", "mp_": "malloc_par"}


def address_of(objfile, name):
    symbol = symbol_in(objfile, name)
    if symbol is None:
        return address_without_type(objfile, name)
    if getattr(symbol, "addr_class", None) != gdb.SYMBOL_LOC_STATIC:
        return None
    if name in WANTED_TAGS and symbol.type.strip_typedefs().tag != WANTED_TAGS[name]:
        return None
    return int(symbol.value().address)


def struct_type(objfile, tag):
    """`struct TAG` as the objfile's malloc sees it, or None."""
    symbol = symbol_in(objfile, "main_arena")
    try:
        if symbol is not None and symbol.symtab is not None:
            return gdb.lookup_type("struct " + tag, symbol.symtab.static_block())
        return gdb.lookup_type("struct " + tag)
    except gdb.error:
        return None


def offsets_of(struct, base=0):
    offsets = {}
    for member in struct.strip_typedefs().fields():
        if not hasattr(member, "bitpos"):
            continue
        at = base + member.bitpos // 8
        if member.name:
            offsets[member.name] = at
        else:
            offsets.update(offsets_of(member.type, at))
    return offsets


class Unreadable(Exception):
    """Memory of the target that is not there, or not what malloc left there."""


NOTHING = "arena-inspect: nothing to look at. Start gdb with PROGRAM CORE, or attach to a process."
NO_DEBUG = (
    "arena-inspect: no debug symbols for malloc in %s.\n"
    "Install them (Debian, Ubuntu: apt-get install libc6-dbg; Fedora: dnf debuginfo-install glibc), or point gdb at "
    "them (set debug-file-directory DIR), then load the core again."
)


class Malloc(object):
    """glibc's malloc in the selected inferior, as debug information describes it."""

    def __init__(self):
        self.inferior = gdb.selected_inferior()
        if self.inferior.pid == 0:
            raise gdb.GdbError(NOTHING)
        objfile = libc_objfile()
        if objfile is None:
            raise gdb.GdbError("arena-inspect: no libc among the loaded files (see `info sharedlibrary`).")
        self.main = address_of(objfile, "main_arena")
        par = address_of(objfile, "mp_")
        types = [struct_type(objfile, tag) for tag in ("malloc_state", "malloc_par", "_heap_info")]
        if self.main is None or par is None or None in types:
            raise gdb.GdbError(NO_DEBUG % objfile.filename)
        self.state, self.par_type, self.heap = [(offsets_of(t), t.sizeof) for t in types]
        self.word = gdb.lookup_type("char").pointer().sizeof
        self.par = par
        self.bin_words = types[0]["bins"].type.range()[1] + 1
        self.fast_words = types[0]["fastbinsY"].type.range()[1] + 1 if "fastbinsY" in self.state[0] else 0

    def bytes_at(self, at, size):
        try:
            return bytes(self.inferior.read_memory(at, size))
        except gdb.MemoryError:
            raise Unreadable("memory at 0x%x cannot be read" % at)

    def words(self, at, count):
        data = self.bytes_at(at, count * self.word)
        return [int.from_bytes(data[i * self.word:(i + 1) * self.word], "little") for i in range(count)]

    def member(self, layout, at, name, size=None):
        return int.from_bytes(self.bytes_at(at + layout[0][name], size or self.word), "little")

    def check_main(self):
        """A libc of another build puts main_arena elsewhere: its bins must be heads of lists."""
        bins = self.words(self.main + self.state[0]["bins"], self.bin_words)
        heads = sum(1 for i in range(0, self.bin_words - 1, 2) if self.is_head(i, bins[i], bins[i + 1]))
        if any(bins) and heads < self.bin_words // 2 - 8:
            raise gdb.GdbError(
                "arena-inspect: what is at main_arena (0x%x) is no arena. The libc on this machine is probably another "
                "build than the one of the core; use `set sysroot` with the files of that machine." % self.main
            )

    def header(self, arena, index):
        return arena + self.state[0]["bins"] + index * self.word - 2 * self.word

    def is_head(self, index, forward, back):
        header = self.header(self.main, index)
        if forward == header and back == header:
            return True
        try:
            return self.words(forward + 3 * self.word, 1)[0] == header
        except Unreadable:
            return False

    def arenas(self):
        """Addresses of all arenas in the order of malloc_stats."""
        at, seen = self.main, []
        while at not in seen and at != 0:
            seen.append(at)
            at = self.member(self.state, at, "next")
        if at != self.main:
            raise Unreadable("the ring of arenas does not close at 0x%x" % at)
        return seen

    def chunk_size(self, chunk):
        return self.words(chunk + self.word, 1)[0] & ~7

    def free_bytes(self, arena):
        """What malloc_stats calls avail: top, fastbins and bins."""
        top = self.member(self.state, arena, "top")
        total = self.chunk_size(top) if top else 0
        limit = self.member(self.state, arena, "system_mem") // (2 * self.word) + 1
        if self.fast_words:
            for head in self.words(arena + self.state[0]["fastbinsY"], self.fast_words):
                total += self.fastbin_bytes(head, limit) if head else 0
        for index in range(0, self.bin_words - 1, 2):
            total += self.bin_bytes(arena, index, limit)
        return total

    def bin_bytes(self, arena, index, limit):
        header = self.header(arena, index)
        chunk, total = self.words(header + 2 * self.word, 1)[0], 0
        while chunk != header and chunk != 0:
            limit -= 1
            if limit < 0:
                raise Unreadable("the free list at 0x%x has no end" % header)
            size, forward = self.words(chunk + self.word, 2)
            total += size & ~7
            chunk = forward
        return total

    def fastbin_bytes(self, head, limit):
        """Links are plain up to glibc 2.31, and mixed with their own address (safe-linking) from 2.32 on."""
        for safe in (True, False):
            total = self.fastbin_walk(head, limit, safe)
            if total is not None:
                return total
        raise Unreadable("the fastbin from 0x%x cannot be followed" % head)

    def fastbin_walk(self, chunk, limit, safe):
        total, first = 0, None
        while chunk != 0:
            limit -= 1
            try:
                size, forward = self.words(chunk + self.word, 2)
            except Unreadable:
                return None
            size &= ~7
            first = first or size
            if limit < 0 or size != first:
                return None
            total += size
            chunk = forward ^ ((chunk + 2 * self.word) >> 12) if safe else forward
        return total

    def heap_max(self):
        huge = self.member(self.par_type, self.par, "hp_pagesize") if "hp_pagesize" in self.par_type[0] else 0
        usual = 64 << 20 if self.word == 8 else 1 << 20
        return [4 * huge, usual] if huge else [usual]

    def heaps(self, arena):
        """Number of heap_info segments of a non-main arena, newest to oldest."""
        top = self.member(self.state, arena, "top")
        for size in self.heap_max():
            heap, count = top & ~(size - 1), 0
            try:
                while heap and self.member(self.heap, heap, "ar_ptr") == arena and count < 1 << 20:
                    count, heap = count + 1, self.member(self.heap, heap, "prev")
            except Unreadable:
                continue
            if count and not heap:
                return count
        raise Unreadable("the heaps of the arena at 0x%x cannot be followed" % arena)


class ArenasCommand(gdb.Command):
    """arenas: every malloc arena with its system, in-use and free bytes, as malloc_stats counts, but in 64 bits."""

    def __init__(self):
        super(ArenasCommand, self).__init__("arenas", gdb.COMMAND_DATA)

    def invoke(self, text, from_tty):
        malloc = Malloc()
        row = "%5s  %-18s %6s %18s %18s %18s\n"
        try:
            malloc.check_main()
            arenas = malloc.arenas()
        except Unreadable as error:
            raise gdb.GdbError("arena-inspect: %s" % error)
        gdb.write(row % ("arena", "address", "heaps", "system bytes", "in use bytes", "free bytes"))
        totals, notes = [0, 0, 0], []
        for index, arena in enumerate(arenas):
            try:
                system = malloc.member(malloc.state, arena, "system_mem")
                heaps = "brk" if arena == malloc.main else malloc.heaps(arena)
                free = malloc.free_bytes(arena)
            except Unreadable as error:
                notes.append("arena %d is not in the totals: %s" % (index, error))
                gdb.write(row % (index, hex(arena), "?", "?", "?", "?"))
                continue
            gdb.write(row % (index, hex(arena), heaps, system, system - free, free))
            totals = [totals[0] + system, totals[1] + system - free, totals[2] + free]
        count = malloc.member(malloc.par_type, malloc.par, "n_mmaps", 4)
        mapped = malloc.member(malloc.par_type, malloc.par, "mmapped_mem")
        gdb.write(row % ("mmap", "%d chunks" % count, "", mapped, mapped, 0))
        gdb.write(row % ("total", "", "", totals[0] + mapped, totals[1] + mapped, totals[2]))
        for note in notes:
            gdb.write("note: %s\n" % note)


def core_sections():
    """[start, end, permissions, saved] of the memory in the core file; None when there is no core."""
    text = gdb.execute("maintenance info sections", False, True)
    cut = text.find("Core file:")
    if cut < 0:
        return None
    found = []
    for line in text[cut:].splitlines():
        match = re.match(r"\s*\[\d+\]\s+(0x[0-9a-f]+)->(0x[0-9a-f]+) at 0x[0-9a-f]+: load\S* (.*)", line)
        if not match:
            continue
        start, end, flags = int(match.group(1), 16), int(match.group(2), 16), match.group(3).split()
        permissions = "r" + ("-" if "READONLY" in flags else "w") + ("x" if "CODE" in flags else "-")
        if end > start:
            found.append((start, end, permissions, "HAS_CONTENTS" in flags))
    return found


def proc_mappings():
    """[start, end, permissions or None, path] by `info proc mappings`; in a core only files are listed."""
    try:
        text = gdb.execute("info proc mappings", False, True)
    except gdb.error:
        return []
    found = []
    for line in text.splitlines():
        words = line.split(None, 5)
        if len(words) < 4 or not words[0].startswith("0x"):
            continue
        rest = line.split(None, 4)[4] if len(words) > 4 else ""
        permissions = re.match(r"([r-][w-][x-])[ps-]?(\s+|$)", rest)
        path = rest[permissions.end():] if permissions else rest
        shown = permissions.group(1) if permissions else None
        found.append((int(words[0], 16), int(words[1], 16), shown, path.strip()))
    return found


def kind_of(path):
    if path.startswith("/"):
        return "file"
    return path if path.startswith("[") and not path.startswith("[anon") else "anonymous"


class RegionsCommand(gdb.Command):
    """regions: the address space summed by what is behind it (file, anonymous) and by permissions."""

    def __init__(self):
        super(RegionsCommand, self).__init__("regions", gdb.COMMAND_DATA)

    def invoke(self, text, from_tty):
        sections, mappings = core_sections(), proc_mappings()
        if not sections and not mappings:
            raise gdb.GdbError(NOTHING)
        sums = {}
        if sections:
            for start, end, permissions, saved in sections:
                path = next((m[3] for m in mappings if m[0] < end and start < m[1]), "")
                key = (kind_of(path), permissions, "saved" if saved else "not saved")
                sums.setdefault(key, []).append(end - start)
        else:
            for start, end, permissions, path in mappings:
                sums.setdefault((kind_of(path), permissions or "?", ""), []).append(end - start)
        row = "%-12s %-5s %-10s %9s %20s\n"
        gdb.write(row % ("what", "perms", "in core" if sections else "", "mappings", "bytes"))
        for key, sizes in sorted(sums.items(), key=lambda item: -sum(item[1])):
            gdb.write(row % (key + (len(sizes), sum(sizes))))
        total = [size for sizes in sums.values() for size in sizes]
        gdb.write(row % ("total", "", "", len(total), sum(total)))


ArenasCommand()
RegionsCommand()
