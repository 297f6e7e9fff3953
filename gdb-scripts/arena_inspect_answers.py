# What a program that drives gdb asks for: the arena-inspect-* commands, which answer in JSON.
# Loaded after arena_inspect.py, whose symbols and layouts it tells. Needs gdb 8 or newer with Python 3.
import json

import gdb

JSON_PREFIX = "arena-inspect-json "


def emit(data):
    """One line a program can find: the prefix, then JSON in ASCII."""
    gdb.write(JSON_PREFIX + json.dumps(data) + "\n")


def objfile_named(path):
    for objfile in gdb.objfiles():
        if path in (objfile.filename, getattr(objfile, "username", None)):
            return objfile
    return None


def parse_args(text):
    """`-objfile=PATH` (optional) and the words after it."""
    words = gdb.string_to_argv(text)
    if words and words[0].startswith("-objfile="):
        return objfile_named(words[0][len("-objfile="):]), words[1:]
    return libc_objfile(), words


class AddressesCommand(gdb.Command):
    """arena-inspect-addresses [-objfile=PATH] NAME...: addresses of libc's variables, as JSON {name: "0x..."}."""

    def __init__(self):
        super(AddressesCommand, self).__init__("arena-inspect-addresses", gdb.COMMAND_DATA)

    def invoke(self, text, from_tty):
        objfile, names = parse_args(text)
        found = {name: address_of(objfile, name) for name in names}
        emit({name: hex(at) for name, at in found.items() if at is not None})


class LayoutsCommand(gdb.Command):
    """arena-inspect-layouts [-objfile=PATH] TAG...: layouts of structs, as JSON {tag: {size, offsets}}."""

    def __init__(self):
        super(LayoutsCommand, self).__init__("arena-inspect-layouts", gdb.COMMAND_DATA)

    def invoke(self, text, from_tty):
        objfile, tags = parse_args(text)
        layouts = {}
        for tag in tags:
            struct = struct_type(objfile, tag)
            if struct is not None and struct.fields():
                layouts[tag] = {"size": struct.sizeof, "offsets": offsets_of(struct)}
        emit(layouts)


def format_address(value):
    """`0x... <symbol+offset>` exactly as x/a prints it."""
    if hasattr(gdb, "format_address"):
        return gdb.format_address(value)
    return gdb.execute("output/a %d" % value, False, True)


class SymbolsCommand(gdb.Command):
    """arena-inspect-symbols ADDRESS...: what x/a prints between < and >, as JSON [[index, symbol], ...]."""

    def __init__(self):
        super(SymbolsCommand, self).__init__("arena-inspect-symbols", gdb.COMMAND_DATA)

    def invoke(self, text, from_tty):
        found = []
        for index, word in enumerate(text.split()):
            shown = format_address(int(word, 0))
            cut = shown.find(" <")
            if cut >= 0:
                found.append([index, shown[cut + 2:-1]])
        emit(found)


def frames_of(depth):
    """Frames of the selected thread, innermost first; stops where gdb cannot unwind further."""
    frames = []
    try:
        frame = gdb.newest_frame()
        while frame is not None and len(frames) < depth:
            sal = frame.find_sal()
            source = None
            if sal.symtab is not None:
                source = "%s:%d" % (sal.symtab.filename, sal.line)
            else:
                source = solib_name(frame.pc())
            frames.append([hex(frame.pc()), frame.name(), source])
            frame = frame.older()
    except gdb.error:
        pass
    return frames


def solib_name(pc):
    try:
        return gdb.solib_name(pc)
    except gdb.error:
        return None


class BacktracesCommand(gdb.Command):
    """arena-inspect-backtraces DEPTH: stacks of all threads, as JSON {tid: [[pc, function, source], ...]}."""

    def __init__(self):
        super(BacktracesCommand, self).__init__("arena-inspect-backtraces", gdb.COMMAND_STACK)

    def invoke(self, text, from_tty):
        depth = int(text)
        before = gdb.selected_thread()
        stacks = {}
        for thread in gdb.selected_inferior().threads():
            thread.switch()
            stacks[thread.ptid[1] or thread.ptid[2] or thread.ptid[0]] = frames_of(depth)
        if before is not None:
            before.switch()
        emit(stacks)


for command in (AddressesCommand, LayoutsCommand, SymbolsCommand, BacktracesCommand):
    command()
