"""`ginkgo up` and `ginkgo down`: a stack supervised by a process of its own, started and stopped from any shell."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from ginkgo_streams.local.errors import AlreadyRunning, LocalError, ServerDied
from ginkgo_streams.local.plan import Plan
from ginkgo_streams.local.process import Child, complaint, spawn, tail, wait_for
from ginkgo_streams.local.stack import DRAIN_SECONDS, Stack, stop_in_order
from ginkgo_streams.local.state import StackState, read_state, remove_state

DOWN_SECONDS = 4 * DRAIN_SECONDS + 30.0  # four groups, one after the other
_ERROR = "[ERROR] "
_PLAN = "plan.json"


def up(folder: Path, plan: Plan, say: Callable[[str], None]) -> StackState:
    """Starts a supervisor that outlives this process, and returns when the servers answer and every process is ready.

    say: is given a line for each step. Raises LocalError's kinds, with nothing left running.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = read_state(folder)
    if state is not None and state.survivors(folder):
        raise AlreadyRunning(f"a stack runs already in {folder}; `ginkgo down` stops it")
    plan_file = folder / _PLAN
    plan_file.touch(mode=0o600)
    plan_file.write_bytes(msgspec.json.encode(plan))
    log = folder / "supervisor.log"
    log.write_text("")
    command = [sys.executable, "-m", "ginkgo_streams.local.supervisor", str(folder)]
    supervisor = spawn("the supervisor", command, log, bound=False)
    said = 0
    try:
        while not wait_for(lambda: not supervisor.alive or _is_up(folder, supervisor), 0.2):
            said = _tell(log, said, say)
    except KeyboardInterrupt:
        supervisor.stop(DOWN_SECONDS)
        raise
    _tell(log, said, say)
    state = read_state(folder)
    if not supervisor.alive or state is None:
        errors = [line.removeprefix(_ERROR).strip() for line in tail(log, 50) if line.startswith(_ERROR)]
        if errors:
            raise LocalError(errors[-1])
        raise ServerDied("the supervisor", supervisor.returncode, complaint(log), log)
    return state


def down(folder: Path) -> list[str]:
    """Stops the stack that is recorded in `folder`, in order, and returns the names of the processes that were running.

    Works where the supervisor was killed, too. Nothing runs: an empty list.
    """
    state = read_state(folder)
    if state is None:
        remove_state(folder)
        return []
    supervisor = state.supervisor(folder)
    names = [member.name for member in state.members if member.child().alive]
    supervisor.send(signal.SIGTERM)
    if not supervisor.wait(DOWN_SECONDS):
        supervisor.kill()
    rest = read_state(folder) or state
    stop_in_order([(member.kind, member.child()) for member in rest.members])
    remove_state(folder)
    return names


def main(folder: Path) -> int:
    """The supervisor itself: runs the plan in `folder` until SIGTERM. Exit status 1 where the stack could not be started."""
    logging.basicConfig(stream=sys.stdout, format="[%(levelname)s] %(message)s", level=logging.INFO)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    stack = Stack(folder, msgspec.json.decode((folder / _PLAN).read_bytes(), type=Plan), bound=False)
    try:
        stack.start()
        try:
            stack.wait_ready()
            asked.wait()
        finally:
            stack.stop()
    except LocalError as error:
        print(f"{_ERROR}{error}", flush=True)
        return 1
    return 0


def _is_up(folder: Path, supervisor: Child) -> bool:
    state = read_state(folder)
    return state is not None and state.phase == "up" and state.supervisor_pid == supervisor.pid


def _tell(log: Path, said: int, say: Callable[[str], None]) -> int:
    lines = tail(log, 1000)
    for line in lines[said:]:
        if line.startswith("[INFO] "):
            say(line.removeprefix("[INFO] ").strip())
    return len(lines)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
