"""`ginkgo doctor`: is everything here that Ginkgo needs, and does what should run answer?"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import sqlalchemy

from ginkgo_streams.config import ConfigErrors, Settings, load_settings
from ginkgo_streams.local import ports
from ginkgo_streams.local.databases import mariadb_program, redis_program
from ginkgo_streams.local.errors import LocalError, ProgramMissing
from ginkgo_streams.local.home import local_folder, require_disk
from ginkgo_streams.local.jars import VERSION, have_kafka_jars
from ginkgo_streams.local.java import find_java, java_version
from ginkgo_streams.local.kafka import answers_metadata
from ginkgo_streams.local.state import read_state

DISK_MB = 1500  # Kafka's jars and a day of everything
_PYTHON = (3, 11)


class Check(msgspec.Struct, frozen=True):
    """One answer. remedy: what to do where it is not ok, else empty."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


def diagnose() -> list[Check]:
    """All checks, in the order in which things are needed. Takes at most about 15 s, where nothing answers."""
    return [_asked(name, question) for name, question in _MACHINE] + list(_configured())


def _asked(name: str, question: Callable[[], str]) -> Check:
    """A question that answers with the detail, or raises a LocalError whose text is "what is wrong; what to do"."""
    try:
        return Check(name, True, question())
    except LocalError as error:
        detail, _, remedy = str(error).partition("; ")
        return Check(name, False, detail, remedy)


def _python() -> str:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < _PYTHON:
        raise LocalError(f"Python {found} is too old; install 3.11 or newer and make the environment anew (rm -r .venv; make demo)")
    return f"{found} at {sys.executable}"


def _packages() -> str:
    missing = [name for name in ("faust", "aiokafka", "rocksdict", "sqlalchemy", "redis") if importlib.util.find_spec(name) is None]
    if missing:
        raise LocalError(f"packages are missing: {', '.join(missing)}; install Ginkgo with pip install -e .")
    return "installed"


def _java() -> str:
    java = find_java()
    return f"{java_version(java)} at {java}"


def _maven() -> str:
    if have_kafka_jars():
        return f"not needed any more, Kafka {VERSION} is here"
    mvn = shutil.which("mvn")
    if mvn is None:
        raise ProgramMissing("mvn", "install Apache Maven (apt-get install maven, brew install maven); it fetches Kafka's jars once")
    return mvn


def _database_program() -> str:
    return mariadb_program() or "no MariaDB on this machine, a SQLite file is used in its place"


def _disk() -> str:
    folder = local_folder()
    require_disk(folder, DISK_MB, "the local stack")
    return f"{shutil.disk_usage(folder).free // 2**20} MB free in {folder}"


def _stack() -> str:
    folder = local_folder()
    state = read_state(folder)
    if state is None:
        return "not up"
    alive = state.survivors(folder)
    if not alive:
        raise LocalError(f"{folder / 'stack.json'} speaks of processes that are gone; ginkgo down removes it")
    if not state.supervisor(folder).alive:
        raise LocalError(f"the supervisor (pid {state.supervisor_pid}) is gone, {len(alive)} processes run on; ginkgo down, then ginkgo up")
    down = [member for member in state.members if member.status != "running"]
    failed = [f"{member.name} ({member.status}, exit status {member.exit_status}, log {member.log})" for member in down]
    if failed:
        raise LocalError(f"not running: {', '.join(failed)}; look into the log")
    return f"{state.phase}, {len(state.members)} processes"


_MACHINE: list[tuple[str, Callable[[], str]]] = [
    ("python", _python),
    ("packages", _packages),
    ("java", _java),
    ("maven", _maven),
    ("redis program", redis_program),
    ("database program", _database_program),
    ("disk", _disk),
    ("stack", _stack),
]


def _configured() -> Iterator[Check]:
    """The settings, and the servers that they name."""
    try:
        settings = load_settings()
    except ConfigErrors as error:
        for problem in error.problems:
            yield Check("settings", False, str(problem), "correct it there")
        return
    yield Check("settings", True, "valid")
    stack = read_state(local_folder())
    given = settings.model_fields_set
    if stack is not None or "kafka" in given:
        yield _kafka(settings)
    if stack is not None or "redis" in given:
        yield _redis(settings)
    yield _database(settings)


def _kafka(settings: Settings) -> Check:
    bootstrap = settings.kafka.bootstrap
    if answers_metadata(bootstrap):
        return Check("kafka", True, f"answers at {bootstrap}")
    return Check("kafka", False, f"no broker answers at {bootstrap}", "start it (ginkgo up), or correct kafka.bootstrap_servers")


def _redis(settings: Settings) -> Check:
    assert settings.redis is not None
    host, port = settings.redis.host, settings.redis.port
    if ports.answers(host, port, 3):
        return Check("redis", True, f"answers at {host}:{port}")
    return Check("redis", False, f"nothing answers at {host}:{port}", "start it (ginkgo up), or correct the section redis")


def _database(settings: Settings) -> Check:
    url = sqlalchemy.make_url(settings.database_url)
    shown = url.render_as_string(hide_password=True)
    if url.drivername == "sqlite" and not Path(url.database or "").exists():
        return Check("database", True, f"{shown} will be made at the first start")
    try:
        engine = sqlalchemy.create_engine(url, connect_args={"connect_timeout": 5} if url.drivername.startswith("mysql") else {})
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text("SELECT 1"))
        engine.dispose()
    except sqlalchemy.exc.SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        return Check("database", False, f"{shown}: {reason}", "start it (ginkgo up), or correct the section database or mysql")
    return Check("database", True, f"answers at {shown}")
