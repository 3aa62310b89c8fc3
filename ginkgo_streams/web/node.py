"""What this node can say by itself: its slots, its portfolios, and the durable state of one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

from ginkgo_streams import messages as m
from ginkgo_streams.domain.portfolios import Portfolios
from ginkgo_streams.engine import internals
from ginkgo_streams.engine.app import EngineApp
from ginkgo_streams.engine.runner import Runner
from ginkgo_streams.slots.snapshot import snapshot
from ginkgo_streams.web.answers import MembersView, MemberView, NodeView, NotFound, PortfolioLine, SlotView, State, Unavailable


@dataclass(frozen=True, slots=True)
class ThisNode:
    """A node, for its views. All methods run in the loop of the single writer, between two of its rounds: no state is half-way."""

    app: EngineApp
    runner: Runner
    states: Mapping[int, Portfolios]
    """Of the slots that are loaded."""
    started_at: str

    @property
    def node_id(self) -> str:
        """Its name."""
        return self.app.engine.node_id

    def status(self) -> State:
        """Whether its slots take events."""
        if self.runner.slots:
            return "running"
        members = self.app.members()
        mine = [member for member in members if member.node_id == self.node_id]
        return "starting" if not members else "moving" if any(member.slots for member in mine) else "running"

    def view(self) -> NodeView:
        """All of it."""
        slots = [self._slot(index) for index in sorted(self.states)]
        standbys = internals.standby_partitions(self.app, self.runner.tables[0].changelog_topic_name)
        return NodeView(
            node_id=self.node_id, status=self.status(), address=self.app.web_address, started_at=self.started_at,
            version=version("ginkgo-streams"), generation=internals.generation(self.app), max_portfolios=self.app.engine.capacity,
            portfolio_count=sum(len(slot.portfolios) for slot in slots), backlog=self.runner.backlog(), slots=slots,
            standbys=sorted(standbys),
        )  # fmt: skip

    def _slot(self, index: int) -> SlotView:
        state, owned = self.states[index], self.runner.slots[index]
        lines = [PortfolioLine(each.portfolio_id, each.name, each.status) for each in state.portfolios.values()]
        return SlotView(
            slot=index, epoch=owned.epoch, codes=list(state.interest()), newest=m.iso(state.newest) if state.newest else "",
            portfolios=sorted(lines, key=lambda line: line.portfolio_id),
        )  # fmt: skip

    def group(self) -> MembersView:
        """All nodes, as this one was told with its own assignment."""
        nodes = [MemberView(member.node_id, member.address, sorted(member.slots)) for member in self.app.members()]
        return MembersView(self.node_id, internals.generation(self.app), nodes)

    def portfolio(self, portfolio_id: str, slot: int) -> m.Snapshot:
        """The durable state of a portfolio, at the last prices; `epoch` and `seq` say which write of it this is.

        What a crash could still undo is not in it. Raises NotFound; Unavailable where its slot is not loaded.
        """
        try:
            value = self.runner.durable(slot, portfolio_id)
        except KeyError:
            message = f"slot {slot} of portfolio {portfolio_id} is coming to {self.node_id} or leaving it; ask again in a second"
            raise Unavailable(message, retry_s=1, slot=slot, node_id=self.node_id) from None
        if value is None:
            message = f"there is no portfolio {portfolio_id}: its slot {slot} is on {self.node_id}, which does not have it"
            raise NotFound(message, slot=slot, node_id=self.node_id)
        return snapshot(self.states[slot].view_of(value.payload), self.node_id, slot, value.epoch, value.seq)
