"""Incremental fetches (KIP-227) for aiokafka, which names every partition in every fetch.

A process here reads a hundred partitions, and a fetch is answered as soon as one of them has something. With a session broker
and client keep the list: a request says what of it has changed, an answer has the partitions with news alone. The fetcher goes on
making whole requests, and sees answers that lack what is as it was.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiokafka.errors import for_code
from aiokafka.protocol.api import Request
from aiokafka.protocol.fetch import FetchRequest, FetchRequest_v7, FetchRequest_v9, FetchRequest_v11
from aiokafka.structs import TopicPartition

WHOLE = 0
"""Session epoch of a request that names all partitions and asks for a new session, in place of the one it names."""

LAST_EPOCH = 2**31 - 1

UNKNOWN_EPOCH = -1
"""Of a partition's leader, and of the log's start: a consumer names neither."""

SEEN_S = 5.0
"""How often partitions without news are noted as asked for: Faust complains of those that were not for minutes."""

Send = Callable[..., Awaitable[Any]]


@dataclass(slots=True)
class _Session:
    """What a broker remembers of us. offsets: where it reads each partition; none in front of a whole request."""

    number: int = 0
    epoch: int = WHOLE
    offsets: dict[TopicPartition, int] = field(default_factory=dict)
    assignment: Any = None
    noted: float = 0.0

    def restart(self) -> None:
        """The broker may know something else of us: the next request is whole."""
        self.epoch = WHOLE
        self.offsets = {}

    def follow(self, number: int, offsets: dict[TopicPartition, int]) -> None:
        """A request with these offsets was answered. number 0: the broker has no room for a session."""
        self.number, self.offsets = number, offsets
        self.epoch = WHOLE if not number else 1 if self.epoch == LAST_EPOCH else self.epoch + 1
        if not number:
            self.restart()


class _Incremental(Request[FetchRequest_v7 | FetchRequest_v9 | FetchRequest_v11]):  # type: ignore[misc]
    """A fetch with a session. `whole`: what the fetcher asked for."""

    API_KEY = FetchRequest.API_KEY

    def __init__(self, whole: FetchRequest, session: _Session) -> None:
        self._whole, self._number, self._epoch = whole, session.number, session.epoch
        self.offsets: dict[TopicPartition, int] = {}
        self._changed: list[tuple[str, int, int, int]] = []
        known = session.offsets
        for topic, partitions in whole.topics:
            for partition, offset, max_bytes in partitions:
                place = TopicPartition(topic, partition)
                self.offsets[place] = offset
                if known.get(place) != offset:
                    self._changed.append((topic, partition, offset, max_bytes))
        self._forgotten = sorted(known.keys() - self.offsets.keys())

    def build(self, request_struct_class: Any) -> Any:
        """The request of the broker's version: 7 or later, which Kafka has had since 1.1."""
        version = request_struct_class.API_VERSION
        whole = self._whole
        changed: dict[str, list[tuple[int, ...]]] = defaultdict(list)
        for topic, partition, offset, max_bytes in self._changed:
            leader = (UNKNOWN_EPOCH,) if version >= 9 else ()
            changed[topic].append((partition, *leader, offset, UNKNOWN_EPOCH, max_bytes))
        forgotten: dict[str, list[int]] = defaultdict(list)
        for topic, partition in self._forgotten:
            forgotten[topic].append(partition)
        rack = (whole._rack_id,) if version >= 11 else ()
        return request_struct_class(
            -1, whole._max_wait_ms, whole._min_bytes, whole._max_bytes, whole._isolation_level, self._number, self._epoch,
            list(changed.items()), list(forgotten.items()), *rack,
        )  # fmt: skip


class FetchSessions:
    """A session with each broker. `send` takes the place of the client's."""

    def __init__(self, send: Send, assigned: Callable[[], Any]) -> None:
        """send: the client's, (node, request, **options). assigned: the consumer's assignment as it is now, None without one."""
        self._send, self._assigned = send, assigned
        self._sessions: dict[int, _Session] = defaultdict(_Session)

    def known(self, place: TopicPartition) -> str:
        """Where the sessions read a partition, for people."""
        return ", ".join(f"{node} epoch {one.epoch} at {one.offsets.get(place)}" for node, one in self._sessions.items()) or "none"

    async def send(self, node: int, request: Any, **options: Any) -> Any:
        """Send a request; a fetch with what has changed alone. Raises what the client does, and KafkaError for a fetch refused whole."""
        if not isinstance(request, FetchRequest):
            return await self._send(node, request, **options)
        session, assignment = self._sessions[node], self._assigned()
        if session.assignment is not assignment:  # it knows nothing yet of partitions that bring no news
            session.restart()
            session.assignment = assignment
        while True:
            made = _Incremental(request, session)
            try:
                response = await self._send(node, made, **options)
            except BaseException:  # cancelled too: whether the broker has seen the request is not known
                session.restart()
                raise
            if not response.error_code:
                session.follow(response.session_id, made.offsets)
                _note(session, response)
                return response
            whole = session.epoch == WHOLE
            session.number = 0
            session.restart()
            if whole:  # else the broker does not know the session: it was restarted, or gave our place to others
                raise for_code(response.error_code)()


def _note(session: _Session, response: Any) -> None:
    """What the fetcher takes from the answer to a whole request: where partitions end, those it drops after a seek too (there would
    be no second answer), and when those without news were asked for."""
    assignment = session.assignment
    if assignment is None:
        return
    for topic, partitions in response.topics:
        for partition, error, highwater, *_ in partitions:
            place = TopicPartition(topic, partition)
            if not error and place in assignment.tps:
                assignment.state_value(place).highwater = highwater
    if (now := time.time()) - session.noted > SEEN_S:
        session.noted = now
        for place in session.offsets:
            if place in assignment.tps:
                assignment.state_value(place).timestamp = int(now * 1000)
