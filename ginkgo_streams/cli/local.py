"""`ginkgo up`, `ginkgo down`, `ginkgo doctor`: the local stack from any shell."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import msgspec
import typer

from ginkgo_streams.config import ConfigErrors
from ginkgo_streams.local.doctor import Check, diagnose
from ginkgo_streams.local.errors import LocalError
from ginkgo_streams.local.existing import existing_servers
from ginkgo_streams.local.home import local_folder
from ginkgo_streams.local.jars import kafka_jars
from ginkgo_streams.local.java import find_java
from ginkgo_streams.local.plan import Plan
from ginkgo_streams.local.state import StackState
from ginkgo_streams.local.supervisor import down, up

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""

    @app.command("up")
    def up_command(
        nodes: Annotated[int, typer.Option(min=0, max=64, help="Execution nodes to start.")] = 2,
        livecores: Annotated[int, typer.Option(min=0, max=16, help="Livecore processes to start.")] = 1,
        kafka_port: Annotated[int, typer.Option(min=0, max=65535, help="Port for Kafka; 0: 9092, else a free one.")] = 0,
        redis_port: Annotated[int, typer.Option(min=0, max=65535, help="Port for Redis; 0: 6379, else a free one.")] = 0,
        as_json: AsJson = False,
    ) -> None:
        """Start what is missing of broker, Redis and database, then livecore and nodes, and leave them running."""
        with _errors(as_json):
            plan = existing_servers(Plan(nodes=nodes, livecores=livecores, kafka_port=kafka_port, redis_port=redis_port, usual_ports=True))
            if plan.kafka is None:
                find_java()
                kafka_jars()  # here, not in the supervisor: the progress is for this terminal
            state = up(local_folder(), plan, say=lambda line: typer.echo(line, err=True))
        typer.echo(_json({"ok": True, **_summary(state)}) if as_json else _table(state))

    @app.command("down")
    def down_command(as_json: AsJson = False) -> None:
        """Stop what `ginkgo up` started: nodes, livecore, databases, broker. Data stay."""
        with _errors(as_json):
            stopped = down(local_folder())
        text = f"Stopped {', '.join(stopped)}" if stopped else "Nothing was running"
        typer.echo(_json({"ok": True, "stopped": stopped}) if as_json else text)

    @app.command("doctor")
    def doctor_command(as_json: AsJson = False) -> None:
        """Check this machine, the settings and the servers they name. Exit status 1 where something is wrong."""
        with _errors(as_json):
            checks = diagnose()
        ok = all(check.ok for check in checks)
        typer.echo(_json({"ok": ok, "checks": checks}) if as_json else "\n".join(map(_line, checks)))
        raise typer.Exit(0 if ok else 1)


@contextmanager
def _errors(as_json: bool) -> Iterator[None]:
    """What is wrong, in one line with its remedy, and exit status 1; with --json on standard output as well."""
    try:
        yield
    except (LocalError, ConfigErrors) as error:
        if as_json:
            typer.echo(_json({"ok": False, "error": str(error)}))
        typer.echo(f"[ERROR] {error}", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        sys.exit(130)


def _summary(state: StackState) -> dict[str, Any]:
    """The stack without the database's password."""
    members = [{"name": m.name, "kind": m.kind, "pid": m.pid, "status": m.status, "log": m.log} for m in state.members]
    return {"kafka": state.kafka, "redis": state.redis, "database": state.database_url.partition("://")[0], "processes": members}


def _table(state: StackState) -> str:
    rows = [f"  {m.name:<20} pid {m.pid:<8} {m.log}" for m in state.members]
    return "\n".join([f"Kafka {state.kafka}, Redis {state.redis}, database {state.database_url.partition('://')[0]}", *rows])


def _line(check: Check) -> str:
    mark = "ok  " if check.ok else "FAIL"
    return f"{mark} {check.name}: {check.detail}" + (f"; {check.remedy}" if check.remedy else "")


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
