"""`ginkgo worker start` and `ginkgo livecore start`: the processes of the cluster, in the foreground."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from ginkgo_streams.config import Role, Settings

worker = typer.Typer(help="Execution nodes.", no_args_is_help=True, rich_markup_mode=None)
livecore = typer.Typer(help="Livecore: feed, order gateway, simulated exchange, snapshots.", no_args_is_help=True, rich_markup_mode=None)

Kafka = Annotated[str | None, typer.Option(help="Kafka's addresses, host:port with commas between them.")]
RedisHost = Annotated[str | None, typer.Option(help="Host of Redis.")]
RedisPort = Annotated[int | None, typer.Option(help="Port of Redis.")]
NodeId = Annotated[str | None, typer.Option(help="Unique name of this process in the cluster.")]


@worker.callback()
def _worker() -> None:
    """Execution nodes run portfolios."""


@livecore.callback()
def _livecore() -> None:
    """Livecore: feed, order gateway, simulated exchange, snapshots."""


@worker.command("start")
def start_worker(
    worker_type: Annotated[Literal["execution_node"], typer.Option("--type", help="What to run.")],
    node_id: NodeId = None,
    max_portfolios: Annotated[int | None, typer.Option(help="How many portfolios it takes.")] = None,
    kafka_bootstrap_servers: Kafka = None,
    redis_host: RedisHost = None,
    redis_port: RedisPort = None,
    web_host: Annotated[str | None, typer.Option(help="Address the web views are bound to; 127.0.0.1 if not given.")] = None,
    web_port: Annotated[int | None, typer.Option(help="Port of the web views; 6066 or a free one if not given.")] = None,
) -> None:
    """Start an execution node; Ctrl+C gives its portfolios to the others and stops it."""
    settings = _settings(
        {
            "node": {"id": node_id, "max_portfolios": max_portfolios},
            "kafka": {"bootstrap_servers": kafka_bootstrap_servers},
            "redis": {"host": redis_host, "port": redis_port},
            "web": {"host": web_host, "port": web_port},
        }
    )
    from ginkgo_streams.apps import run_node

    sys.exit(run_node(settings))


@livecore.command("start")
def start_livecore(
    node_id: NodeId = None,
    kafka_bootstrap_servers: Kafka = None,
    redis_host: RedisHost = None,
    redis_port: RedisPort = None,
    data_source: Annotated[
        Literal["simulation", "replay", "tushare", "none"] | None,
        typer.Option(help="Where prices come from; none: from producers of your own on the market data topic."),
    ] = None,
    broker_type: Annotated[str | None, typer.Option(help="Name of a broker in brokers.yml; simulation is always there.")] = None,
    file: Annotated[list[Path] | None, typer.Option(help="Bars to replay: CSV, Parquet or a folder; may be given more than once.")] = None,
    speed: Annotated[
        float | None,
        typer.Option(help="Replay: event seconds per second, 0 as fast as it goes. Simulation: updates of each code a second."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the simulation.")] = None,
    codes: Annotated[str | None, typer.Option(help="Codes to feed, with commas between them; all of the source if not given.")] = None,
) -> None:
    """Start livecore; Ctrl+C stops it when all that it has taken is done."""
    settings = _settings(
        {
            "node": {"id": node_id},
            "kafka": {"bootstrap_servers": kafka_bootstrap_servers},
            "redis": {"host": redis_host, "port": redis_port},
            "livecore": {
                "data_source": data_source, "broker_type": broker_type, "file": [str(path) for path in file] if file else None,
                "speed": speed, "seed": seed, "codes": codes,
            },
        },
        role="livecore",
    )  # fmt: skip
    from ginkgo_streams.apps import run_livecore

    sys.exit(run_livecore(settings))


def _settings(overrides: dict[str, Any], role: Role = "execution_node") -> Settings:
    from ginkgo_streams.config import load_settings

    return load_settings(overrides, role=role)
