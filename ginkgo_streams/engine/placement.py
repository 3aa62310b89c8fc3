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

    Raises ValueError: no node, a node id given twice, a negative number.
    """
    _check(slots, nodes, weights, replicas)
    ordered = sorted((node for node in nodes if node.node_id not in disabled) or nodes, key=lambda node: node.node_id)
    index = {node.node_id: number for number, node in enumerate(ordered)}
    pinned, owner = ({slot: index[node_id] for slot, node_id in named.items() if node_id in index} for named in (pins, previous))
    warm = {slot: [index[node_id] for node_id in copies if node_id in index] for slot, copies in previous_standby.items()}
    weight = [weights.get(slot, 0) for slot in range(slots)]

    board = _Board([node.capacity for node in ordered], weight, owner, warm)
    board.fill(pinned)
    # A swap may open a move, and a move of portfolios one of empty slots; each makes the balance smaller, so this ends.
    while board.level(empty=False) or board.level(empty=True) or board.swap():
        pass
    active = [int(node) for node in board.holder]
    standby = _Standbys(active, len(ordered), owner, warm, replicas).place()
    return Placement(
        active={slot: ordered[node].node_id for slot, node in enumerate(active)},
        standby={slot: tuple(ordered[node].node_id for node in copies) for slot, copies in enumerate(standby)},
        over_capacity=tuple(ordered[node].node_id for node in np.flatnonzero(board.load > board.capacity)),
    )


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


class _Board:
    """The active slots. Loads are arrays, so that finding the best of 1,000 nodes is one pass in numpy; slots wait in heaps."""

    def __init__(self, capacity: list[int], weight: list[int], owner: Mapping[int, int], warm: Mapping[int, list[int]]) -> None:
        total = sum(weight)
        self.capacity: NDArray[np.int64] = np.array([min(bound, total) if bound else total for bound in capacity], np.int64)
        self.load: NDArray[np.int64] = np.zeros(len(capacity), np.int64)  # portfolios
        self.slots: NDArray[np.int64] = np.zeros(len(capacity), np.int64)
        self.weight: NDArray[np.int64] = np.array(weight, np.int64)
        self.holder: NDArray[np.int64] = np.zeros(len(weight), np.int64)
        self.free: NDArray[np.bool_] = np.ones(len(weight), np.bool_)  # not pinned
        self.owner, self.warm = owner, warm
        # Of each node, by weight: heaps of (what leaving costs, slot). All slots of one weight change the balance alike.
        self.movable: list[dict[int, list[tuple[int, int]]]] = [{} for _ in capacity]

    def fill(self, pinned: Mapping[int, int]) -> None:
        """Pins, then owners, then standbys whatever the balance (levelling takes these off first), then the least loaded, heavy slots first."""
        homeless: list[int] = []
        for slot in range(len(self.weight)):
            if slot in pinned:
                self.free[slot] = False
                self._put(slot, pinned[slot])
            elif slot in self.owner:
                self._put(slot, self.owner[slot])
            else:
                homeless.append(slot)
        homeless.sort(key=lambda slot: (not self.warm.get(slot), -int(self.weight[slot]), slot))
        for slot in homeless:
            copies = self.warm.get(slot)
            self._put(
                slot,
                min(copies, key=lambda node: (int(self.load[node]), int(self.slots[node]), node))
                if copies
                else self._best(int(self.weight[slot])),
            )

    def level(self, *, empty: bool) -> bool:
        """Move slots (those without portfolios, or the others) until no move improves the balance. Whether any was moved.

        The fullest node gives first: after a join all nodes then give their share, and none gets back what it gave.
        """
        moved = False
        willing = np.ones(len(self.load), np.bool_)
        while willing.any():
            over = np.maximum(self.load - self.capacity, 0) * willing
            fullness = self.slots if empty else over if over.any() else self._fullness()
            giver = int(np.argmax(np.where(willing, fullness, -1)))
            found: list[tuple[int, tuple[int, int, int], int, int]] = []
            for weight, leaving in self.movable[giver].items():
                if leaving and (weight == 0) is empty:
                    taker = self._best(weight)
                    change = self._change(giver, taker, weight)
                    if change < (0, 0, 0):
                        found.append((leaving[0][0], change, weight, taker))
            if not found:
                willing[giver] = False
                continue
            _, _, weight, taker = min(found)
            self._move(giver, weight, taker)
            willing[taker] = moved = True
        return moved

    def swap(self) -> bool:
        """Exchange a slot of a node above its capacity for a lighter one of a node that has room for the difference."""
        room = self.capacity - self.load
        if not (room < 0).any() or not (room > 0).any():
            return False
        for giver in map(int, np.argsort(room, kind="stable")[: np.count_nonzero(room < 0)]):
            for weight in sorted((weight for weight, leaving in self.movable[giver].items() if leaving), reverse=True):
                less = weight - self.weight
                fits = self.free & (less > 0) & (less <= room[self.holder])
                if fits.any():
                    left = np.where(fits, np.maximum(-room[giver] - less, 0), _NOWHERE)
                    back = int(np.argmin(left))
                    taker = int(self.holder[back])
                    self._move(taker, int(self.weight[back]), giver)
                    self._move(giver, weight, taker)
                    return True
        return False

    def _put(self, slot: int, node: int) -> None:
        weight = int(self.weight[slot])
        self.holder[slot] = node
        self.load[node] += weight
        self.slots[node] += 1
        if self.free[slot]:
            cost = 2 if self.owner.get(slot) == node else 1 if node in self.warm.get(slot, ()) else 0
            heappush(self.movable[node].setdefault(weight, []), (cost, slot))

    def _move(self, giver: int, weight: int, taker: int) -> None:
        _, slot = heappop(self.movable[giver][weight])
        self.load[giver] -= weight
        self.slots[giver] -= 1
        self._put(slot, taker)

    def _fullness(self) -> NDArray[np.int64]:
        return self.load * (len(self.weight) + 1) + self.slots

    def _best(self, weight: int) -> int:
        """The node that a slot of this weight suits best, whoever gives it: no excess or the least, then the least portfolios, then slots."""
        if weight == 0:
            return int(np.argmin(self.slots))
        over = self.load - self.capacity
        excess = np.maximum(over + weight, 0) ** 2 - np.maximum(over, 0) ** 2
        return int(np.argmin(np.where(excess == excess.min(), self._fullness(), _NOWHERE)))

    def _change(self, giver: int, taker: int, weight: int) -> tuple[int, int, int]:
        """What a move does to the balance (the sums of squares of portfolios and slots halved)."""
        load, slots = (int(self.load[taker] - self.load[giver]), int(self.slots[taker] - self.slots[giver]))
        over = [int(self.load[node] - self.capacity[node]) for node in (giver, taker)]
        excess = [max(value, 0) ** 2 for value in (over[0] - weight, over[1] + weight, *over)]
        return excess[0] + excess[1] - excess[2] - excess[3], weight * (load + weight), slots + 1


class _Standbys:
    """The standby copies: never with the active slot, kept where they are, as many on each node (within what that allows)."""

    def __init__(self, active: list[int], nodes: int, owner: Mapping[int, int], warm: Mapping[int, list[int]], replicas: int) -> None:
        self.active, self.owner, self.warm = active, owner, warm
        self.wanted = min(replicas, nodes - 1)
        self.copies: list[list[int]] = [[] for _ in active]
        self.count = [0] * nodes
        self.light = [(0, node) for node in range(nodes)]  # heap; an entry counts while its number is the node's

    def place(self) -> list[list[int]]:
        for slot, node in enumerate(self.active):
            # Who has just given the slot away has its newest state.
            known = [self.owner[slot]] if slot in self.owner else []
            for copy in dict.fromkeys((*known, *self.warm.get(slot, ()))):
                if copy != node and len(self.copies[slot]) < self.wanted:
                    self.copies[slot].append(copy)
                    self._add(copy, 1)
        for slot, copies in enumerate(self.copies):
            while len(copies) < self.wanted:
                copies.append(self._lightest(slot))
                self._add(copies[-1], 1)
        while self._level():
            pass
        return self.copies

    def _level(self) -> bool:
        """Move copies from the fullest nodes to the emptiest. Whether any was moved."""
        if max(self.count) - min(self.count) <= 1:
            return False
        held: list[list[tuple[int, int]]] = [[] for _ in self.count]
        for slot, copies in enumerate(self.copies):
            for node in copies:
                cost = 2 if self.owner.get(slot) == node else 1 if node in self.warm.get(slot, ()) else 0
                held[node].append((cost, slot))
        for waiting in held:
            heapify(waiting)
        full = [(-count, node) for node, count in enumerate(self.count)]
        heapify(full)
        moved = False
        while full:
            count, giver = heappop(full)
            while held[giver]:
                _, slot = heappop(held[giver])
                # A node is free to take: a copy that is wanted leaves at least the active's node, so look only where one is.
                taker = self._lightest(slot) if len(self.copies[slot]) + 1 < len(self.count) else giver
                if self.count[giver] - self.count[taker] > 1:
                    self.copies[slot][self.copies[slot].index(giver)] = taker
                    self._add(giver, -1)
                    self._add(taker, 1)
                    heappush(full, (count + 1, giver))
                    moved = True
                    break
        return moved

    def _add(self, node: int, number: int) -> None:
        self.count[node] += number
        heappush(self.light, (self.count[node], node))

    def _lightest(self, slot: int) -> int:
        """The node with the fewest copies among those that have nothing of this slot; there must be one."""
        passed: list[tuple[int, int]] = []
        while True:
            count, node = heappop(self.light)
            if count == self.count[node]:
                passed.append((count, node))
                if node != self.active[slot] and node not in self.copies[slot]:
                    break
        for entry in set(passed):
            heappush(self.light, entry)
        return node
