"""What a run has shown, as JSON and as the table of docs/reliability.md."""

from __future__ import annotations

from pathlib import Path

import msgspec

BEGIN, END = "<!-- result of make chaos: begin -->", "<!-- result of make chaos: end -->"

WHAT = {
    "kill": "kill -9 of a node or livecore, start up to 4 s later",
    "term": "SIGTERM of a node or livecore, start up to 2 s after it has ended",
    "stop": "SIGSTOP beyond the session time-out, then SIGCONT",
    "cut": "all connections of one process closed and refused for up to 7 s",
    "hole": "black hole beyond the session time-out, what it held delivered then",
    "delay": "0.1 to 2 s more for every byte of one process, each way, for up to 6 s",
    "wipe": "kill -9, data folder deleted, start",
    "disk": "disk of a node full for up to 5 s",
    "broker_kill": "kill -9 of the broker, start up to 3 s later",
    "broker_restart": "SIGTERM of the broker, start up to 2 s after it has ended",
    "broker_stop": "SIGSTOP of the broker for up to 5 s",
    "clock": "a clock of the market up to 2 h behind the one before it",
    "migrate": "a portfolio migrated to a node, which may be down, and unpinned up to 4 s later",
    "disable": "a node disabled, and enabled up to 4 s later",
    "reload": "a portfolio's config changed; it has to run what the command said",
    "halt": "the engine stopped, and started up to 4 s later; no fill behind a stop that was confirmed",
}  # fmt: skip


class Result(msgspec.Struct, kw_only=True, frozen=True):
    """Of a run without a difference. recoveries_s: per round, from the end of its last disturbance until every portfolio was seen with
    new prices. fenced, duplicates: records that rightly had no effect. ends: exit status to how often."""

    seed: int
    disturbances: int
    kinds: dict[str, int]
    rounds: int
    seconds: float
    portfolios: int
    orders: int
    fills: int
    fenced: int
    duplicates: int
    differences: int
    ends: dict[str, int]
    recoveries_s: list[float]
    disk: str
    cores: int
    date: str

    @property
    def slowest_recovery_s(self) -> float:
        """Of all rounds."""
        return max(self.recoveries_s)


def to_json(result: Result) -> bytes:
    """For programs."""
    return msgspec.json.format(msgspec.json.encode(result), indent=2)


def table(result: Result) -> str:
    """For people."""
    ordered = sorted(result.recoveries_s)
    rows = [
        ("command", f"`SEED={result.seed} make chaos KILLS={result.disturbances}`"),
        ("date, machine", f"{result.date}, {result.cores} cores, disk of one node: {result.disk}"),
        ("disturbances", f"{result.disturbances:,} in {result.rounds:,} rounds, {result.seconds / 60:.0f} minutes"),
        ("portfolios, orders, fills", f"{result.portfolios:,}, {result.orders:,}, {result.fills:,}"),
        ("**differences**", f"**{result.differences:,}**, audited after each round"),
        ("records of fenced owners, refused", f"{result.fenced:,}"),
        ("repeats, without effect", f"{result.duplicates:,}"),
        (
            "last disturbance of a round to all portfolios seen, median and slowest",
            f"{ordered[len(ordered) // 2]:.1f} s, {result.slowest_recovery_s:.1f} s",
        ),
        ("ends by exit status", ", ".join(f"{status}: {count:,}" for status, count in sorted(result.ends.items()))),
    ]
    lines = ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows), "", "| disturbance | times |", "|---|---|"]
    return "\n".join([*lines, *(f"| {WHAT[kind]} | {count:,} |" for kind, count in sorted(result.kinds.items()))])


def write_into(document: Path, result: Result) -> None:
    """Put the table between the document's marks. Raises ValueError where they are missing."""
    text = document.read_text()
    before, found, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (found and ended):
        raise ValueError(f"{document} has no lines {BEGIN!r} and {END!r}: put them where the table belongs")
    document.write_text(f"{before}{BEGIN}\n{table(result)}\n{END}{after}")
