"""Decorators for users' own code: keep a result for a while, log how long a call took, try again."""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable, Hashable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger(__name__)


def cache_with_expiration(
    seconds: float = 60, *, clock: Callable[[], float] = time.monotonic
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Keeps a result for `seconds`, per arguments (which must be hashable). An exception is not kept. clock: seconds, for tests."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        kept: dict[Hashable, tuple[float, R]] = {}
        lock = threading.Lock()

        @functools.wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            key, now = (args, tuple(sorted(kwargs.items()))), clock()
            with lock:
                for old in [each for each, (until, _) in kept.items() if until <= now]:
                    del kept[old]
                if key in kept:
                    return kept[key][1]
            result = function(*args, **kwargs)
            with lock:
                kept[key] = (clock() + seconds, result)
            return result

        return wrapper

    return decorate


def time_logger(function: Callable[P, R]) -> Callable[P, R]:
    """Logs how long each call took, at level info, whether it returned or raised."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        start = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            log.info("%s took %.3f s", function.__qualname__, time.perf_counter() - start)

    return wrapper


def retry(max_try: int = 3, *, longest_wait: float = 5.0) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Calls up to `max_try` times until no exception comes, and raises the last one. Waits 0.1 s at first, then longer, at most
    `longest_wait` seconds. Raises ValueError for fewer than one try."""
    if max_try < 1:
        raise ValueError(f"max_try is {max_try}: expected 1 or more")

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            from tenacity import Retrying, stop_after_attempt, wait_exponential

            retrying = Retrying(stop=stop_after_attempt(max_try), wait=wait_exponential(0.1, max=longest_wait), reraise=True)
            return retrying(function, *args, **kwargs)

        return wrapper

    return decorate
