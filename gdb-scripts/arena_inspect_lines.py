# Functions and source lines of addresses in one ELF file, for arena-inspect: `symbol-file FILE`, then
# `arena-inspect-lines ADDRESS...` answers one line of JSON after the word `arena-inspect-json`. Needs gdb with Python 3.
import json
import re

import gdb


def functions_at(at):
    """Inlined functions, innermost first, and the one that they are in; from debug information."""
    try:
        block = gdb.block_for_pc(at)
    except (gdb.error, RuntimeError):
        return [], None
    names = []
    while block is not None and not block.is_static and not block.is_global:
        # libc's aliases are inlined into themselves.
        if block.function is not None and block.function.print_name not in names[-1:]:
            names.append(block.function.print_name)
        block = block.superblock
    return (names[:-1], names[-1]) if names else ([], None)


def symbol_at(at):
    """The symbol whose extent the address is in; from the symbol table."""
    try:
        shown = gdb.execute("info symbol 0x%x" % at, False, True)
    except gdb.error:
        return None
    found = re.match(r"(.*?)(?: \+ \d+)? in section \.?\S+", shown.strip())
    return found.group(1) if found else None


def source_at(at):
    line = gdb.find_pc_line(at)
    if line is None or line.symtab is None or line.line <= 0:
        return None
    return "%s:%d" % (line.symtab.filename, line.line)


class LinesCommand(gdb.Command):
    """arena-inspect-lines ADDRESS...: as JSON [[index, function, source, [inlined, ...]], ...] of those that are known."""

    def __init__(self):
        super(LinesCommand, self).__init__("arena-inspect-lines", gdb.COMMAND_DATA)

    def invoke(self, text, from_tty):
        found = []
        for index, word in enumerate(text.split()):
            at = int(word, 0)
            inlined, function = functions_at(at)
            function = function or symbol_at(at)
            source = source_at(at)
            if function is not None or source is not None:
                found.append([index, function, source, inlined])
        gdb.write("arena-inspect-json " + json.dumps(found) + "\n")


LinesCommand()
