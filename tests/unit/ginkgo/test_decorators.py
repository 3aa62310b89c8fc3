"""The decorators of `ginkgo.libs`."""

from __future__ import annotations

import logging

import pytest

from ginkgo.libs.decorators import cache_with_expiration, retry, time_logger


def test_cache_when_called_again_then_kept_per_arguments_until_it_expires() -> None:
    now = 0.0
    calls: list[str] = []

    @cache_with_expiration(60, clock=lambda: now)
    def status(portfolio_id: str) -> int:
        calls.append(portfolio_id)
        return len(calls)

    assert [status("a"), status("a"), status("b")] == [1, 1, 2]
    now = 59.9
    assert status("a") == 1
    now = 60.0
    assert status("a") == 3


def test_cache_when_the_call_raises_then_nothing_is_kept() -> None:
    calls: list[int] = []

    @cache_with_expiration(60)
    def broken() -> int:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError
        return 7

    with pytest.raises(ValueError):  # noqa: PT011
        broken()
    assert broken() == 7


def test_retry_when_the_third_call_works_then_its_result() -> None:
    calls: list[int] = []

    @retry(max_try=3, longest_wait=0)
    def insert(rows: list[int]) -> int:
        calls.append(1)
        if len(calls) < 3:
            raise ConnectionError("lost")
        return len(rows)

    assert insert([1, 2]) == 2


def test_retry_when_every_call_fails_then_the_last_error() -> None:
    calls: list[int] = []

    @retry(max_try=2, longest_wait=0)
    def insert() -> None:
        calls.append(1)
        raise ConnectionError(f"lost {len(calls)}")

    with pytest.raises(ConnectionError, match="lost 2"):
        insert()
    with pytest.raises(ValueError, match="max_try is 0"):
        retry(max_try=0)


def test_time_logger_when_called_then_the_duration_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    @time_logger
    def work() -> int:
        return 5

    with caplog.at_level(logging.INFO):
        assert work() == 5
    assert "work took" in caplog.text
