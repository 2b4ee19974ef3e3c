"""E: a process that has loaded what a worker needs, and becomes workers by forking, so that it is loaded once."""

from __future__ import annotations

import ctypes
import fcntl
import gc
import json
import os
import socket
import sys
import time
from typing import TYPE_CHECKING

from gateway.processes.leash import follow_parent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FLAG = "--zygote"
"""First argument of the process, before the number of its socket and the process id of its supervisor."""

MOST_BYTES = 65_536
_MOST_DESCRIPTORS = 16
_STEP = 0.0005
_PR_SET_CHILD_SUBREAPER = 36


def request(arguments: Sequence[str], descriptors: Sequence[int]) -> bytes:
    """What is sent beside the descriptors: a worker's arguments, and the numbers it is to find them under."""
    return json.dumps([list(arguments), list(descriptors)]).encode()


def adopt_orphans(*, wanted: bool) -> bool:
    """Make grandchildren whose parent ends children of this process, or no longer; False where that can't be had."""
    if sys.platform != "linux" or not hasattr(os, "pidfd_open"):
        return False
    return int(ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0)) == 0


def serve(number: int, supervisor: int, load: Callable[[], None]) -> list[str]:
    """Fork a worker for each request on socket `number`, until it is closed. Returns in workers only: their arguments.

    Each is a grandchild whose parent ends at once, so that the supervisor becomes its parent, as if it had started it.
    """
    follow_parent(supervisor, watch=False)
    gc.disable()  # there is hardly any garbage yet: 2,000 objects of 90,000
    load()
    gc.freeze()  # what no collector looks at workers share, and need not look at
    with socket.socket(fileno=number) as control:
        while os.getppid() == supervisor:
            message, received, _, _ = socket.recv_fds(control, MOST_BYTES, _MOST_DESCRIPTORS)
            if not message:
                break
            pid = _fork()
            if pid == 0:
                control.close()
                arguments, wanted = json.loads(message)
                place(received, wanted)
                gc.enable()
                return list(arguments)
            for descriptor in received:
                os.close(descriptor)
            control.send(str(pid).encode())
    sys.exit()


def _fork() -> int:
    """Process id of the grandchild; 0 in it."""
    told, tell = os.pipe()
    between = os.fork()
    if between == 0:
        between = os.getpid()
        pid = os.fork()
        if pid:
            os.write(tell, str(pid).encode())
            os._exit(0)
        os.close(told)
        os.close(tell)
        os.setpgid(0, 0)
        while os.getppid() == between:
            time.sleep(_STEP)
        return 0
    os.close(tell)
    pid = int(os.read(told, 32))
    os.close(told)
    os.waitpid(between, 0)  # from here on the grandchild is the supervisor's child
    return pid


def place(received: list[int], wanted: list[int]) -> None:
    """Give descriptors the numbers they have at the supervisor; first out of the way, as one may have another's."""
    beyond = max(received + wanted) + 1
    aside = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, beyond) for descriptor in received]
    for descriptor in received:
        os.close(descriptor)
    for descriptor, number in zip(aside, wanted, strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)
