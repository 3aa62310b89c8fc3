"""The demo as a user runs it, in a process of its own without a terminal: it ends well, whatever is killed, and leaves nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from ginkgo_streams.local.process import wait_for
from ginkgo_streams.local.state import Member, StackState, read_state

START_S = 180.0
END_S = 300.0
_MARKET = re.compile(r"market (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d), .* (\d+) orders")


@dataclass
class Demo:
    """A demo that runs, and what it has written so far."""

    process: subprocess.Popen[bytes]
    home: Path

    @property
    def said(self) -> str:
        return (self.home / "err").read_text()

    def state(self) -> StackState | None:
        return read_state(self.home / "demo" / "local")

    def member(self, name: str) -> Member:
        state = self.state()
        assert state is not None, self.said
        return next(member for member in state.members if member.name == name)

    def market_time(self) -> str:
        """Of the newest line; "" before there is one."""
        found = _MARKET.findall(self.said)
        return found[-1][0] if found else ""

    def orders(self) -> int:
        found = _MARKET.findall(self.said)
        return int(found[-1][1]) if found else 0

    def wait(self, condition: Any, seconds: float = START_S) -> None:
        assert wait_for(lambda: condition() or self.process.poll() is not None, seconds), self.said
        assert self.process.poll() is None, self.said

    def ended(self) -> tuple[int, dict[str, Any]]:
        """Exit status and summary; nothing of it runs any more."""
        code = self.process.wait(END_S)
        output = (self.home / "out").read_text()
        assert still_running(self.home) == []
        return code, json.loads(output) if output else {}


def still_running(home: Path) -> list[str]:
    """Processes that have the test's folder in their environment, whoever their parent is."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        try:
            ours = process.environ().get("GINKGO_HOME", "").startswith(str(home)) and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            continue
        if ours:
            found.append(f"{process.pid} {process.cmdline()[:6]}")
    return found


@contextmanager
def running(home: Path, *options: str) -> Iterator[Demo]:
    with (home / "out").open("wb") as out, (home / "err").open("wb") as err:
        command = [sys.executable, "-m", "ginkgo_streams.cli.main", "demo", "--json", *options]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env={**os.environ, "GINKGO_HOME": str(home)})
    try:
        yield Demo(process, home)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_demo_when_node_livecore_and_broker_are_killed_then_goes_on_and_its_books_agree(tmp_path: Path) -> None:
    with running(tmp_path, "--speed", "5", "--portfolios", "8") as demo:
        demo.wait(lambda: demo.orders() > 0)
        for name in ("execution_node_001", "livecore_001", "kafka"):
            before = demo.member(name)
            os.kill(before.pid, signal.SIGKILL)

            def back(name: str = name, pid: int = before.pid) -> bool:
                again = demo.member(name)
                return again.pid != pid and again.ready

            demo.wait(back)
            reached = demo.market_time()
            demo.wait(lambda reached=reached: demo.market_time() > reached)
        demo.process.send_signal(signal.SIGINT)
        demo.wait(lambda: "Ending: " in demo.said)
        demo.process.send_signal(signal.SIGINT)  # impatience changes nothing
        code, summary = demo.ended()
        assert code == 0, (summary, demo.said)
        assert "Still ending: " in demo.said
    assert summary["ok"] is True
    assert summary["audit"]["ok"] is True
    assert summary["audit"]["pending"] == 0
    assert summary["audit"]["open"] == 0
    assert summary["portfolios"] == 8
    assert summary["orders"] > 0
    assert summary["fills"] > 0
    assert summary["restarts"].keys() >= {"execution_node_001", "livecore_001", "kafka"}
    assert 0 < summary["memory_mb"] <= 1536
    assert not (tmp_path / "demo").exists()


def test_demo_when_seconds_are_given_then_ends_by_itself_and_a_second_one_meanwhile_is_refused(tmp_path: Path) -> None:
    given = ("--seconds", "12", "--portfolios", "1", "--nodes", "1", "--codes", "000001.SZ,600036.SH", "--keep")
    with running(tmp_path, *given) as demo:
        demo.wait(lambda: demo.state() is not None)
        command = [sys.executable, "-m", "ginkgo_streams.cli.main", "demo"]
        second = subprocess.run(command, env={**os.environ, "GINKGO_HOME": str(tmp_path)}, capture_output=True, text=True, check=False)
        assert second.returncode == 1
        assert re.fullmatch(r"\[ERROR\] a demo runs already in .*; end it with Ctrl\+C there first\n", second.stderr), second.stderr
        code, summary = demo.ended()
        assert code == 0, (summary, demo.said)
    assert summary["ok"] is True
    assert summary["seconds"] >= 12
    assert summary["portfolios"] == 1
    assert summary["ticks"] > 0
    assert (tmp_path / "demo" / "local" / "logs" / "livecore_001.log").exists()


def test_demo_when_asked_to_end_while_starting_then_leaves_nothing(tmp_path: Path) -> None:
    with running(tmp_path) as demo:
        demo.wait(lambda: (state := demo.state()) is not None and state.members)
        demo.process.send_signal(signal.SIGTERM)
        code, _ = demo.ended()
        assert code == 130, demo.said
        assert "Stopped before trading began" in demo.said
        assert demo.state() is None


def test_demo_when_maven_or_java_is_missing_then_says_what_to_install_in_one_line(tmp_path: Path) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"21.0.1\"' >&2\n")
    java.chmod(0o755)
    cases = ((str(java.parent), "mvn is not on the PATH; install Apache Maven"), ("", "java is not on the PATH; install a JRE"))
    for path, missing in cases:
        environment = {"PATH": path, "GINKGO_HOME": str(tmp_path), "GINKGO_KAFKA_LIBS": str(tmp_path / "libs"), "HOME": str(tmp_path)}
        command = [sys.executable, "-m", "ginkgo_streams.cli.main", "demo"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        errors = [line for line in done.stderr.splitlines() if line.startswith("[ERROR] ")]
        assert len(errors) == 1, done.stderr
        assert missing in errors[0]
        assert "Traceback" not in done.stderr
