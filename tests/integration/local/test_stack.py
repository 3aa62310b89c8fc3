"""The local stack: what ends is started again, what is stopped leaves no process, and another shell finds all of it."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import sys
from pathlib import Path

import psutil
import pytest

from ginkgo_streams.local import ports
from ginkgo_streams.local.errors import AlreadyRunning, LocalError, PortTaken, ServerDied
from ginkgo_streams.local.kafka import Broker, answers_metadata
from ginkgo_streams.local.plan import Plan
from ginkgo_streams.local.process import Child, wait_for
from ginkgo_streams.local.stack import Stack, running
from ginkgo_streams.local.state import Member, StackState, read_state, remove_stale_state, write_state
from ginkgo_streams.local.supervisor import down, up

_WORKER = """
import json, os, signal, sys, time
from pathlib import Path
folder, name = Path(sys.argv[1]), os.environ["GINKGO_NODE__ID"]
starts = folder / f"{name}.starts"
with starts.open("a") as file:
    file.write("x")
(folder / f"{name}.env").write_text(json.dumps({k: v for k, v in os.environ.items() if k.startswith("GINKGO_")}))
def stop(*_):
    with (folder / "stopped").open("a") as file:
        file.write(name + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print("[INFO] LiveCore ready" if name.startswith("livecore") else "[INFO] ExecutionNode ready, processing events...", flush=True)
time.sleep(600)
"""


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Two nodes and a livecore that only say when they start and stop; the servers are real."""
    script = tmp_path / "worker.py"
    script.write_text(_WORKER)
    command = (sys.executable, str(script), str(tmp_path))
    return Plan(nodes=2, node_command=command, livecore_command=command, mariadb=False)


WORKERS = ("livecore_001", "execution_node_001", "execution_node_002")


def test_stack_when_processes_are_killed_then_starts_them_again_and_stop_leaves_none(tmp_path: Path, plan: Plan) -> None:
    folder = tmp_path / "local"
    stack = Stack(folder, plan, bound=True)
    with running(stack) as addresses:
        stack.wait_ready()
        environment = json.loads((tmp_path / "execution_node_001.env").read_text())
        assert environment["GINKGO_KAFKA__BOOTSTRAP_SERVERS"] == addresses.kafka
        assert environment["GINKGO_REDIS__PORT"] == addresses.redis.split(":")[1]
        assert environment["GINKGO_DATABASE__URL"] == f"sqlite:///{folder / 'ginkgo.db'}"
        first = {member.name: member.pid for member in stack.members()}
        for name in ("execution_node_001", "livecore_001", "kafka", "redis"):
            os.kill(first[name], signal.SIGKILL)
        os.kill(first["execution_node_002"], signal.SIGTERM)
        assert wait_for(lambda: [m.restarts for m in stack.members() if m.name != "execution_node_002"] == [1] * 4, 20)
        assert wait_for(lambda: answers_metadata(addresses.kafka), 30)
        assert wait_for(lambda: all(member.ready for member in stack.members()), 20)
        now = {member.name: member for member in stack.members()}
        assert now["execution_node_002"].status == "ended"  # status 0: somebody asked it to stop
        assert now["execution_node_002"].restarts == 0
        assert now["execution_node_001"].pid != first["execution_node_001"]
        recorded = read_state(folder)
        assert recorded is not None
        assert {member.name: member.pid for member in recorded.members} == {name: member.pid for name, member in now.items()}
        assert stat.S_IMODE((folder / "stack.json").stat().st_mode) == 0o600
    assert [psutil.pid_exists(member.pid) for member in now.values()] == [False] * 5
    assert (tmp_path / "stopped").read_text().split() == ["execution_node_002", "execution_node_001", "livecore_001"]
    assert read_state(folder) is None


def test_stack_when_a_worker_says_wrong_usage_then_is_not_started_again(tmp_path: Path, plan: Plan, kafka: Broker) -> None:
    wrong = Plan(
        nodes=1,
        livecores=0,
        kafka=kafka.bootstrap,
        redis="127.0.0.1:1",
        database_url="sqlite://",
        node_command=(sys.executable, "-c", "raise SystemExit(2)"),
    )
    stack = Stack(tmp_path / "local", wrong, bound=True)
    with running(stack):
        with pytest.raises(ServerDied, match="execution_node_001 ended with status 2"):
            stack.wait_ready()
        assert stack.members()[0].status == "failed"
        assert stack.members()[0].exit_status == 2


def test_stack_when_a_kind_is_retired_then_it_stays_away_though_it_ends_badly_and_the_rest_runs_on(tmp_path: Path, plan: Plan) -> None:
    bad = (sys.executable, "-c", "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(1)); "
           "print('LiveCore ready', flush=True); time.sleep(600)")  # fmt: skip
    given = Plan(nodes=1, kafka="127.0.0.1:1", redis="127.0.0.1:1", database_url="sqlite://", node_command=plan.node_command,
                 livecore_command=bad)  # fmt: skip
    stack = Stack(tmp_path / "local", given, bound=True)
    with running(stack):
        stack.wait_ready()
        stack.retire("livecore")
        assert not wait_for(lambda: stack.child("livecore_001").alive, 1.0)  # twice the first backoff
        assert {member.name: (member.status, member.restarts) for member in stack.members()} == {
            "livecore_001": ("ended", 0), "execution_node_001": ("running", 0),
        }  # fmt: skip


def test_stack_when_one_runs_in_the_folder_then_a_second_is_refused_and_the_first_goes_on(
    tmp_path: Path, plan: Plan, kafka: Broker
) -> None:
    folder = tmp_path / "local"
    given = Plan(nodes=1, livecores=0, kafka=kafka.bootstrap, redis="127.0.0.1:1", database_url="sqlite://", node_command=plan.node_command)
    with running(Stack(folder, given, bound=True)):
        with pytest.raises(AlreadyRunning, match="ginkgo down"):
            Stack(folder, given, bound=True).start()
        state = read_state(folder)
        assert state is not None
        assert state.survivors(folder)


def test_stack_when_a_chosen_port_is_taken_then_says_so_and_leaves_nothing(tmp_path: Path, plan: Plan) -> None:
    with socket.socket() as other:
        other.bind((ports.HOST, 0))
        other.listen()
        taken = Plan(nodes=1, redis_port=other.getsockname()[1], kafka="127.0.0.1:1", node_command=plan.node_command)
        with pytest.raises(PortTaken, match="for Redis is taken by"):
            Stack(tmp_path / "local", taken, bound=True).start()
    assert read_state(tmp_path / "local") is None
    assert not (tmp_path / "execution_node_001.starts").exists()


def test_up_and_down_when_called_from_different_processes_then_start_and_stop_everything(tmp_path: Path, plan: Plan) -> None:
    folder = tmp_path / "local"
    said: list[str] = []
    state = up(folder, plan, said.append)
    try:
        assert any(line.startswith("Starting Kafka at") for line in said)
        assert answers_metadata(state.kafka)
        assert {member.name: member.ready for member in state.members} == dict.fromkeys(("kafka", "redis", *WORKERS), True)
        with pytest.raises(AlreadyRunning, match="ginkgo down"):
            up(folder, plan, said.append)
    finally:
        stopped = down(folder)
    assert set(stopped) == {"kafka", "redis", *WORKERS}
    assert [child.name for child in state.survivors(folder)] == []
    assert (tmp_path / "stopped").read_text().split()[-1] == "livecore_001"  # nodes before livecore
    assert down(folder) == []


def test_down_when_the_supervisor_was_killed_then_stops_what_it_left(tmp_path: Path, plan: Plan) -> None:
    folder = tmp_path / "local"
    state = up(folder, plan, lambda _: None)
    state.supervisor(folder).kill()
    assert not remove_stale_state(folder)
    with pytest.raises(AlreadyRunning, match="ginkgo down"):
        Stack(folder, plan, bound=True).start()
    assert set(down(folder)) == {"kafka", "redis", *WORKERS}
    assert state.survivors(folder) == []


def test_up_when_the_start_fails_then_the_reason_comes_in_one_line_and_nothing_is_left(tmp_path: Path, plan: Plan) -> None:
    with socket.socket() as other:
        other.bind((ports.HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(LocalError, match=f"^port {port} for Kafka is taken by .*; stop that process or choose another port$"):
            up(tmp_path / "local", Plan(kafka_port=port, node_command=plan.node_command), lambda _: None)
    assert read_state(tmp_path / "local") is None


def test_up_when_a_worker_never_gets_ready_then_says_why_and_leaves_nothing(tmp_path: Path, kafka: Broker) -> None:
    folder = tmp_path / "local"
    command = (sys.executable, "-c", "raise SystemExit('[ERROR] the tables are somebody else\\'s')")
    bad = Plan(nodes=1, livecores=0, kafka=kafka.bootstrap, redis="127.0.0.1:1", database_url="sqlite://", node_command=command)
    said = r"^execution_node_001 ended with status 1 while starting: \[ERROR\] the tables are somebody else's; its log"
    with pytest.raises(LocalError, match=said):
        up(folder, bad, lambda _: None)
    assert read_state(folder) is None
    assert list(folder.glob("stack.json*")) == []


def test_state_when_its_processes_are_gone_or_replaced_then_is_stale(tmp_path: Path) -> None:
    me = psutil.Process()
    gone = Member("execution_node_001", "node", me.pid, me.create_time() - 1000, "x.log")  # my pid, but born long before me
    write_state(tmp_path, StackState(me.pid, me.create_time() - 1000, "up", members=[gone]))
    assert remove_stale_state(tmp_path)
    assert read_state(tmp_path) is None
    alive = Member("execution_node_001", "node", me.pid, me.create_time(), "x.log")
    write_state(tmp_path, StackState(me.pid, me.create_time() - 1000, "up", members=[alive]))
    assert not remove_stale_state(tmp_path)
    assert isinstance(alive.child(), Child)


def test_state_when_the_file_is_no_record_then_is_stale_too(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text('{"supervisor_pid": 1')
    assert read_state(tmp_path) is None
    assert remove_stale_state(tmp_path)
    assert not (tmp_path / "stack.json").exists()
