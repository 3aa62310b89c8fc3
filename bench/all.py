"""Every benchmark in turn, on brokers of their own: progress on stderr, one table at the end. An hour and a quarter.

    python -m bench.all --json figures.json        (--quick: a few seconds each, to see that all of it runs; --only latency: a part)

Exit status 1 where one of them could not be measured; the others still are.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench import backtest, evaluations, failover, latency, memory, recovery, scale
from bench.backlog import LEAST_S
from bench.pair import Size

Row = tuple[str, str, str]
"""What, its figure, what it is compared with."""


def latency_row(r: Mapping[str, Any]) -> list[Row]:
    """Ours over the bare chain."""
    return [
        (
            f"tick to order, {quantile}, {r['ticks_per_s']:,} ticks/s", f"{r['ours'][key]:.1f} ms",
            f"{r['ratio'][key]:.2f} x bare chain ({r['chain'][key]:.1f} ms)",
        )
        for quantile, key in (("p50", "p50_ms"), ("p99", "p99_ms"))
    ]  # fmt: skip


def evaluation_row(r: Mapping[str, Any]) -> list[Row]:
    """Ours over each Quix application."""
    ours = f"{r['evaluations']['ours']['per_s']:,.0f} /s"
    return [
        (
            f"evaluations, {r['codes']:,} codes", ours,
            f"{ratio['per_s']:.2f} x {who.replace('_', ' ')} ({r['evaluations'][who]['per_s']:,.0f} /s); {ratio['per_cpu_s']:.2f} x by CPU",
        )
        for who, ratio in r["ratio"].items()
    ]  # fmt: skip


def recovery_row(r: Mapping[str, Any]) -> list[Row]:
    """Each way to end."""
    read = f"; changelog {r['changelog_mb']:.1f} MB"
    load = f", {r['load_s']:g} s under load" if r["load_s"] else ""
    return [
        (
            f"recovery, {how.replace('_', ' ')}, {r['codes']:,} codes{load}", f"{r[how]['recovery_s']:.2f} s",
            f"start to ready {r[how]['start_to_ready_s']:.1f} s" + (read if how == "disk_lost" else ""),
        )
        for how in ("disk_lost", "killed", "stopped")
    ]  # fmt: skip


def memory_row(r: Mapping[str, Any]) -> list[Row]:
    """Against the limit."""
    return [(f"memory of a node, {r['codes']:,} codes", f"{r['most_mb']} MB", f"limit {r['limit_mb']} MB; empty {r['empty_mb']} MB")]


def backtest_rows(r: Mapping[str, Any]) -> list[Row]:
    """Ours over each other's, and a sweep on all cores over one."""

    def figures(name: str, unit: str) -> str:
        return f"{r[name]['per_s']:,.0f} {unit}/s, {r[name]['peak_mb']} MB"

    def against(key: str, who: str, theirs: str) -> str:
        if "missing" in r[theirs]:
            return f"{who}: {r[theirs]['missing']}"
        return f"{r['ratio_per_s'][key]:.2f} x {who} ({figures(theirs, 'bars')}); {r['ratio_per_cpu_s'][key]:.2f} x by CPU"

    one, free, many = (figures(name, "bars") for name in ("one_code", "one_code_free", "many_codes"))
    cores = r["sweep"]["processes"]
    return [
        ("backtest, one code of minutes, MA 5/20", one, against("backtesting", "backtesting.py", "one_code_backtesting")),
        ("backtest, one code of minutes, MA 5/20", one, against("nautilus", "NautilusTrader", "one_code_nautilus")),
        ("backtest, the same without CN's rules", free, against("free_backtesting", "backtesting.py", "one_code_backtesting")),
        ("backtest, the same without CN's rules", free, against("free_nautilus", "NautilusTrader", "one_code_nautilus")),
        ("backtest, many codes, daily", many, against("pandas", "a pandas loop", "many_codes_pandas")),
        (
            f"backtest, sweep on {cores} processes", figures(f"sweep_{cores}", "sets"),
            f"{r['sweep']['ratio']:.2f} x one ({figures('sweep_1', 'sets')})",
        ),
    ]  # fmt: skip


AIMS = {("kill", "total"): 10.0, ("sigterm", "total"): 2.0, ("migrate", "total"): 1.0, ("join", "stayed"): 0.5, ("reload", "total"): 0.2}
"""Seconds at p99."""


def failover_row(r: Mapping[str, Any]) -> list[Row]:
    """p50 and p99 of each act and its parts, against the peer's or the aim."""
    size = Size(r["codes"], r["portfolios"], r["standbys"])
    rows: list[Row] = []
    for act, parts in r["ours"].items():
        for part, found in parts.items():
            beside = [f"aim {AIMS[act, part]:g} s"] if (act, part) in AIMS else []
            if peer := r.get("quix", {}).get(act, {}).get(part):
                beside.append(f"{found['p50'] / max(peer['p50'], 0.001):.2f} x Quix ({peer['p50']:.2f} / {peer['p99']:.2f} s)")
            rows.append((f"{act}, {part.replace('_', ' ')}, {size}", f"{found['p50']:.2f} / {found['p99']:.2f} s", "; ".join(beside)))
    return rows


def scale_row(r: Mapping[str, Any]) -> list[Row]:
    """CPU of the placement and of a price update in the router."""
    rows: list[Row] = []
    for row in r["placement"]:
        what = f"placement, {row['slots']:,} slots, {row['nodes']:,} nodes"
        rows.append((what, f"{row['first_ms']:.0f} ms", f"placed again {row['again_ms']:.0f} ms"))
    for row in r["router"]:
        what = f"router, {row['slots']:,} slots that want {row['wanted']:,} of {row['codes']:,} codes"
        rows.append((what, f"{row['us_per_update']:.1f} us", f"an update; {row['us_per_copy']:.2f} us a copy of it"))
    return rows


def takeovers(quick: bool) -> list[Size]:
    """The sizes at which a killed node's recovery is measured."""
    if quick:
        return [Size(standbys=0)]
    both = [Size(codes, portfolios, standbys) for codes, portfolios in ((100, 10), (5_000, 10), (1_000, 1_000)) for standbys in (1, 0)]
    return [Size(standbys=0), *both]


def plan(quick: bool) -> list[tuple[str, Callable[[], dict[str, Any]], Callable[[Mapping[str, Any]], list[Row]]]]:
    """What is measured, in order."""
    seconds, rounds = (6.0, 1) if quick else (15.0, 3)
    ticks, quix_ticks = (200_000, 150_000) if quick else (1_500_000, 1_000_000)
    load, watched = (5.0, 5.0) if quick else (30.0, 60.0)
    repetitions, least = (1, 0.0) if quick else (20, LEAST_S)
    return [
        *((f"latency {t}", lambda t=t: latency.measure(t, seconds, rounds), latency_row) for t in (1_000, 5_000)),
        *((f"evaluations {c}", lambda c=c: evaluations.measure(c, ticks, quix_ticks, least_s=least), evaluation_row) for c in (500, 5_000)),
        *((f"recovery {c}", lambda c=c: recovery.measure(c, 0.0), recovery_row) for c in (100, 1_000, 5_000)),
        ("recovery under load", lambda: recovery.measure(5_000, load), recovery_row),
        ("backtest", lambda: backtest.measure(quick), backtest_rows),
        ("failover", lambda: failover.measure(Size(), [*failover.ACTS], repetitions, True), failover_row),
        *(
            (f"takeover {size}", lambda size=size: failover.measure(size, ["kill"], repetitions, False), failover_row)
            for size in takeovers(quick)
        ),
        ("scale", scale.measure, scale_row),
        ("memory", lambda: memory.measure(5_000, 1_000, watched), memory_row),
    ]


def main() -> int:
    """The command."""
    # SIGTERM as Ctrl+C: what was started is stopped, and temporary folders go. (After kill -9 it is killed with this process.)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="a file for all figures")
    parser.add_argument("--quick", action="store_true", help="short runs: they show that it works, their figures say little")
    parser.add_argument("--only", nargs="+", metavar="NAME", default=[""], help="parts whose names begin so: latency, failover, ...")
    options = parser.parse_args()
    chosen = [part for part in plan(options.quick) if part[0].startswith(tuple(options.only))]
    if not chosen:
        parser.error(f"no part begins with {' or '.join(options.only)}; there are {', '.join(name for name, _, _ in plan(options.quick))}")
    machine = {"cpus": os.cpu_count(), "python": platform.python_version(), "load_before": round(os.getloadavg()[0], 1)}
    results: dict[str, Any] = {"machine": machine, "quick": options.quick}
    rows: list[Row] = []
    failed: list[str] = []
    for name, measure, row in chosen:
        started = time.monotonic()
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            results[name] = measure()
        except (RuntimeError, OSError) as error:
            failed.append(name)
            results[name] = {"error": str(error)}
            print(f"{name} could not be measured: {error}", file=sys.stderr, flush=True)
            continue
        rows += row(results[name])
        print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    widths = [max(len(row[column]) for row in rows or [("", "", "")]) for column in range(2)]
    for what, figure, beside in rows:
        print(f"{what:<{widths[0]}}  {figure:>{widths[1]}}  {beside}")
    print(f"{machine['cpus']} CPUs, Python {machine['python']}, load before {machine['load_before']}")
    if failed:
        print(f"not measured: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
