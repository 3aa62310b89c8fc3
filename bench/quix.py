"""The other side of the comparison: the same evaluations in a Quix Streams application, with its state in RocksDB.

As its documentation writes such an application: single messages, a stateful function that reads the window, adds the price, writes
it back and evaluates it. At least once, changelog topics on, commits every three seconds, as ours. No ledger, no orders.

portfolio: a message is keyed by portfolio, since cash and positions of a portfolio are over all codes; one evaluation a message.
code: a message is keyed by code and evaluated for every portfolio from one reading of the window. There are no portfolios in it,
only crosses; it is what would have to be fanned out to portfolios afterwards.

    python -m bench.quix BOOTSTRAP TOPIC EVALUATIONS STATE_DIR      (ends at SIGTERM and prints how many crosses it saw)

With four more, NAME ANSWERS SESSION_MS HEARTBEAT_MS, a message that has "watched" is answered in the topic ANSWERS with its key and this
instance's name, and what happens in rebalances is logged (see bench/peer.py).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from quixstreams import Application

from bench.backlog import LONG, SHORT

GROUP = "bench_quix"
COMMIT_S = 3.0


def crosses(closes: list[int]) -> int:
    """1 for a golden cross, -1 for a death cross, 0 for none, from LONG + 1 closes."""
    long_sum, short_sum = sum(closes[1:]), sum(closes[-SHORT:])
    now = short_sum * LONG - long_sum * SHORT
    before = (short_sum - closes[-1] + closes[-SHORT - 1]) * LONG - (long_sum - closes[-1] + closes[0]) * SHORT
    return int(now > 0 >= before) - int(now < 0 <= before)


@dataclass(frozen=True, slots=True)
class Watched:
    """For the benchmarks of failures: who it is and where it answers; times in ms."""

    name: str
    answers: str
    session_ms: int
    heartbeat_ms: int


def main(bootstrap: str, topic: str, evaluations: int, state_dir: str, watched: Watched | None = None) -> None:
    """Run it until SIGTERM. evaluations: of each message."""
    timing = {"session.timeout.ms": watched.session_ms, "heartbeat.interval.ms": watched.heartbeat_ms} if watched else {}
    app = Application(
        broker_address=bootstrap, consumer_group=GROUP, auto_offset_reset="earliest", commit_interval=COMMIT_S, state_dir=state_dir,
        loglevel="DEBUG" if watched else "WARNING", consumer_extra_config=timing,
    )  # fmt: skip
    found = 0

    def evaluate(value: dict[str, Any], state: Any) -> None:
        nonlocal found
        price = round(value["price"] * 10_000)
        closes: list[int] = state.get(value["code"]) or [price] * (LONG + 1)  # full from the first, so that all are evaluated
        closes.append(price)
        del closes[0]
        state.set(value["code"], closes)
        for _ in range(evaluations):
            found += crosses(closes) != 0

    stream = app.dataframe(app.topic(topic, key_deserializer="str", value_deserializer="json"))
    stream = stream.update(evaluate, stateful=True)
    if watched is not None:
        name = watched.name
        answers = app.topic(watched.answers, key_serializer="str", value_serializer="json")
        asked = stream.filter(lambda value: "watched" in value)
        asked.apply(lambda value, key, timestamp, headers: {"key": key, "owner": name}, metadata=True).to_topic(answers)
    app.run()
    print(f"crosses: {found}", flush=True)


if __name__ == "__main__":
    _, server, source, each, folder, *more = sys.argv
    main(server, source, int(each), folder, Watched(more[0], more[1], int(more[2]), int(more[3])) if more else None)
