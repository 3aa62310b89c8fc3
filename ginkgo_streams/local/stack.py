"""The local stack: broker, databases, livecore and nodes as child processes, watched and started again."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from ginkgo_streams.local.databases import MariaDB, Redis, mariadb_program
from ginkgo_streams.local.errors import AlreadyRunning, LocalError, NotReady, ServerDied
from ginkgo_streams.local.kafka import Broker
from ginkgo_streams.local.plan import Addresses, Plan
from ginkgo_streams.local.process import Child, complaint, spawn, wait_for
from ginkgo_streams.local.server import Server
from ginkgo_streams.local.state import Kind, Member, StackState, read_state, remove_stale_state, remove_state, write_state

log = logging.getLogger("ginkgo.stack")

WATCH_SECONDS = 0.1  # how often the processes are looked at
FIRST_BACKOFF = 0.5  # seconds until an ended process is started again; doubles at each end in a row
LAST_BACKOFF = 30.0
STABLE_SECONDS = 60.0  # who ran that long begins again with the first backoff
DRAIN_SECONDS = 60.0  # scenario 3.2: a node has that long to stop its portfolios, then it is killed
WRONG_USAGE = 2  # an exit status that no further start will change
READY_SECONDS = 120.0  # a node recovers its tables before it is ready
READY_TRIES = 3  # ends in a row before it was ever ready: it will not be
READY_WORDS = {"node": b"ExecutionNode ready", "livecore": b"LiveCore ready"}
"""What the processes log, by the quickstart, when they are."""
USUAL_PORTS = {"kafka": 9092, "redis": 6379}


@dataclass(slots=True)
class _Watched:
    """A member with what is needed to start it again."""

    member: Member
    launch: Callable[[], Child]
    child: Child
    started: float
    backoff: float = FIRST_BACKOFF
    again_at: float = 0.0
    log_size: int = 0
    """Of the log when the process was started: only what stands behind is its own."""


class Stack:
    """Starts what a plan asks for, keeps it running, and stops it all in order. One per folder and machine.

    folder: servers' data, logs and the record of the stack. bound: everything dies with this process, however that
    ends (a demo); False: what runs goes on when this process is killed, and `stop_recorded` still finds it.
    """

    def __init__(self, folder: Path, plan: Plan, *, bound: bool) -> None:
        self.folder = folder.absolute()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.plan = plan
        self.bound = bound
        self.addresses: Addresses | None = None
        self._watched: dict[str, _Watched] = {}
        self._lock = threading.RLock()
        self._ending = threading.Event()
        self._watcher: threading.Thread | None = None
        self._state = StackState(os.getpid(), psutil.Process().create_time())

    def start(self) -> Addresses:
        """Servers, then livecore and nodes, then the watch over them. Returns when the servers answer and the rest is launched;
        `wait_ready` is for the rest. Raises LocalError's kinds, with nothing left running.
        """
        self._claim_folder()
        self._write()
        try:
            self.addresses = self._start_servers()
            self._state.kafka, self._state.redis, self._state.database_url = (
                self.addresses.kafka,
                self.addresses.redis,
                self.addresses.database_url,
            )
            for number in range(1, self.plan.livecores + 1):
                self._start_worker("livecore", f"livecore_{number:03}")
            for number in range(1, self.plan.nodes + 1):
                self._start_worker("node", f"execution_node_{number:03}")
        except BaseException:
            self.stop()
            raise
        self._write()
        self._watcher = threading.Thread(target=self._watch, name="stack-watch", daemon=True)
        self._watcher.start()
        return self.addresses

    def wait_ready(self, timeout: float = READY_SECONDS) -> None:
        """Returns when livecore and all nodes are ready. Raises ServerDied or NotReady; `stop` remains to be called then."""
        if not wait_for(lambda: all(m.ready for m in self.members()) or any(map(_hopeless, self.members())), timeout):
            slow = next(m for m in self.members() if not m.ready)
            raise NotReady(slow.name, "all", timeout, Path(slow.log))
        for member in self.members():
            if not member.ready:
                raise ServerDied(member.name, member.exit_status, complaint(Path(member.log)), Path(member.log))
        with self._lock:
            self._state.phase = "up"
            self._write()

    def stop(self) -> None:
        """Nodes, livecore, databases, broker, each after the one before has ended. Afterwards no process and no record is left."""
        self._ending.set()
        if self._watcher is not None:
            self._watcher.join()
        with self._lock:
            self._state.phase = "stopping"
            self._write()
            stop_in_order([(w.member.kind, w.child) for w in self._watched.values()])
            remove_state(self.folder)
            self._claim.close()

    def retire(self, kind: Kind) -> None:
        """Stops the processes of a kind for good while the rest runs on; returns when they have ended. Who drains too long is killed."""
        with self._lock:
            leaving = [w for w in self._watched.values() if w.member.kind == kind]
            for watched in leaving:
                watched.member.status = "ended"  # first: else the watch would take the end for an accident
            self._write()
        stop_in_order([(w.member.kind, w.child) for w in leaving])

    def members(self) -> list[Member]:
        """All processes as they are now."""
        with self._lock:
            return [w.member for w in self._watched.values()]

    def child(self, name: str) -> Child:
        """The process of a member by its name ("kafka", "livecore_001", "execution_node_002"). Raises KeyError."""
        with self._lock:
            return self._watched[name].child

    def _claim_folder(self) -> None:
        """One stack per folder: held by a file lock while this process lives, and by whatever lives of a killed one's."""
        self._claim = (self.folder / "stack.lock").open("w")
        try:
            fcntl.flock(self._claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"a stack runs already in {self.folder}; `ginkgo down` stops it") from None
        remove_stale_state(self.folder)
        left = read_state(self.folder)
        if left is not None:
            names = ", ".join(f"{child.name} (pid {child.pid})" for child in left.survivors(self.folder))
            raise AlreadyRunning(f"a stack whose supervisor was killed left {names} in {self.folder}; `ginkgo down` stops them")

    def _start_servers(self) -> Addresses:
        plan = self.plan
        kafka = plan.kafka or self._start_server("kafka", lambda port: Broker(self.folder / "kafka", port, bound=self.bound))
        redis = plan.redis or self._start_server("redis", lambda port: Redis(self.folder / "redis", port, bound=self.bound))
        database_url = plan.database_url
        if database_url is None and plan.mariadb and mariadb_program() is not None:
            server = MariaDB(self.folder / "mariadb", bound=self.bound)
            server.leave_taken_ports()
            self._start_member("mariadb", "mariadb", server)
            database_url = server.url
        return Addresses(kafka, redis, database_url or f"sqlite:///{self.folder / 'ginkgo.db'}")

    def _start_server(self, kind: Literal["kafka", "redis"], make: Callable[[int], Server]) -> str:
        asked = {"kafka": self.plan.kafka_port, "redis": self.plan.redis_port}[kind]
        first_time = self.plan.usual_ports and not (self.folder / kind / "server.json").exists()
        server = make(asked or (USUAL_PORTS[kind] if first_time else 0))
        if not asked:
            server.leave_taken_ports()
        self._start_member(kind, kind, server)
        return server.address

    def _start_member(self, kind: Kind, name: str, server: Server) -> None:
        log.info("Starting %s at %s", server.NAME, server.address)
        # Known to `stop` before it answers: an interrupt while waiting must not leave it behind.
        self._watch_over(kind, name, server.launch(), server.launch)
        server.wait_answers()
        self._watched[name].member.ready = True

    def _start_worker(self, kind: Kind, name: str) -> None:
        assert self.addresses is not None
        plan = self.plan
        command = [*plan.node_command, "--node-id", name] if kind == "node" else [*plan.livecore_command]
        environment = {**self.addresses.environment(), "GINKGO_NODE__ID": name, "PYTHONUNBUFFERED": "1", **plan.environment}
        log_file = self.folder / "logs" / f"{name}.log"

        def launch() -> Child:
            return spawn(name, command, log_file, bound=self.bound, env=environment)

        log.info("Starting %s", name)
        log_size = _size(log_file)
        self._watch_over(kind, name, launch(), launch, log_size)

    def _watch_over(self, kind: Kind, name: str, child: Child, launch: Callable[[], Child], log_size: int = 0) -> None:
        member = Member(name, kind, child.pid, child.born, str(child.log))
        with self._lock:
            self._watched[name] = _Watched(member, launch, child, time.monotonic(), log_size=log_size)
            self._write()

    def _write(self) -> None:
        self._state.members = [w.member for w in self._watched.values()]
        write_state(self.folder, self._state)

    def _watch(self) -> None:
        while not self._ending.wait(WATCH_SECONDS):
            with self._lock:
                changed = [self._look(watched) for watched in self._watched.values()]
                if any(changed):
                    self._write()

    def _look(self, watched: _Watched) -> bool:
        """One look at one process: notes its end, starts it again when its time has come. Whether anything changed."""
        member, now = watched.member, time.monotonic()
        if member.status == "running" and not watched.child.alive:
            self._note_end(watched, now)
            return True
        if member.status == "running" and not member.ready and _says_ready(watched):
            member.ready = True
            return True
        if member.status == "waiting" and now >= watched.again_at:
            self._start_again(watched, now)
            return True
        return False

    def _note_end(self, watched: _Watched, now: float) -> None:
        member = watched.member
        member.exit_status = status = watched.child.returncode
        worker = member.kind in READY_WORDS
        if worker and status == 0:
            member.status = "ended"
            log.info("%s has ended (status 0)", member.name)
        elif worker and status == WRONG_USAGE:
            member.status = "failed"
            log.error("%s ended with status 2 (wrong usage) and is not started again; its log is %s", member.name, member.log)
        else:
            if now - watched.started > STABLE_SECONDS:
                watched.backoff = FIRST_BACKOFF
            member.status, watched.again_at = "waiting", now + watched.backoff
            words = "%s ended with status %s, starting it again in %.1f s; its log is %s"
            log.warning(words, member.name, status, watched.backoff, member.log)
            watched.backoff = min(watched.backoff * 2, LAST_BACKOFF)

    def _start_again(self, watched: _Watched, now: float) -> None:
        member = watched.member
        member.restarts += 1
        watched.log_size = _size(Path(member.log))
        try:
            child = watched.launch()
        except (LocalError, OSError) as error:
            watched.again_at = now + watched.backoff
            log.error("%s cannot be started, next try in %.1f s: %s", member.name, watched.backoff, error)
            watched.backoff = min(watched.backoff * 2, LAST_BACKOFF)
            return
        watched.child, watched.started = child, now
        member.pid, member.born, member.status = child.pid, child.born, "running"
        member.ready = member.kind not in READY_WORDS
        log.info("%s runs again (pid %d)", member.name, child.pid)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _says_ready(watched: _Watched) -> bool:
    """Whether the process has logged that it is ready."""
    words = READY_WORDS.get(watched.member.kind)
    if words is None:
        return False
    with open(watched.member.log, "rb") as file:
        file.seek(watched.log_size)
        return words in file.read()


def _hopeless(member: Member) -> bool:
    """Whether a process that was never ready will not be: it has ended for good, or several times."""
    for_good = member.status in ("ended", "failed")
    return not member.ready and (for_good or (member.status == "waiting" and member.restarts >= READY_TRIES - 1))


def stop_in_order(children: list[tuple[Kind, Child]]) -> None:
    """Nodes, livecore, databases, broker: all of one kind at once, the next when those have ended. Who drains too long is killed."""
    for kinds in (("node",), ("livecore",), ("redis", "mariadb"), ("kafka",)):
        group = [child for kind, child in children if kind in kinds]
        for child in group:
            child.send(signal.SIGCONT)  # a stopped process would not hear the next
            child.send(signal.SIGTERM)
        end = time.monotonic() + DRAIN_SECONDS
        for child in group:
            if not child.wait(max(0.0, end - time.monotonic())):
                log.warning("%s did not stop within %.0f s and is killed; its log is %s", child.name, DRAIN_SECONDS, child.log)
                child.kill()


@contextlib.contextmanager
def running(stack: Stack) -> Iterator[Addresses]:
    """The stack for the length of a `with`."""
    addresses = stack.start()
    try:
        yield addresses
    finally:
        stack.stop()
