"""E: ties a child process to its parent, as a function or as `python leash.py PARENT PROGRAM ARGUMENTS…`."""

# Standard library only, and nothing of ours: as a script this runs isolated (-I -S) so that the start stays quick.
from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading

_PR_SET_PDEATHSIG = 1


def follow_parent(parent: int, *, watch: bool = True) -> None:
    """Have this process killed when the process `parent` ends, however it ends.

    Linux does it by a parent-death signal. Elsewhere a thread waits for the end of standard input, which the parent
    holds open; call this after everything expected there has been read, or with `watch` off by who reads on and calls
    `parent_ended` at the end.
    """
    if sys.platform == "linux":
        _die_with_parent()
    elif watch:
        threading.Thread(target=_watch_stdin, name="leash", daemon=True).start()
    if os.getppid() != parent:  # it ended before the leash was on
        os._exit(1)


def parent_ended() -> None:
    """Standard input has ended, so the parent has; on Linux this process is being killed already, or was let go."""
    if sys.platform != "linux":
        os._exit(1)


def announce_ready(fd: int) -> None:
    """Tell the supervisor, by one byte on its pipe, that this process serves."""
    os.write(fd, b"1")
    os.close(fd)


def _die_with_parent() -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def _watch_stdin() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)


def _main() -> None:
    parent, program, *arguments = sys.argv[1:]
    if sys.platform == "linux":  # the signal's setting survives exec; a thread would not
        follow_parent(int(parent))
    os.execv(program, [program, *arguments])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    _main()
