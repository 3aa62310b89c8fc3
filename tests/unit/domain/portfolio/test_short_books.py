"""The books of a short: what each step books, and what the checks do not let pass."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ginkgo_streams.domain import ledger as books
from ginkgo_streams.domain.events import BUY, SELL
from ginkgo_streams.domain.ledger import Ledger, LedgerBroken, Position, check
from ginkgo_streams.domain.orders import OpenOrder


def order(direction: int, volume: int, frozen: int, short: bool = True) -> OpenOrder:
    return OpenOrder(
        f"{direction}/{volume}", "X", direction, volume, limit=0, ts=1, reason="", day=1, frozen=frozen, budget=frozen, short=short
    )


def sold_short() -> Ledger:
    """100 shares sold short at 50, fees of 7, of a cash of 10,000."""
    ledger, sale = Ledger(10_000, 10_000), order(SELL, 100, 6_000)
    books.freeze(ledger, sale)
    check(ledger, [sale])
    assert (ledger.cash, ledger.frozen) == (4_000, 6_000)
    books.book(ledger, sale, 100, 5_000, (7, 0, 0), 3, 0)
    check(ledger, [])
    return ledger


def test_a_short_sale_when_filled_then_collateral_free_proceeds_in_cash_and_shares_owed() -> None:
    ledger = sold_short()
    assert (ledger.cash, ledger.frozen) == (14_993, 0)
    assert ledger.positions == {"X": Position(volume=100, cost=5_000, opened_day=3, short=True)}
    assert (ledger.lines["X"].sold_volume, ledger.lines["X"].bought_volume) == (100, 0)


def test_a_cover_when_sized_down_and_filled_in_parts_then_cost_goes_by_share_and_nothing_stays_frozen() -> None:
    ledger, cover = sold_short(), order(BUY, 100, 7_500)
    books.freeze(ledger, cover)
    check(ledger, [cover])
    assert ledger.positions["X"].available(1, True) == 0
    books.resize(ledger, cover, 60)
    books.book(ledger, cover, 20, 800, (0, 0, 0), 4, 6_700)
    check(ledger, [cover])
    assert (ledger.positions["X"].cost, ledger.positions["X"].frozen) == (4_000, 40)
    books.release(ledger, cover)
    check(ledger, [])
    assert ledger.positions["X"] == Position(volume=80, cost=4_000, opened_day=3, short=True)
    assert (ledger.cash, ledger.frozen) == (14_193, 0)


@pytest.mark.parametrize(("harm", "says"), [
    (lambda ledger: setattr(ledger.positions["X"], "volume", -100), "does not follow"),
    (lambda ledger: setattr(ledger.positions["X"], "short", False), "does not follow"),
    (lambda ledger: setattr(ledger.positions["X"], "cost", -5_000), "negative figure"),
    (lambda ledger: setattr(ledger.positions["X"], "frozen", 1), "does not follow"),
])  # fmt: skip
def test_the_books_of_a_short_when_a_figure_is_wrong_then_broken(harm: Callable[[Ledger], None], says: str) -> None:
    ledger = sold_short()
    harm(ledger)
    with pytest.raises(LedgerBroken, match=says):
        check(ledger, [])


def test_the_books_when_more_is_sold_than_held_without_a_short_then_broken_as_ever() -> None:
    ledger = sold_short()
    ledger.positions["X"].short = False
    ledger.positions["X"].volume = -100
    with pytest.raises(LedgerBroken, match="negative figure"):
        check(ledger, [])


@pytest.mark.parametrize("direction", [BUY, SELL])
def test_a_code_when_an_order_of_the_long_side_stands_beside_a_short_then_broken(direction: int) -> None:
    ledger, long = sold_short(), order(direction, 10, 0, short=False)
    long.filled = 0
    ledger.positions["X"].frozen = 10 if direction == SELL else 0
    with pytest.raises(LedgerBroken, match="on both sides"):
        check(ledger, [long])
