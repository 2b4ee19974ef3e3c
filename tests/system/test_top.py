"""`gateway top` and `gateway limits` as processes, on a gateway that runs; top on a terminal, too."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import struct
import subprocess
import termios
from contextlib import suppress
from typing import TYPE_CHECKING

from fakes.running_gateway import COMMAND, PATIENCE, clean_environment, launched, until

if TYPE_CHECKING:
    from fakes.running_gateway import Gateway

TOKEN = "canary-of-the-console-token"
KEY = "key-of-the-search-tenant"
CONFIG = """
tiers: {metered: {rpm: 10, concurrency: 5}}
tenants: {search: {tier: metered, keys: [key-of-the-search-tenant]}}
admin: {port: 0, token: "${ADMIN_TOKEN}"}
"""


async def run(*arguments: str, env: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of `gateway …`."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment({"ADMIN_TOKEN": TOKEN} | (env or {})),
    )
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def admin_of(gateway: Gateway) -> str:
    return gateway.said().partition("Admin:")[2].split()[0].removesuffix("/admin/")


async def test_what_a_gateway_does_is_seen_from_a_terminal() -> None:
    async with launched(CONFIG, workers=2, key=KEY, env={"ADMIN_TOKEN": TOKEN}) as gateway:
        url = admin_of(gateway)
        with_token = {"GATEWAY_ADMIN_TOKEN": TOKEN}
        assert (await gateway.embed(["a", "a", "b"])).status == 200
        await plain_lines(gateway, url, with_token)
        await limits(gateway)
        await on_a_terminal(url, with_token)
        code, out, err = await run("top", "--url", url, env={"GATEWAY_ADMIN_TOKEN": "another-token-of-nobody"})
        assert (code, out) == (1, "")
        assert "answers 401: Invalid admin token" in err
        code, out, err = await run("top", "--url", gateway.url, env=with_token)
        assert (code, out) == (1, "")
        assert "answers 404" in err


async def plain_lines(gateway: Gateway, url: str, env: dict[str, str]) -> None:
    """Without a terminal they are plain; the limit is there at once, the rates within a slot."""

    async def told() -> bool:
        code, out, err = await run("top", "--url", url, env=env)
        assert (code, err) == (0, "")
        assert "limit     search all its calls requests a minute: 1 of 10 (10 %)" in out
        return "tenant    search:" in out

    await until(told)
    (gateway.data_dir / "token").write_text(f"{TOKEN}\n")
    code, out, _ = await run("top", "--once", "--url", url, "--token-file", str(gateway.data_dir / "token"))
    assert code == 0
    assert "backend   local all-MiniLM-L6-v2: well" in out
    assert TOKEN not in out


async def limits(gateway: Gateway) -> None:
    """Straight from the store: no admin listener is asked."""
    config = str(gateway.data_dir.parent / "config.yaml")
    code, out, err = await run("limits", "search", "--json", "--config", config, "--data-dir", str(gateway.data_dir))
    assert (code, err) == (0, "")
    rows = json.loads(out)["limits"]
    assert [(row["kind"], row["used"], row["left"]) for row in rows] == [("requests", 1, 9), ("concurrency", 0, 5)]


def said(master: int) -> bytes:
    """All that was written to a terminal so far, of which one read gives a part at most."""
    found = b""
    with suppress(BlockingIOError):
        while piece := os.read(master, 65_536):
            found += piece
    return found


async def on_a_terminal(url: str, env: dict[str, str]) -> None:
    """It draws on the other screen until q is pressed, and leaves the terminal as it was; so it does on Ctrl-C."""
    for leave in (b"q", b"\x03"):
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 120, 0, 0))
        before = termios.tcgetattr(slave)
        process = await asyncio.create_subprocess_exec(
            *(*COMMAND, "top", "--url", url, "--interval", "0.5"),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=clean_environment(env | {"TERM": "xterm-256color"}),
            preexec_fn=_own_terminal,  # Ctrl-C goes to whom the terminal belongs to
        )
        os.set_blocking(master, False)
        seen = b""

        async def drawn(master: int = master) -> bool:
            nonlocal seen
            seen += said(master)
            return seen.count(b"Limits used most") >= 2

        await until(drawn)
        os.write(master, leave)
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
        seen += said(master)
        assert b"\x1b[?1049h" in seen
        assert seen.rindex(b"\x1b[?1049l") > seen.index(b"\x1b[?1049h")
        assert b"Traceback" not in seen
        assert termios.tcgetattr(slave)[3] == before[3]
        os.close(slave)
        os.close(master)


def _own_terminal() -> None:
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
