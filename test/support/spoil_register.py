# Changes one bit of one register of a thread: spoil_register.py SCRIPTS TID KIND. To see that a keeper notices.
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import arena_inspect_ptrace as pt
from arena_inspect_frames import X86_64
from arena_inspect_xstate import offset_of_feature

tid, kind = int(sys.argv[2]), sys.argv[3]
# In the form of XSAVE that is not compacted: x87 and SSE have fixed places, the rest is where the processor says.
PLACES = {
    "x87": lambda: 32 + 16 * 3,
    "xmm": lambda: 160 + 16 * 5,
    "ymm": lambda: offset_of_feature(2) + 16 * 5,
    "zmm": lambda: offset_of_feature(7) + 64 * 5,
    "tile": lambda: offset_of_feature(18) + 1024 * 5,
}
pt.demand(pt.SEIZE, tid)
pt.demand(pt.INTERRUPT, tid)
pt.wait_for(tid, 10)
if kind == "general":
    registers = X86_64.unpack(pt.get_regset(tid, pt.NT_PRSTATUS, 512))
    registers["r13"] ^= 1
    pt.set_regset(tid, pt.NT_PRSTATUS, X86_64.pack(registers))
else:
    state = bytearray(pt.get_regset(tid, pt.NT_X86_XSTATE, 65536))
    state[PLACES[kind]()] ^= 1
    pt.set_regset(tid, pt.NT_X86_XSTATE, state)
pt.demand(pt.DETACH, tid)
