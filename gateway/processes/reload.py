"""E: reads the configuration again when its file changes or SIGHUP comes, and tells the workers what came of it."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - dataclass field
from typing import TYPE_CHECKING

from gateway.config.changes import needs_restart
from gateway.config.problem import ConfigError
from gateway.launch import News

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.config.schema import Config


@dataclass(frozen=True, slots=True)
class Source:
    """The file that the configuration came from, and how to read it again, with the options of the command."""

    path: Path
    load: Callable[[], Config]


class Reloader:
    """Holds the configuration in force, which `publish` is given beside the news.

    One that is bad, or needs a restart, changes nothing but what is said of it.
    """

    def __init__(
        self, source: Source, config: Config, publish: Callable[[News, Config], None], say: Callable[[str], None]
    ) -> None:
        self.config = config
        self._source = source
        self._publish = publish
        self._say = say
        self._stale = ""
        self._seen = self._mark()

    def reload(self, *, asked: bool = True) -> None:
        """Read the file and act on it; `asked` is false when it may be as it was, and nothing needs to be said then."""
        try:
            config = self._source.load()
        except ConfigError as error:
            self._keep("invalid", str(error.problems[0]), str(error))
            return
        except OSError as error:
            self._keep("invalid", f"{self._source.path}: cannot be read: {error.strerror}")
            return
        fixed = needs_restart(self.config, config)
        if fixed:
            names = f"{', '.join(fixed)} can't change while the gateway runs; restart it"
            self._keep("restart_needed", f"{self._source.path}: {names}")
        elif asked or self._stale or config != self.config:
            self.config, self._stale = config, ""
            self._say(f"{self._source.path}: in force now")
            self._publish(News("applied", "", config), config)

    def _keep(self, outcome: str, line: str, full: str = "") -> None:
        if line == self._stale:
            return
        self._stale = line
        self._say(f"the configuration stays as it was: {full or line}")
        self._publish(News(outcome, line), self.config)

    def look(self) -> None:
        """Reload if the file is another one than at the last look; a folder may also hold a log that grows."""
        mark = self._mark()
        if mark != self._seen:
            self._seen = mark
            self.reload(asked=False)

    def _mark(self) -> tuple[int, ...]:
        """What changes with the file, its content, or what a link leads to; empty when there is none."""
        try:
            found = self._source.path.stat()
        except OSError:
            return ()
        return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size

    async def watch(self) -> None:
        """Reload on SIGHUP and on every change of the file, for ever.

        Its folder is watched, so that a file put in its place, or a symbolic link that is turned, counts too.
        """
        from watchfiles import awatch  # noqa: PLC0415 - loads while the gateway serves already

        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.reload)
        folders = {self._source.path.absolute().parent, self._source.path.resolve().parent}
        try:
            async for _ in awatch(*folders, watch_filter=None, recursive=False):
                self.look()
        except (OSError, RuntimeError) as error:
            self._say(f"{self._source.path} is not watched ({type(error).__name__}); send SIGHUP after a change")
