"""E: where files of jobs are kept and input comes from, as the configuration has it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gateway.stores.files import LocalFiles
from gateway.stores.job_input import Caps, JobInput
from gateway.stores.objects import ObjectFiles, filesystem

if TYPE_CHECKING:
    from gateway.config.schema import Config
    from gateway.fetch import Fetcher
    from gateway.ports.files import Files

FOLDER = "jobs"
"""Below server.data_dir."""


def job_files(config: Config, fetcher: Fetcher) -> tuple[Files, JobInput]:
    """Both ports of jobs' files. Made when a worker starts: a storage's library takes a second to load.

    Raises:
        StoreError: a package for object storage is not installed, which `gateway check` would have said.
    """
    jobs = config.jobs
    storages = {scheme: filesystem(scheme, jobs.endpoint(scheme)) for scheme in jobs.schemes}
    inputs = JobInput(fetcher, storages, jobs.inputs, Caps(line=config.server.body_limit))
    if jobs.files is None:
        return LocalFiles(Path(config.server.data_dir) / FOLDER), inputs
    scheme, _, root = jobs.files.partition("://")
    return ObjectFiles(storages[scheme], root), inputs
