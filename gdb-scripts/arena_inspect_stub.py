# What a gdb stub is asked past gdb itself: files of its machine, and memory by packets of our own.
# Loaded before arena_inspect_remote.py, which uses it.
import binascii
import os
import re
import select

import gdb

FILE_BLOCK = 8192
# gdbserver's packets have room for 9215 bytes in hexadecimal.
BLOCK = 8192
BLOCKS_AHEAD = 4
MOST_PACKET = 1 << 20



class Lost(Exception):
    """Nothing more can be asked: `code` is what happened."""

    def __init__(self, code, why):
        Exception.__init__(self, why)
        self.code, self.why = code, why


class Refused(Exception):
    """This request cannot be answered; others may be."""


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
