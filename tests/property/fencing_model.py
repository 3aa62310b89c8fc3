"""A model of one slot's life (claim, recover, commit, fence), small enough to walk through whole.

Processes take turns in any order, one step at a time: so a step that does not come is a pause, of whatever length. What a process
sends lies in a queue of its own per topic until it is delivered, be its sender paused, thrown out or killed by then. The group's
coordinator may give the slot to anybody at any time. What counts is judged by the real code: `engine.table.accept` for the changelog
and `engine.fence.Fences` for orders, on values sealed by `engine.envelope`.

The slot folds inputs 0, 1, …; each makes one order, named by the input, and decided anew by whoever folds it: its content is the
epoch of that owner. So a state that is lost, or an order sent by a fenced owner, shows as one order with two contents.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, cast

import msgspec

from ginkgo_streams.engine.envelope import CLAIM, seal, unseal
from ginkgo_streams.engine.fence import Fences
from ginkgo_streams.engine.internals import LocalCopy
from ginkgo_streams.engine.table import accept

VALUE = b"portfolio"
TOPIC = "orders"

Order = tuple[int, int]
"""(input, epoch of the owner that decided it)."""
Sent = tuple[str, int, Order | None]
"""A record of the orders' topic: ("claim", epoch, None) or ("order", epoch, order)."""
Pair = tuple[bytes, bytes]
"""A record of the changelog."""


@dataclass(frozen=True)
class Rules:
    """The protocol's rules; a test takes one out to see that the model needs it."""

    fence_orders: bool = True
    fence_changelog: bool = True
    claim_before_recovery: bool = True
    orders_claim_first: bool = True
    durable_before_visible: bool = True
    distrust_copies: bool = True
    compaction_lag: bool = True


@dataclass(frozen=True)
class Bounds:
    """How large a world is walked through."""

    processes: int = 2
    generations: int = 3
    inputs: int = 2
    kills: int = 1
    compactions: int = 1
    rewrites: int = 1


class Copy(NamedTuple):
    """A local copy on disk: values, the changelog's offset they reach, and whether it was not given back."""

    values: tuple[Pair, ...] = ()
    reach: int = 0
    owned: bool = False


class Process(NamedTuple):
    """phase: idle, claim_orders, claim_changelog, recover, run. mail: the generation in which it was last given the slot;
    generation: the one it works in. waiting: (changelog value, order) sent and not yet seen acknowledged."""

    phase: str = "idle"
    mail: int = 0
    generation: int = 0
    copy: Copy = Copy()
    state: tuple[Order, ...] = ()
    seq: int = 0
    waiting: tuple[tuple[bytes, Order | None], ...] = ()
    changelog: tuple[Pair, ...] = ()
    orders: tuple[Sent, ...] = ()
    rewrites: int = 0


class World(NamedTuple):
    """Everything. adrift: (topic, records) of killed processes, still on their way. gone: changelog offsets that compaction removed."""

    processes: tuple[Process, ...]
    generation: int = 0
    owner: int = -1
    changelog: tuple[Pair, ...] = ()
    orders: tuple[Sent, ...] = ()
    gone: frozenset[int] = frozenset()
    adrift: tuple[tuple[str, tuple[Pair | Sent, ...]], ...] = ()
    kills: int = 0
    compactions: int = 0


class Violation(AssertionError):
    """The world is wrong."""


def start(bounds: Bounds) -> World:
    """Nobody has the slot."""
    return World(tuple(Process() for _ in range(bounds.processes)))


def walk(rules: Rules, bounds: Bounds) -> int:
    """Go everywhere there is to go, nearest first; the number of worlds. Raises Violation with the shortest way to it."""
    first = start(bounds)
    came: dict[World, tuple[World, str] | None] = {first: None}
    ahead = deque([first])
    while ahead:
        world = ahead.popleft()
        at = world
        try:
            for name, after in steps(world, rules, bounds):
                if after not in came:
                    came[after], at = (world, name), after
                    check(after, rules, bounds)
                    ahead.append(after)
        except Violation as error:
            raise Violation(f"{error}; it comes about so: {'; '.join(_way(came, at))}") from None
    return len(came)


def _way(came: Mapping[World, tuple[World, str] | None], world: World) -> list[str]:
    names: list[str] = []
    while (step := came[world]) is not None:
        world, name = step
        names.insert(0, name)
    return names


def steps(world: World, rules: Rules, bounds: Bounds) -> Iterator[tuple[str, World]]:
    """Everything that may happen next, each with its name. Raises Violation where a process loads what it must not."""
    if world.generation < bounds.generations:
        # Processes are alike: it does not matter who is the first.
        for number in range(bounds.processes if world.generation else 1):
            told = _put(world, number, world.processes[number]._replace(mail=world.generation + 1))
            yield f"the group gives the slot to {number}", told._replace(generation=world.generation + 1, owner=number)
    for number, process in enumerate(world.processes):
        for name, changed in _own_steps(world, number, process, rules, bounds):
            yield f"{number} {name}", _put(world, number, changed)
        if process.changelog:
            record = process.changelog[0]
            after = world._replace(changelog=(*world.changelog, record))
            heard = _acknowledged(after, process._replace(changelog=process.changelog[1:]), record, rules)
            yield f"{number}: a changelog record arrives", _put(after, number, heard)
        if process.orders:
            sent = process.orders[0]
            after = world._replace(orders=(*world.orders, sent))
            heard = _acknowledged(after, process._replace(orders=process.orders[1:]), sent, rules)
            yield f"{number}: a record of orders arrives", _put(after, number, heard)
        if world.kills < bounds.kills and process.phase != "idle":
            yield f"{number} is killed", _killed(world, number, process)
    yield from _late(world)
    if world.compactions < bounds.compactions:
        yield from _compactions(world, rules)


def _own_steps(world: World, number: int, process: Process, rules: Rules, bounds: Bounds) -> Iterator[tuple[str, Process]]:
    """What one process may do next by itself."""
    news = process.mail > process.generation
    if process.phase != "idle" and news:
        yield "lets go without the group's consent", process._replace(phase="idle", state=(), waiting=())
    elif process.phase == "idle":
        trusted = not process.copy.owned or not rules.distrust_copies
        copy = process.copy if trusted else Copy()
        if news:
            yield "takes the slot", _take(process._replace(generation=process.mail, copy=copy, seq=0, rewrites=0), rules)
        elif world.owner != number and copy.reach < len(world.changelog):
            yield "follows as a standby", process._replace(copy=_read(world, copy._replace(owned=False), rules))
    elif process.phase == "recover":
        recovered = process._replace(copy=_read(world, process.copy, rules))
        if rules.claim_before_recovery:
            yield "recovers", _load(world, recovered, rules)
        else:
            yield "recovers first", _claim(recovered, rules)
    elif process.phase == "run":
        if len(process.state) < bounds.inputs and len(process.waiting) < 2:
            yield "folds an input", _apply(process, rules)
        if bounds.compactions and process.rewrites < bounds.rewrites and process.state:
            yield "writes all again", _rewrite(process)
        if not process.waiting and not process.orders and process.generation == world.generation:
            yield "gives the slot back", process._replace(phase="idle", state=(), copy=process.copy._replace(owned=False))


def _take(process: Process, rules: Rules) -> Process:
    return _claim(process, rules) if rules.claim_before_recovery else process._replace(phase="recover")


def _claim(process: Process, rules: Rules) -> Process:
    """The first of the two claims is sent."""
    return _claim_orders(process) if rules.orders_claim_first else _claim_changelog(process)


def _claim_orders(process: Process) -> Process:
    return process._replace(phase="claim_orders", orders=(*process.orders, ("claim", process.generation, None)))


def _claim_changelog(process: Process) -> Process:
    record = (CLAIM, seal(process.generation, 0, {}, b"claim"))
    return process._replace(phase="claim_changelog", changelog=(*process.changelog, record))


def _acknowledged(world: World, process: Process, record: Pair | Sent, rules: Rules) -> Process:
    """What a process does when a record of its own has arrived. It does so at once; that it may be paused before is in the model all
    the same, as what it sends then does not arrive before a step of its own."""
    if process.phase == "claim_orders" and record == ("claim", process.generation, None):
        return _claim_changelog(process) if rules.orders_claim_first else _claimed(world, process, rules)
    if process.phase == "claim_changelog" and record == (CLAIM, seal(process.generation, 0, {}, b"claim")):
        return _claimed(world, process, rules) if rules.orders_claim_first else _claim_orders(process)
    if process.phase == "run" and process.waiting and record[1] == process.waiting[0][0]:
        return _commit(world, process, rules)
    return process


def _claimed(world: World, process: Process, rules: Rules) -> Process:
    return process._replace(phase="recover") if rules.claim_before_recovery else _load(world, process, rules)


def _load(world: World, process: Process, rules: Rules) -> Process:
    """Its state, and all open orders again; or nothing where its own recovery tells that it is fenced."""
    values = dict(process.copy.values)
    if (unseal(values[CLAIM]).epoch if CLAIM in values else -1) > process.generation:
        return process._replace(phase="idle")
    state = _orders(values)
    whole = _orders(dict(_fold(world.changelog[: process.copy.reach], rules)))
    # A value that never counted may count after a compaction, where no other of its key ever did: a true fold of the inputs, that
    # nobody has denied; its owner takes it over as it is, and its orders go out under the new epoch.
    if state != whole and (whole or not world.gone):
        raise Violation(f"epoch {process.generation} loads {state} where the whole changelog gives {whole}")
    again: tuple[Sent, ...] = tuple(("order", process.generation, order) for order in state)
    return process._replace(phase="run", state=state, orders=(*process.orders, *again), copy=process.copy._replace(owned=True))


def _apply(process: Process, rules: Rules) -> Process:
    """An input folded in, its changelog record sent."""
    order = (len(process.state), process.generation)
    state = (*process.state, order)
    value = seal(process.generation, process.seq + 1, {"in": order[0]}, msgspec.msgpack.encode(state))
    early: tuple[Sent, ...] = () if rules.durable_before_visible else (("order", process.generation, order),)
    return process._replace(
        state=state, seq=process.seq + 1, waiting=(*process.waiting, (value, order)), changelog=(*process.changelog, (VALUE, value)),
        orders=(*process.orders, *early),
    )  # fmt: skip


def _commit(world: World, process: Process, rules: Rules) -> Process:
    """The changelog record is acknowledged: the local copy, then the order."""
    (value, order), rest = process.waiting[0], process.waiting[1:]
    values = {**dict(process.copy.values), VALUE: value}
    copy = process.copy._replace(values=tuple(sorted(values.items())), reach=len(world.changelog))
    visible: tuple[Sent, ...] = (("order", process.generation, order),) if order is not None and rules.durable_before_visible else ()
    return process._replace(waiting=rest, copy=copy, orders=(*process.orders, *visible))


def _rewrite(process: Process) -> Process:
    """The claim and the value again, so that compaction keeps them."""
    seq = process.seq + 2
    value = seal(process.generation, seq, {"in": len(process.state) - 1}, msgspec.msgpack.encode(process.state))
    claim = (CLAIM, seal(process.generation, seq - 1, {}, b"claim"))
    return process._replace(
        seq=seq, rewrites=process.rewrites + 1, waiting=(*process.waiting, (value, None)),
        changelog=(*process.changelog, claim, (VALUE, value)),
    )  # fmt: skip


def _killed(world: World, number: int, process: Process) -> World:
    """It ends and is started again with its disk; what it sent may still arrive, or not."""
    sent: tuple[tuple[str, tuple[Pair | Sent, ...]], ...] = (("changelog", process.changelog), ("orders", process.orders))
    adrift = (*world.adrift, *((topic, records) for topic, records in sent if records))
    reborn = Process(copy=process.copy, generation=process.mail, mail=process.mail)
    return _put(world, number, reborn)._replace(adrift=adrift, kills=world.kills + 1)


def _late(world: World) -> Iterator[tuple[str, World]]:
    """What killed processes sent arrives after all, or never."""
    for place, (topic, records) in enumerate(world.adrift):
        rest = ((topic, records[1:]),) if records[1:] else ()
        others = (*world.adrift[:place], *rest, *world.adrift[place + 1 :])
        if topic == "changelog":
            changelog = (*world.changelog, cast(Pair, records[0]))
            yield "a dead one's changelog record arrives", world._replace(adrift=others, changelog=changelog)
        else:
            yield "a dead one's order arrives", world._replace(adrift=others, orders=(*world.orders, cast(Sent, records[0])))
        yield "what a dead one sent is lost", world._replace(adrift=(*world.adrift[:place], *world.adrift[place + 1 :]))


def _compactions(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    """The broker keeps the last record of each key among those that are older than the lag. That an owner writes everything again
    within the lag means: of each key a record that counts is younger than it."""
    for end in range(2, len(world.changelog) + 1):
        if rules.compaction_lag and not _written_again(world, end, rules):
            continue
        last = {key: place for place, (key, _) in enumerate(world.changelog[:end])}
        gone = frozenset(place for place, (key, _) in enumerate(world.changelog[:end]) if last[key] != place)
        if gone - world.gone:
            yield f"compaction up to {end}", world._replace(gone=world.gone | gone, compactions=world.compactions + 1)


def _written_again(world: World, end: int, rules: Rules) -> bool:
    counting = {(key, value) for key, value in _fold(world.changelog, rules)}
    return all(record in world.changelog[end:] for record in counting)


def _put(world: World, number: int, process: Process) -> World:
    return world._replace(processes=(*world.processes[:number], process, *world.processes[number + 1 :]))


def _read(world: World, copy: Copy, rules: Rules) -> Copy:
    """Recovery or standby: fold what is left of the changelog behind the copy's offset."""
    records = [record for place, record in enumerate(world.changelog) if place >= copy.reach and place not in world.gone]
    return copy._replace(values=_fold(records, rules, copy.values), reach=len(world.changelog))


class _Values:
    """What `accept` needs of a local copy."""

    def __init__(self, values: dict[bytes, bytes]) -> None:
        self.values = values

    def get(self, key: bytes) -> bytes | None:
        return self.values.get(key)


def _fold(records: list[Pair] | tuple[Pair, ...], rules: Rules, on: tuple[Pair, ...] = ()) -> tuple[Pair, ...]:
    values = dict(on)
    if rules.fence_changelog:
        puts, _, _ = accept(cast(LocalCopy, _Values(values)), records)
        values.update(puts)
    else:
        values.update(records)
    return tuple(sorted(values.items()))


def _orders(values: dict[bytes, bytes]) -> tuple[Order, ...]:
    value = values.get(VALUE)
    return () if value is None else msgspec.msgpack.decode(unseal(value).payload, type=tuple[Order, ...])


def taken(world: World, rules: Rules) -> list[Order]:
    """The orders that the exchange takes, in order, repeats too."""
    fences = Fences()
    found = []
    for kind, epoch, order in world.orders:
        if order is None:
            fences.claim(TOPIC, 0, epoch)
        elif not rules.fence_orders or fences.admits(TOPIC, 0, epoch):
            found.append(order)
        assert kind in ("claim", "order")
    return found


def check(world: World, rules: Rules, bounds: Bounds) -> None:
    """Raises Violation where an order was taken with two contents, where one is missing in what an empty disk would recover, or where
    at the end, when all has arrived, one was never taken."""
    orders = taken(world, rules)
    by_input: dict[int, Order] = {}
    for order in orders:
        if by_input.setdefault(order[0], order) != order:
            raise Violation(f"order {order[0]} was taken with two contents: decided in epochs {by_input[order[0]][1]} and {order[1]}")
    left = [record for place, record in enumerate(world.changelog) if place not in world.gone]
    recovered = _orders(dict(_fold(left, rules)))
    if missing := set(orders) - set(recovered):
        raise Violation(f"orders {sorted(missing)} were taken, and an empty disk recovers {recovered}")
    if settled(world, bounds) and set(orders) != set(recovered):
        raise Violation(f"all is over; {recovered} is decided and {sorted(set(orders))} was taken")


def settled(world: World, bounds: Bounds) -> bool:
    """Whether the owner has folded and published everything, and nothing is on its way."""
    if world.owner < 0 or world.adrift or any(process.changelog or process.orders for process in world.processes):
        return False
    owner = world.processes[world.owner]
    working = owner.phase == "run" and owner.generation == world.generation and not owner.waiting
    return working and len(owner.state) == bounds.inputs


def without(rule: str) -> Rules:
    """All rules but one."""
    return replace(Rules(), **{rule: False})
