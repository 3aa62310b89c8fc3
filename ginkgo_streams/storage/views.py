"""The views in Redis, for people and dashboards (contracts section 4). Never the truth: losing them loses nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

import msgspec
import redis

from ginkgo_streams.messages import Snapshot

T = TypeVar("T")

HEARTBEAT_S = 30
"""How long a node counts as alive after its last heartbeat; it sends one every 10 s."""

TIMEOUT_S = 2.0
"""A Redis that does not answer must not keep its caller longer than this."""

NODES = "nodes:active"

VERSIONS = "portfolios:versions"
"""Hash of portfolio id to "epoch seq" of the state that is shown. Not one of the contract's keys: nobody but us reads it."""

_PUT_NEWER = """
local epoch, seq = tonumber(ARGV[2]), tonumber(ARGV[3])
local known = redis.call('HGET', KEYS[2], ARGV[1])
if known then
    local known_epoch, known_seq = string.match(known, '(%S+) (%S+)')
    known_epoch, known_seq = tonumber(known_epoch), tonumber(known_seq)
    if known_epoch > epoch or (known_epoch == epoch and known_seq > seq) then
        return 0
    end
end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
if ARGV[4] == '' then
    redis.call('DEL', KEYS[1])
else
    redis.call('SET', KEYS[1], ARGV[4])
end
return 1
"""
"""A state that comes again, or late from a fenced node, does not replace a newer one: compare and set in one step, on the server."""


class ViewDown(Exception):
    """Redis did not take or give a view. Callers say so in the log and go on."""


class NodeInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What `execution_node:{node_id}:info` holds. Times are RFC 3339."""

    node_id: str
    host: str
    port: int
    status: str
    portfolio_count: int
    last_heartbeat: str
    started_at: str
    version: str


class PortfolioView(msgspec.Struct, frozen=True, kw_only=True):
    """What `portfolio:{portfolio_id}:state` holds. Money in CNY."""

    portfolio_id: str
    name: str
    status: str
    cash: int | float
    total_value: int | float
    position_count: int
    node_id: str
    last_update: str


class Views:
    """One Redis. Blocking: call it from a thread. Every method raises ViewDown."""

    def __init__(self, host: str, port: int = 6379, *, db: int = 0, password: str = "") -> None:
        self.address = f"{host}:{port}"
        self._redis = redis.Redis(
            host=host, port=port, db=db, password=password or None, decode_responses=True, socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
        )  # fmt: skip

    def close(self) -> None:
        """Lets the connections go."""
        self._redis.close()

    def heartbeat(self, info: NodeInfo) -> None:
        """A node is alive: its heartbeat, its info and its place among the active nodes."""

        def work() -> None:
            fields: dict[str | bytes, bytes | float | int | str] = {
                name: str(value) for name, value in msgspec.structs.asdict(info).items()
            }
            with self._redis.pipeline(transaction=True) as pipe:
                pipe.set(_heartbeat(info.node_id), "alive", ex=HEARTBEAT_S)
                pipe.sadd(NODES, info.node_id)
                pipe.hset(_info(info.node_id), mapping=cast(Any, fields))
                pipe.expire(_info(info.node_id), HEARTBEAT_S)
                pipe.execute()

        self._try("the heartbeat", work)

    def time(self) -> float:
        """The server's clock, in seconds since 1970."""
        seconds, microseconds = self._try("the time", self._redis.time)
        return float(seconds) + float(microseconds) / 1e6

    def node_left(self, node_id: str) -> None:
        """A node has stopped: nothing of it stays."""

        def work() -> None:
            with self._redis.pipeline(transaction=True) as pipe:
                pipe.delete(_heartbeat(node_id), _info(node_id), _plan(node_id))
                pipe.srem(NODES, node_id)
                pipe.execute()

        self._try("the end of a node", work)

    def active_nodes(self) -> list[NodeInfo]:
        """The nodes with a heartbeat. Those that died without a word are taken off the set, and their plans with them."""

        def work() -> list[NodeInfo]:
            found = []
            for node_id in sorted(str(member) for member in self._redis.smembers(NODES)):
                fields = self._redis.hgetall(_info(node_id))
                if self._redis.exists(_heartbeat(node_id)) and fields:
                    found.append(msgspec.convert(fields, NodeInfo, strict=False))
                else:
                    self._redis.srem(NODES, node_id)
                    self._redis.delete(_plan(node_id))
            return found

        return self._try("the nodes", work)

    def put_portfolios(self, snapshots: Iterable[Snapshot]) -> None:
        """The states of portfolios, each unless a newer one is there, by (epoch, seq); of a deleted one the key goes."""

        def work() -> None:
            with self._redis.pipeline(transaction=False) as pipe:
                for snapshot in snapshots:
                    view = b"" if snapshot.status == "deleted" else msgspec.json.encode(portfolio_view(snapshot))
                    keys = (_portfolio(snapshot.portfolio_id), VERSIONS)
                    pipe.eval(_PUT_NEWER, len(keys), *keys, snapshot.portfolio_id, snapshot.epoch, snapshot.seq, view)
                pipe.execute()

        self._try("portfolio states", work)

    def portfolio(self, portfolio_id: str) -> PortfolioView | None:
        """A portfolio's state, None where there is none."""

        def work() -> PortfolioView | None:
            data = self._redis.get(_portfolio(portfolio_id))
            return None if data is None else msgspec.json.decode(data, type=PortfolioView)

        return self._try("a portfolio's state", work)

    def put_plan(self, node_id: str, portfolios: Iterable[str]) -> None:
        """Which portfolios a node has, all at once: readers see the old plan or the new one. Those of other nodes stay."""
        wanted = list(portfolios)

        def work() -> None:
            with self._redis.pipeline(transaction=True) as pipe:
                pipe.delete(_plan(node_id))
                if wanted:
                    pipe.sadd(_plan(node_id), *wanted)
                pipe.execute()

        self._try("the plan", work)

    def plan(self, node_id: str) -> set[str]:
        """The portfolios of a node."""
        return self._try("the plan", lambda: {str(member) for member in self._redis.smembers(_plan(node_id))})

    def _try(self, what: str, work: Callable[[], T]) -> T:
        try:
            return work()
        except (redis.RedisError, OSError, msgspec.MsgspecError) as error:
            raise ViewDown(f"{what}: Redis at {self.address}: {error}") from error


def portfolio_view(snapshot: Snapshot) -> PortfolioView:
    """A snapshot in short."""
    return PortfolioView(
        portfolio_id=snapshot.portfolio_id, name=snapshot.name, status=snapshot.status, cash=snapshot.cash,
        total_value=snapshot.total_value, position_count=len(snapshot.positions), node_id=snapshot.node_id,
        last_update=snapshot.updated_at,
    )  # fmt: skip


def _heartbeat(node_id: str) -> str:
    return f"heartbeat:node:{node_id}"


def _info(node_id: str) -> str:
    return f"execution_node:{node_id}:info"


def _portfolio(portfolio_id: str) -> str:
    return f"portfolio:{portfolio_id}:state"


def _plan(node_id: str) -> str:
    return f"schedule:plan:{node_id}"
