"""The image's steps without an image: wheel, empty environment, an unprivileged process that may write one folder."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fakes.running_gateway import PATIENCE, Gateway, clean_environment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
NOBODY = 65_534
ENV = {"PYTHONDONTWRITEBYTECODE": "1", "HOME": "/proc/nobody"}


@pytest.fixture(scope="module")
def installed() -> Iterator[Path]:
    """An environment with nothing but the wheel, which finds the dependencies in ours."""
    with tempfile.TemporaryDirectory(prefix="gw", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        wheels = ["--no-deps", "--no-build-isolation", "--wheel-dir", str(folder / "wheels")]
        subprocess.run([*pip, "wheel", *wheels, str(ROOT)], check=True, timeout=PATIENCE)
        environment = folder / "env"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True, timeout=PATIENCE)
        python = environment / "bin" / "python"
        (wheel,) = (folder / "wheels").glob("gateway-*.whl")
        install = ["--python", str(python), "install", "--no-deps", "--no-index", "--no-compile", str(wheel)]
        subprocess.run([*pip, *install], check=True, timeout=PATIENCE)
        (site,) = environment.glob("lib/python*/site-packages")
        (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
        where = subprocess.run(
            [python, "-c", "import gateway; print(gateway.__file__)"],
            capture_output=True,
            text=True,
            check=True,
            cwd="/",
            env=clean_environment(ENV),
        ).stdout
        assert where.startswith(str(site)), where
        yield environment / "bin" / "gateway"


def begun(argv: list[str], folder: Path) -> subprocess.Popen[bytes]:
    """A process that may do no more than in the image: nobody's, or root's without any of root's capabilities.

    The second is where the test's own Python is in a folder that only root can read.
    """
    is_root = os.geteuid() == 0
    places = [Path(sysconfig.get_path("purelib")), Path(sys.base_prefix)]
    is_open = all(part.stat().st_mode & 0o005 == 0o005 for place in places for part in (place, *place.parents))
    drop = ["setpriv", "--bounding-set=-all", "--no-new-privs"] if is_root and not is_open else []
    user = NOBODY if is_root and is_open else None
    (folder / "here").mkdir(mode=0o555)
    folder.chmod(0o755)
    with (folder / "stdout").open("w") as out, (folder / "stderr").open("w") as err:
        return subprocess.Popen(
            [*drop, *argv], stdout=out, stderr=err, cwd=folder / "here", env=clean_environment(ENV), user=user
        )


@asynccontextmanager
async def served(command: Path) -> AsyncIterator[Gateway]:
    """The image's own CMD, on a free port, in a folder that is read-only."""
    with tempfile.TemporaryDirectory(prefix="gw", dir="/tmp") as name:
        folder, mount = Path(name), Path(name) / "data"
        mount.mkdir()
        # As Kubernetes' emptyDir: it may belong to somebody else, and everybody may write.
        mount.chmod(0o777)
        (text,) = re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
        changed = {"0.0.0.0": "127.0.0.1", "8080": "0", "/data/gateway": str(mount / "gateway")}  # noqa: S104 - recognised, not bound
        argv = [str(command), *(changed.get(word, word) for word in json.loads(text))]
        assert set(changed.values()) <= set(argv)
        gateway = Gateway(begun(argv, folder), folder, mount / "gateway", "")
        try:
            await gateway.started()
            yield gateway
            await gateway.stop()
        finally:
            await gateway.close()


def run(command: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [command, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False, env=clean_environment(ENV)
    )
    return done.returncode, done.stdout + done.stderr


def test_the_wheel_alone_checks_the_example(installed: Path) -> None:
    code, said = run(installed, "check", "--config", str(ROOT / "config.example.yaml"))
    assert (code, "usable" in said) == (0, True), said


async def test_an_unprivileged_process_serves_and_its_healthcheck_and_doctor_are_content(
    installed: Path, tmp_path: Path
) -> None:
    async with served(installed) as gateway:
        assert (await gateway.get("/ready")).status == 200
        assert (await gateway.embed("hello")).status == 200
        (health,) = re.findall(r"^  CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
        python, *rest = json.loads(health)
        assert python == "python"
        for url, code in ((gateway.url, 0), ("http://127.0.0.1:9", 1)):
            argv = [sys.executable, *(word.replace("http://127.0.0.1:8080", url) for word in rest)]
            done = await asyncio.to_thread(subprocess.run, argv, capture_output=True, check=False)
            assert done.returncode == code
        port = gateway.url.rpartition(":")[2]
        config = tmp_path / "gateway.yaml"
        config.write_text(f"server: {{port: {port}, data_dir: '{gateway.data_dir}'}}\n")
        code, said = await asyncio.to_thread(run, installed, "doctor", "--config", str(config))
        assert code == 0, said
        assert f"port {port}: a gateway serves there" in said
        assert ", runs; " in said
