"""The audit: the exchange's books against every portfolio's own account, in both directions. Pure: bytes in, report out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ginkgo_streams.audit.exchange import Books, Totals, read_books
from ginkgo_streams.audit.records import Counts, LedgerLine, Portfolio, Raw, Unreadable, counted_orders, counted_reports, portfolio, units
from ginkgo_streams.audit.report import AuditReport, Difference, difference

VOLUMES = ("bought_volume", "sold_volume")
AMOUNTS = ("bought_amount", "sold_amount", "commission", "stamp_duty", "transfer_fee")


@dataclass(slots=True)
class AuditInput:
    """The topics, whole: submissions, feedback, and the snapshots (any that include the newest of each portfolio).

    deleted: (topic, records) that retention has taken, without which the books cannot be whole.
    """

    submissions: list[Raw] = field(default_factory=list)
    feedback: list[Raw] = field(default_factory=list)
    snapshots: list[bytes | None] = field(default_factory=list)
    deleted: list[tuple[str, int]] = field(default_factory=list)


def audit(given: AuditInput) -> AuditReport:
    """Hold the portfolios' accounts against the exchange's record."""
    counts = Counts()
    books = read_books(counted_orders(given.submissions, counts), counted_reports(given.feedback, counts))
    accounts = newest(given.snapshots, counts)
    totals = books.totals()
    found = list(books.differences)
    for topic, records in given.deleted:
        what = f"{topic}: {records:,} records are deleted by retention: the books cannot be whole"
        found.append(difference("-", "", "history_missing", 0, records, "records", what))
    owners = {order.portfolio_id for order in books.orders.values()}
    for portfolio_id in sorted(owners | totals.keys() | accounts.keys()):
        account = accounts.get(portfolio_id)
        if account is None:
            found.append(difference(portfolio_id, "", "no_snapshot", 1, 0, "snapshots", "it has orders and no snapshot"))
        found += _check_lines(portfolio_id, totals.get(portfolio_id, {}), account)
        if account is not None:
            found += _check_account(account, totals.get(portfolio_id, {}), books)
    unanswered = [order_id for order_id in books.orders if order_id not in books.reports]
    going_on = [order_id for order_id in books.orders if order_id in books.reports and not books.ended(order_id)]
    return AuditReport(
        ok=not found, orders=len(books.orders), fills=len(books.fills), portfolios=len(accounts), pending=len(unanswered),
        open=len(going_on), duplicates=books.duplicates, fenced=counts.fenced, unreadable=counts.unreadable, differences=found,
    )  # fmt: skip


def newest(snapshots: Iterable[bytes | None], counts: Counts) -> dict[str, Portfolio]:
    """The newest snapshot of each portfolio, by (epoch, seq)."""
    result: dict[str, Portfolio] = {}
    for value in snapshots:
        try:
            account = portfolio(value)
        except Unreadable:
            counts.unreadable += 1
            continue
        known = result.get(account.portfolio_id)
        if known is None or (account.epoch, account.seq) > (known.epoch, known.seq):
            result[account.portfolio_id] = account
    return result


def _check_lines(portfolio_id: str, totals: dict[str, Totals], account: Portfolio | None) -> Iterator[Difference]:
    """Volumes, amounts and each fee, per code."""
    lines = {line.code: line for line in account.ledger} if account else {}
    for code in sorted(totals.keys() | lines.keys()):
        exchange = totals.get(code, Totals())
        line = lines.get(code, LedgerLine(code=code))
        for name in VOLUMES:
            yield from _compare(portfolio_id, code, name, getattr(exchange, name), getattr(line, name), "shares")
        for name in AMOUNTS:
            yield from _compare(portfolio_id, code, name, getattr(exchange, name), units(getattr(line, name)), "CNY")


def _check_account(account: Portfolio, totals: dict[str, Totals], books: Books) -> Iterator[Difference]:
    """Positions, cash, fees and counts, and that both sides hold the same orders for open."""
    pid = account.portfolio_id
    held: dict[str, int] = {}
    for position in account.positions:
        held[position.code] = held.get(position.code, 0) + position.volume * (1 if position.direction > 0 else -1)
    for code in sorted(totals.keys() | held.keys()):
        exchange = totals.get(code, Totals())
        yield from _compare(pid, code, "position", exchange.bought_volume - exchange.sold_volume, held.get(code, 0), "shares")
    fees = sum(each.fees for each in totals.values())
    cash = units(account.initial_cash) - fees + sum(each.sold_amount - each.bought_amount for each in totals.values())
    yield from _compare(pid, "", "cash", cash, units(account.cash) + units(account.frozen), "CNY", "cash and frozen cash")
    yield from _compare(pid, "", "fees", fees, units(account.fees), "CNY")
    orders = {order_id for order_id, order in books.orders.items() if order.portfolio_id == pid}
    fills = sum(fill.portfolio_id == pid for fill in books.fills.values())
    yield from _compare(pid, "", "orders", len(orders), account.orders, "orders", "number of orders")
    yield from _compare(pid, "", "fills", fills, account.fills, "fills", "number of fills")
    believed = {order.order_id for order in account.open_orders}
    for order_id in sorted(believed & orders):
        if books.ended(order_id):
            what = f"order {order_id} has ended at the exchange and is open in the portfolio"
            yield difference(pid, books.orders[order_id].code, "order_open", 0, 1, "orders", what)
    for order_id in sorted(orders - believed):
        if not books.ended(order_id):
            what = f"order {order_id} is open at the exchange and not in the portfolio"
            yield difference(pid, books.orders[order_id].code, "order_forgotten", 1, 0, "orders", what)


def _compare(portfolio_id: str, code: str, kind: str, expected: int, found: int, unit: str, what: str = "") -> Iterator[Difference]:
    if expected != found:
        yield difference(portfolio_id, code, kind, expected, found, unit, what or kind.replace("_", " "))
