"""A process that SIGKILL does not end, as one that waits for a disk that hangs."""
import ctypes
import os

PTRACE_SEIZE, PTRACE_DETACH, PTRACE_O_TRACEEXIT = 0x4206, 17, 0x40
WALL = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


class Unkillable:
    """Holds `pid` where it acts on no signal and, once it is killed, in the middle of its end, until `release()`. For one thread."""

    def __init__(self, pid):
        self.pid = pid
        if libc.ptrace(PTRACE_SEIZE, pid, None, PTRACE_O_TRACEEXIT) != 0:
            raise OSError(ctypes.get_errno(), f"cannot trace {pid}")

    def release(self):
        """Lets it go on: where it was killed it ends. Again is fine."""
        if self.pid is None:
            return
        try:
            os.waitpid(self.pid, WALL)
        except ChildProcessError:
            pass
        libc.ptrace(PTRACE_DETACH, self.pid, None, None)
        self.pid = None
