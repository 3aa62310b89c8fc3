"""Where Ginkgo keeps what it starts and fetches on this machine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ginkgo_streams.local.errors import DiskFull


def home() -> Path:
    """The folder of settings and local data: $GINKGO_HOME, else ~/.ginkgo. Not created here."""
    given = os.environ.get("GINKGO_HOME")
    return Path(given).expanduser() if given else Path.home() / ".ginkgo"


def local_folder() -> Path:
    """The folder of the local stack's programs, data and logs, made where it is missing."""
    folder = home() / "local"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def require_disk(folder: Path, megabytes: int, purpose: str) -> None:
    """Raises DiskFull where the file system of the existing `folder` has less than `megabytes` (2**20 bytes) free."""
    free = shutil.disk_usage(folder).free // 2**20
    if free < megabytes:
        raise DiskFull(folder, purpose, free, megabytes)
