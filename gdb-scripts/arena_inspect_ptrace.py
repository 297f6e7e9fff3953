# ptrace by ctypes: requests, register sets, waits. Linux only; no gdb. Imported by the scripts that hold a process or
# call into it.
import ctypes
import errno
import os
import struct
import time

CONT, DETACH = 7, 17
GET_THREAD_AREA = 25
GETSIGINFO, SETSIGINFO, GETREGSET, SETREGSET = 0x4202, 0x4203, 0x4204, 0x4205
SEIZE, INTERRUPT = 0x4206, 0x4207
GETSIGMASK, SETSIGMASK = 0x420A, 0x420B
GET_RSEQ_CONFIGURATION = 0x420F
WALL = 0x40000000
CLD_STOPPED = 5
# The event of a stop that we asked for, or that job control made; bits 16 and up of the wait status.
EVENT_STOP = 128
NT_PRSTATUS, NT_X86_XSTATE = 1, 0x202
SIGINFO_BYTES = 128
SIGMASK_BYTES = 8

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def ptrace(request, tid, data=0, address=0):
    """0, or the errno."""
    ctypes.set_errno(0)
    return ctypes.get_errno() if libc.ptrace(request, tid, address, data) < 0 else 0


def demand(request, tid, data=0, address=0):
    """Raises OSError where ptrace() answers with an errno."""
    error = ptrace(request, tid, data, address)
    if error != 0:
        raise OSError(error, os.strerror(error))


def get_regset(tid, kind, most):
    """The register set as the kernel gives it, at most `most` bytes. Raises OSError."""
    data = ctypes.create_string_buffer(most)
    vector = (ctypes.c_ulong * 2)(ctypes.addressof(data), most)
    demand(GETREGSET, tid, ctypes.addressof(vector), kind)
    return data.raw[: vector[1]]


def set_regset(tid, kind, data):
    """Sets all of it: a register set is written as it was read, or not at all. Raises OSError."""
    source = ctypes.create_string_buffer(bytes(data), len(data))
    vector = (ctypes.c_ulong * 2)(ctypes.addressof(source), len(data))
    demand(SETREGSET, tid, ctypes.addressof(vector), kind)


def get_mask(tid):
    """The blocked signals, bit 0 for signal 1. Raises OSError."""
    data = ctypes.create_string_buffer(SIGMASK_BYTES)
    demand(GETSIGMASK, tid, ctypes.addressof(data), SIGMASK_BYTES)
    return struct.unpack("<Q", data.raw)[0]


def set_mask(tid, mask):
    data = ctypes.create_string_buffer(struct.pack("<Q", mask), SIGMASK_BYTES)
    demand(SETSIGMASK, tid, ctypes.addressof(data), SIGMASK_BYTES)


def get_siginfo(tid):
    data = ctypes.create_string_buffer(SIGINFO_BYTES)
    demand(GETSIGINFO, tid, ctypes.addressof(data))
    return data.raw


def set_siginfo(tid, info):
    data = ctypes.create_string_buffer(info, SIGINFO_BYTES)
    demand(SETSIGINFO, tid, ctypes.addressof(data))


def tls_base(tid, selector):
    """Base of the 32-bit thread area that a segment selector (gs) names; None where there is none."""
    area = (ctypes.c_uint * 4)()
    error = ptrace(GET_THREAD_AREA, tid, ctypes.addressof(area), selector >> 3)
    return None if error else area[1]


def rseq_section(tid, memory):
    """The critical section of restartable sequences that the thread may be in; 0 for none, or an old kernel."""
    layout = ctypes.create_string_buffer(24)
    # It returns the size, so the errno alone tells of failure.
    if ptrace(GET_RSEQ_CONFIGURATION, tid, ctypes.addressof(layout), 24) != 0:
        return 0
    area = struct.unpack_from("<Q", layout.raw)[0]
    try:
        return struct.unpack("<Q", os.pread(memory, 8, area + 8))[0] if area else 0
    except (OSError, OverflowError, struct.error):
        return 0


def look(tid):
    """The wait status of a thread that stopped or ended; None for neither. Raises OSError (ECHILD) when it is gone.
    A stop is only looked at: were it waited for, the kernel would drop the signal that it is about, should we die."""
    try:
        found = os.waitid(os.P_PID, tid, os.WEXITED | os.WSTOPPED | os.WNOHANG | os.WNOWAIT | WALL)
    except OSError as error:
        # Before Linux 4.7.
        if error.errno != errno.EINVAL:
            raise
        return take(tid)
    if found is None:
        return None
    stopped = found.si_code in (os.CLD_TRAPPED, CLD_STOPPED)
    return found.si_status << 8 | 0x7F if stopped else take(tid)


def take(tid):
    """The same, and the kernel forgets it: a thread that ended, or a signal that shall reach nobody."""
    got, status = os.waitpid(tid, os.WNOHANG | WALL)
    return status if got != 0 else None


def wait_for(tid, seconds):
    """look(), for so long; None when nothing came."""
    end, pause = time.monotonic() + seconds, 0.0
    while True:
        status = look(tid)
        if status is not None or time.monotonic() > end:
            return status
        time.sleep(pause)
        # Short calls are waited for eagerly, long ones are not.
        pause = min(0.001, pause + 0.00001)


def threads(pid):
    try:
        return [int(name) for name in os.listdir("/proc/%d/task" % pid)]
    except OSError:
        return []


def state(pid, tid):
    try:
        with open("/proc/%d/task/%d/stat" % (pid, tid), "rb") as file:
            return file.read().rpartition(b") ")[2][:1].decode()
    except OSError:
        return "X"


def status_field(pid, tid, name):
    """A field of /proc/PID/task/TID/status; None where it has none."""
    try:
        with open("/proc/%d/task/%d/status" % (pid, tid), errors="replace") as lines:
            for line in lines:
                if line.startswith(name + ":"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return None


def no_such_thread(error):
    return error.errno in (errno.ESRCH, errno.ECHILD)
