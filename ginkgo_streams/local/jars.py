"""Kafka's jars: fetched once by Maven from the pom beside this file, with the user's own Maven settings."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from tempfile import mkdtemp

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from ginkgo_streams.local.errors import FetchFailed, ProgramMissing
from ginkgo_streams.local.home import local_folder, require_disk

VERSION = "4.3.1"
_FETCH_MB = 300  # 54 MB of jars, as much in Maven's own repository, and its plugins
_DOWNLOADED = re.compile(r"Downloaded from \S+: \S+/([\w.\-]+\.jar)")


def kafka_jars(console: Console | None = None) -> Path:
    """The folder of Kafka's jars, fetched first where it is not there (7 s to a minute, progress on stderr).

    They are in $GINKGO_KAFKA_LIBS where that is set, else under the home folder. Safe to call from several processes
    at once: one fetches, the others wait for it.
    Raises ProgramMissing without `mvn`, DiskFull, FetchFailed.
    """
    libs = _libs()
    if _complete(libs):
        return libs
    libs.parent.mkdir(parents=True, exist_ok=True)
    with _locked(libs.parent / "lock"):
        if not _complete(libs):
            _fetch(libs, console or Console(stderr=True))
    return libs


def have_kafka_jars() -> bool:
    """Whether they are here already, so that Maven is not needed."""
    return _complete(_libs())


def _libs() -> Path:
    given = os.environ.get("GINKGO_KAFKA_LIBS")
    return Path(given).expanduser().absolute() if given else local_folder() / "kafka" / "libs"


def _pom() -> bytes:
    return resources.files("ginkgo_streams.local").joinpath("kafka-pom.xml").read_bytes()


def _complete(libs: Path) -> bool:
    """Whether the jars there are those of today's pom: a copy of the pom is the last thing put beside them."""
    pom = libs / "pom.xml"
    return pom.exists() and pom.read_bytes() == _pom()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch(libs: Path, console: Console) -> None:
    folder = libs.parent
    mvn = shutil.which("mvn")
    if mvn is None:
        raise ProgramMissing("mvn", "install Apache Maven (apt-get install maven, brew install maven); it fetches Kafka's jars once")
    require_disk(folder, _FETCH_MB, "fetching Kafka")
    log = folder / "fetch.log"
    partial = Path(mkdtemp(prefix="libs.part-", dir=folder))
    try:
        pom = partial / "pom.xml"
        pom.write_bytes(_pom())
        fetched = partial / "libs"
        code = _run([mvn, "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={fetched}"], log, console)
        if code != 0 or not (fetched / f"kafka_2.13-{VERSION}.jar").exists():
            raise FetchFailed(f"Kafka {VERSION}", _first_error(log) or f"mvn ended with status {code}", log)
        pom.rename(fetched / "pom.xml")
        if libs.exists():  # of another version: what runs on it has its jars open already
            shutil.rmtree(libs)
        fetched.rename(libs)
        console.print(f"Kafka {VERSION}: {len(list(libs.glob('*.jar')))} jars in {libs}")
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _run(command: list[str], log: Path, console: Console) -> int:
    """Runs Maven, its output into `log`, and shows the jars it downloads (its own plugins' too). Returns its status.

    How many there will be is not known before: what Maven's own repository has already is not downloaded again.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    count = 0
    console.print(f"fetching Kafka {VERSION} by Maven, once")
    with (
        log.open("w") as output,
        Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process,
    ):
        task = progress.add_task("resolving", total=None)
        try:
            for line in process.stdout or ():
                output.write(line)
                match = _DOWNLOADED.search(line)
                if match is None:
                    continue
                count += 1
                progress.update(task, description=f"{count} jars, {match[1]}")
                if not console.is_terminal and count % 20 == 0:
                    console.print(f"  {count} jars downloaded")
        except BaseException:
            process.terminate()  # else leaving the `with` waits for a download that nobody wants any more
            raise
    return process.returncode


def _first_error(log: Path) -> str | None:
    for line in log.read_text(errors="replace").splitlines():
        if line.startswith("[ERROR] ") and len(line) > len("[ERROR] "):
            return line.removeprefix("[ERROR] ")[:300]
    return None
