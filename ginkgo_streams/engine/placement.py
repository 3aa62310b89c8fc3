"""Which node runs which slot, and which keep a standby copy of it: a pure function that every member computes alike.

The active slots are a local search. *Balance* is one number triple, the smaller the better, compared from the left:
portfolios above capacity (sum of squares over the nodes), portfolios (same), slots (same). A slot is moved only where that
makes the triple smaller, so the search ends, and a placement that it has produced is left alone by the next call.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import numpy as np
from numpy.typing import NDArray

_NOWHERE = np.iinfo(np.int64).max
"""Greater than any load: marks the nodes that are no candidates."""


@dataclass(frozen=True, slots=True)
class Node:
    """A live member of the group. capacity: portfolios that it may run, 0 for no bound."""

    node_id: str
    capacity: int = 0


@dataclass(frozen=True, slots=True)
class Placement:
    """Where everything is: of each slot its node and its standbys' nodes; over_capacity: nodes with more portfolios than they may run."""

    active: dict[int, str]
    standby: dict[int, tuple[str, ...]]
    over_capacity: tuple[str, ...]


def place(
    slots: int,
    nodes: Sequence[Node],
    *,
    pins: Mapping[int, str] = {},
    disabled: Collection[str] = (),
    weights: Mapping[int, int] = {},
    previous: Mapping[int, str] = {},
    previous_standby: Mapping[int, Sequence[str]] = {},
    replicas: int = 1,
) -> Placement:
    """Place slots 0 … slots-1 on the nodes. The result depends on the values alone, not on the order they come in.

    pins: slot to node, obeyed even above the node's capacity; ignored where the node is not there or disabled.
    disabled: ids of nodes that get nothing. If that is every node, it is none: portfolios are never dropped.
    weights: portfolios in each slot; a slot not named has none.
    previous, previous_standby: what was, to move as little as possible. Nodes and slots that are gone are ignored.
    replicas: standby copies wanted per slot; fewer where there are not enough nodes.

    Raises ValueError: no node, a node id given twice, a negative number, 2**31 portfolios or more.
    """
    _check(slots, nodes, weights, replicas)
    enabled = [node for node in nodes if node.node_id not in disabled] or nodes
    ordered = sorted(enabled, key=lambda node: node.node_id)
    index = {node.node_id: number for number, node in enumerate(ordered)}
    pinned, owner = ({slot: index[node_id] for slot, node_id in named.items() if node_id in index} for named in (pins, previous))
    copies = {slot: [index[node_id] for node_id in held if node_id in index] for slot, held in previous_standby.items()}
    history = _History(owner, copies)
    weight = [weights.get(slot, 0) for slot in range(slots)]

    board = _Board([node.capacity for node in ordered], weight, history)
    board.fill(pinned)
    # A swap may open a move, and a move of portfolios one of empty slots; each makes the balance smaller, so this ends.
    while board.level(empty=False) or board.level(empty=True) or board.swap():
        pass
    active = [int(node) for node in board.holder]
    standby = _Standbys(active, len(ordered), history, replicas).place()
    return Placement(
        active={slot: ordered[node].node_id for slot, node in enumerate(active)},
        standby={slot: tuple(ordered[node].node_id for node in held) for slot, held in enumerate(standby)},
        over_capacity=tuple(ordered[node].node_id for node in np.flatnonzero(board.over > 0)),
    )


def await_copies(
    target: Placement, owners: Mapping[int, str], copies: Mapping[int, Sequence[str]], warm: Mapping[str, Collection[int]]
) -> tuple[Placement, dict[int, str]]:
    """What of a placement can be had at once: a slot stays where it runs until the node that it is to move to has a copy of it.

    owners, copies: where slots run and who has copies of them now, of nodes that are there. warm: of each node that can say so the slots
    of which its copy is up to date; a node that is not in it is not waited for. Returns the placement for now, in which the heirs keep
    copies beside those that were, and the slots that wait, each with its heir.
    """
    waiting = {
        slot: heir
        for slot, heir in target.active.items()
        if owners.get(slot, heir) != heir and heir in warm and slot not in warm[heir]
    }  # fmt: skip
    if not waiting:
        return target, {}
    standby = dict(target.standby)
    for slot, heir in waiting.items():
        standby[slot] = (heir, *(node for node in copies.get(slot, ()) if node not in (heir, owners[slot])))
    return Placement(target.active | {slot: owners[slot] for slot in waiting}, standby, target.over_capacity), waiting


def _check(slots: int, nodes: Sequence[Node], weights: Mapping[int, int], replicas: int) -> None:
    ids = [node.node_id for node in nodes]
    if not ids:
        raise ValueError(f"{slots} slots and no node to place them on: start a node")
    if len(set(ids)) < len(ids):
        twice = sorted({node_id for node_id in ids if ids.count(node_id) > 1})
        raise ValueError(f"two nodes are called {', '.join(twice)}: give each node an id of its own")
    numbers = {"slots": slots, "replicas": replicas}
    numbers |= {f"weight of slot {slot}": value for slot, value in weights.items()}
    numbers |= {f"capacity of node {node.node_id}": node.capacity for node in nodes}
    for name, value in numbers.items():
        if value < 0:
            raise ValueError(f"{name} is {value}: it must be 0 or more")
    if sum(weights.values()) >= 2**31:  # their squares would not fit the arrays
        raise ValueError(f"the slots weigh {sum(weights.values())} in all: it must be less than 2**31 portfolios")


@dataclass(frozen=True, slots=True)
class _History:
    """Who had each slot and its copies, of the nodes that may have them now."""

    owner: Mapping[int, int]
    copies: Mapping[int, Sequence[int]]

    def cost(self, slot: int, node: int) -> int:
        """1 where the node was the slot's owner: taking the slot, or the newest copy of it, from there is a loss. Otherwise 0."""
        return int(self.owner.get(slot) == node)


class _Board:
    """The active slots. Loads are arrays, so that finding the best of 1,000 nodes is one pass in numpy; slots wait in heaps."""

    def __init__(self, capacity: list[int], weight: list[int], history: _History) -> None:
        total = sum(weight)
        self.weight, self.history = weight, history
        # Portfolios above the node's capacity (below: negative). Nobody can have more than all, so that is "no bound".
        self.over: NDArray[np.int64] = np.array([-min(bound, total) if bound else -total for bound in capacity], np.int64)
        self.slots: NDArray[np.int64] = np.zeros(len(capacity), np.int64)
        # Portfolios first, slots second, in one number: portfolios * unit + slots.
        self.unit = len(weight) + 1
        self.fullness: NDArray[np.int64] = np.zeros(len(capacity), np.int64)
        self.holder: NDArray[np.int64] = np.zeros(len(weight), np.int64)
        self.free: NDArray[np.bool_] = np.ones(len(weight), np.bool_)  # not pinned
        # Of each node, by weight: heaps of (what leaving costs, slot). All slots of one weight change the balance alike.
        self.movable: list[dict[int, list[tuple[int, int]]]] = [{} for _ in capacity]

    def fill(self, pinned: Mapping[int, int]) -> None:
        """Pins, then owners, then standbys whatever the balance (levelling takes these off first), then heavy slots to the emptiest."""
        homeless: list[int] = []
        for slot in range(len(self.weight)):
            if slot in pinned:
                self.free[slot] = False
                self._put(slot, pinned[slot])
            elif slot in self.history.owner:
                self._put(slot, self.history.owner[slot])
            else:
                homeless.append(slot)
        homeless.sort(key=lambda slot: (not self.history.copies.get(slot), -self.weight[slot], slot))
        for slot in homeless:
            copies = self.history.copies.get(slot)
            node = min(copies, key=lambda copy: (int(self.fullness[copy]), copy)) if copies else self._best(self.weight[slot])
            self._put(slot, node)

    def level(self, *, empty: bool) -> bool:
        """Move slots (those without portfolios, or the others) until no move improves the balance. Whether any was moved.

        The fullest node gives first: after a join all nodes then give their share, and none gets back what it gave.
        """
        moved = False
        # An entry counts while it tells what the node has now. A node without a move to offer drops out until it is changed.
        givers = [(self._urgency(node, empty), node) for node in range(len(self.slots))]
        heapify(givers)
        best: dict[int, int] = {}
        while givers:
            urgency, giver = heappop(givers)
            if urgency != self._urgency(giver, empty):
                continue
            found: list[tuple[int, tuple[int, int, int], int, int]] = []
            for weight, leaving in self.movable[giver].items():
                if leaving and (weight == 0) is empty:
                    taker = best[weight] if weight in best else best.setdefault(weight, self._best(weight))
                    change = self._change(giver, taker, weight)
                    if change < (0, 0, 0):
                        found.append((leaving[0][0], change, weight, taker))
            if found:
                _, _, weight, taker = min(found)
                self._move(giver, weight, taker)
                best.clear()
                heappush(givers, (self._urgency(giver, empty), giver))
                heappush(givers, (self._urgency(taker, empty), taker))
                moved = True
        return moved

    def swap(self) -> bool:
        """Exchange slots of nodes above their capacity for lighter ones of nodes that have room for the difference."""
        swapped = False
        weights = np.array(self.weight, np.int64)
        for giver in map(int, np.flatnonzero(self.over > 0)):
            for weight in sorted(self.movable[giver], reverse=True):
                while self.over[giver] > 0 and self.movable[giver][weight]:
                    less = weight - weights
                    fits = self.free & (less > 0) & (less <= -self.over[self.holder])
                    if not fits.any():
                        break
                    left = np.where(fits, np.maximum(self.over[giver] - less, 0), _NOWHERE)
                    lighter = int(np.argmin(left))
                    taker = int(self.holder[lighter])
                    self._move(taker, self.weight[lighter], giver)
                    self._move(giver, weight, taker)
                    swapped = True
        return swapped

    def _put(self, slot: int, node: int) -> None:
        weight = self.weight[slot]
        self.holder[slot] = node
        self._load(node, weight, 1)
        if self.free[slot]:
            heappush(self.movable[node].setdefault(weight, []), (self.history.cost(slot, node), slot))

    def _move(self, giver: int, weight: int, taker: int) -> None:
        _, slot = heappop(self.movable[giver][weight])
        self._load(giver, -weight, -1)
        self._put(slot, taker)

    def _load(self, node: int, portfolios: int, slots: int) -> None:
        self.over[node] += portfolios
        self.slots[node] += slots
        self.fullness[node] += portfolios * self.unit + slots

    def _urgency(self, node: int, empty: bool) -> tuple[int, int, int]:
        """Smallest for the node that has to give first: the fullest, and of these one that has something to give that is not its own."""
        cost = min((leaving[0][0] for weight, leaving in self.movable[node].items() if leaving and (weight == 0) is empty), default=2)
        return (0, -int(self.slots[node]), cost) if empty else (-max(int(self.over[node]), 0), -int(self.fullness[node]), cost)

    def _best(self, weight: int) -> int:
        """The node that a slot of this weight suits best, whoever gives it: least excess over capacity, then portfolios, then slots."""
        if weight == 0:
            return int(np.argmin(self.slots))
        fits = self.over <= -weight
        if not fits.any():
            excess = np.maximum(self.over + weight, 0) ** 2 - np.maximum(self.over, 0) ** 2
            fits = excess == excess.min()
        return int(np.argmin(np.where(fits, self.fullness, _NOWHERE)))

    def _change(self, giver: int, taker: int, weight: int) -> tuple[int, int, int]:
        """What a move does to the balance (the sums of squares of portfolios and slots halved)."""
        slots = int(self.slots[taker]) - int(self.slots[giver])
        portfolios = (int(self.fullness[taker]) - int(self.fullness[giver]) - slots) // self.unit
        over, room = int(self.over[giver]), -int(self.over[taker])
        excess = 0
        if over > 0 or weight > room:
            excess = max(over - weight, 0) ** 2 - max(over, 0) ** 2 + max(weight - room, 0) ** 2 - max(-room, 0) ** 2
        return excess, weight * (portfolios + weight), slots + 1


class _Standbys:
    """The standby copies: never with the active slot, kept where they are, as many on each node (within what that allows)."""

    def __init__(self, active: list[int], nodes: int, history: _History, replicas: int) -> None:
        self.active, self.history = active, history
        self.wanted = min(replicas, nodes - 1)
        self.copies: list[list[int]] = [[] for _ in active]
        self.count: NDArray[np.int64] = np.zeros(nodes, np.int64)
        # shared[a, b]: slots of a that b has a copy of. Kept even, so that many nodes, all warm, share the work of one that dies.
        self.shared: NDArray[np.int64] = np.zeros((nodes, nodes), np.int64)

    def place(self) -> list[list[int]]:
        """Who just gave the slot away (it has the newest state), then the copies that were, then the nodes with the fewest."""
        for slot, node in enumerate(self.active):
            known = [self.history.owner[slot]] if slot in self.history.owner else []
            for copy in dict.fromkeys((*known, *self.history.copies.get(slot, ()))):
                if copy != node and len(self.copies[slot]) < self.wanted:
                    self.copies[slot].append(copy)
                    self._add(slot, copy, 1)
        for slot, copies in enumerate(self.copies):
            while len(copies) < self.wanted:
                copies.append(self._lightest(slot))
                self._add(slot, copies[-1], 1)
        while self._level():
            pass
        return self.copies

    def _level(self) -> bool:
        """Move copies from the fullest nodes to the emptiest. Whether any was moved."""
        # Where every node has the slot or a copy of it, there is none to move a copy to.
        if self.wanted + 1 >= len(self.count) or self.count.max() - self.count.min() <= 1:
            return False
        held: list[list[tuple[int, int]]] = [[] for _ in self.count]
        for slot, copies in enumerate(self.copies):
            for node in copies:
                held[node].append((self.history.cost(slot, node), slot))
        for waiting in held:
            heapify(waiting)
        givers = [(-int(count), node) for node, count in enumerate(self.count)]
        heapify(givers)
        moved = False
        while givers:
            _, giver = heappop(givers)
            if self.count[giver] - self.count.min() <= 1:
                continue
            while held[giver]:
                _, slot = heappop(held[giver])
                taker = self._lightest(slot)
                if self.count[giver] - self.count[taker] > 1:
                    self.copies[slot][self.copies[slot].index(giver)] = taker
                    self._add(slot, giver, -1)
                    self._add(slot, taker, 1)
                    heappush(givers, (-int(self.count[giver]), giver))
                    moved = True
                    break
        return moved

    def _add(self, slot: int, node: int, number: int) -> None:
        self.count[node] += number
        self.shared[self.active[slot], node] += number

    def _lightest(self, slot: int) -> int:
        """Of the nodes that have nothing of this slot (there must be one): fewest copies, then fewest of the same owner."""
        node = self.active[slot]
        copies = self.count * (len(self.active) + 1) + self.shared[node]
        copies[[node, *self.copies[slot]]] = _NOWHERE
        return int(np.argmin(copies))
