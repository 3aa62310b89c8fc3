"""`ginkgo audit`: prove from the topics that portfolios and exchange have the same books."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ginkgo_streams.audit.report import AuditReport
from ginkgo_streams.audit.run import audit_cluster
from ginkgo_streams.audit.topics import CannotRead
from ginkgo_streams.config import ConfigErrors, load_settings


def register(app: typer.Typer) -> None:
    """Add the command to the program."""

    @app.command("audit")
    def command(
        as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
        kafka_bootstrap_servers: Annotated[
            str | None, typer.Option(help="Kafka's addresses, host:port with commas between them.", show_default="from the settings")
        ] = None,
        wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for what is still in flight.")] = 10.0,
    ) -> None:
        """Hold every portfolio's ledger against the exchange's fills, to the last share and the last 0.0001 CNY.

        Exit status 0: they agree. 1: they do not, or Kafka cannot be read.
        """
        try:
            settings = load_settings({"kafka": {"bootstrap_servers": kafka_bootstrap_servers}})
            report = _run(",".join(settings.kafka.bootstrap_servers), wait, show=not as_json and sys.stderr.isatty())
        except (ConfigErrors, CannotRead) as error:
            if as_json:
                typer.echo(msgspec.json.encode({"ok": False, "error": str(error)}).decode())
            typer.echo(f"[ERROR] {error}", err=True)
            raise typer.Exit(1) from None
        typer.echo(msgspec.json.encode(report).decode() if as_json else _text(report))
        raise typer.Exit(0 if report.ok else 1)


def _run(bootstrap_servers: str, wait: float, *, show: bool) -> AuditReport:
    # what is wrong with the connection is said once, by the command, not by each of aiokafka's attempts
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    columns: tuple[Any, ...] = (TextColumn("Reading the topics"), BarColumn(), MofNCompleteColumn(), TextColumn("records"))
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not show) as bar:
        task = bar.add_task("read", total=None)
        return asyncio.run(audit_cluster(bootstrap_servers, wait, lambda done, total: bar.update(task, completed=done, total=total)))


def _text(report: AuditReport) -> str:
    verdict = "The books agree" if report.ok else f"The books differ in {len(report.differences)} places"
    counts = f"{report.portfolios} portfolios, {report.orders} orders ({report.pending} pending, {report.open} open), {report.fills} fills"
    ignored = f"without effect: {report.duplicates} duplicates, {report.fenced} fenced, {report.unreadable} unreadable"
    return "\n".join([*(each.text for each in report.differences), f"{verdict}: {counts}; {ignored}"])
