"""The exchange's columns of codes grow with what it sees."""

from __future__ import annotations

from ginkgo_streams.domain.exchange.book import CodeState
from ginkgo_streams.domain.exchange.codes import Codes
from tests.unit.domain.market.shanghai import profile


def test_codes_when_more_come_than_there_was_room_for_then_each_keeps_its_own_state() -> None:
    codes = Codes(profile())
    states = {f"{n:06d}.SZ": CodeState(1_000 + n, n, 100_000 + n, 20_000, 99_000 + n, 99_900 + n, 100_100 + n) for n in range(1, 1_001)}
    for code, state in states.items():
        codes.put(code, state)
    assert {code: codes.get(code) for code in states} == states
