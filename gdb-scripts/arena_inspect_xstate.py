# The vector state of an x86 processor as the kernel gives it (NT_X86_XSTATE): its features and where they lie.
# Intel SDM volume 1, 13.4, in the form that is not compacted; the size differs from processor to processor.
import ctypes
import mmap
import struct

from arena_inspect_frames import SW_RESERVED, XSTATE_HEADER, NoFrames

# Tile data of AMX: the kernel has no room for it in the frames of a thread that has not asked for it.
TILE_DATA = 18
LEGACY_FEATURES = 3


def frame_state_size(state):
    """Bytes of the vector state that a frame has, and its features: those in use, by the state's own header."""
    available = struct.unpack_from("<Q", state, SW_RESERVED)[0]
    used = struct.unpack_from("<Q", state, XSTATE_HEADER)[0] | LEGACY_FEATURES
    if available >> TILE_DATA & 1 and not used >> TILE_DATA & 1:
        return offset_of_feature(TILE_DATA), used
    return len(state), used


def offset_of_feature(feature):
    """Where a feature lies in the state, by the processor (cpuid 0xd). Raises NoFrames."""
    code = bytes.fromhex("534989d089f889f10fa241890041895804418948084189500c5bc3")
    try:
        page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(code)
    except (OSError, ValueError):
        raise NoFrames("the layout of this processor's vector state cannot be asked for")
    found = (ctypes.c_uint * 4)()
    start = ctypes.addressof(ctypes.c_char.from_buffer(page))
    ctypes.CFUNCTYPE(None, ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p)(start)(0xD, feature, ctypes.addressof(found))
    return found[1]
