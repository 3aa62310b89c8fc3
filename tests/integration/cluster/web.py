"""A client of the nodes' web views."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec

from .harness import Process

CALL_S = 30.0


@dataclass(frozen=True)
class Answer:
    """What a node answered. body: decoded JSON."""

    status: int
    body: Any
    headers: Mapping[str, str]


def address(node: Process) -> str:
    """Where a node's views are, as its log says."""
    node.wait_for("Web views: http://")
    return next(line.partition("http://")[2].removesuffix("/nodes") for line in node.lines() if "Web views: http://" in line)


def get(node: Process, path: str, **headers: str) -> Answer:
    """GET of a page of a node."""
    return asyncio.run(_get(f"http://{address(node)}{path}", {name.replace("_", "-"): value for name, value in headers.items()}))


def get_all(nodes: list[Process], paths: list[str]) -> list[Answer]:
    """Each page of each node, all at once."""

    async def ask() -> list[Answer]:
        return list(await asyncio.gather(*(_get(f"http://{address(node)}{path}", {}) for node in nodes for path in paths)))

    return asyncio.run(ask())


async def _get(url: str, headers: Mapping[str, str]) -> Answer:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(CALL_S)) as session, session.get(url, headers=headers) as response:
        assert response.content_type == "application/json", (url, response.status, await response.text())
        return Answer(response.status, msgspec.json.decode(await response.read()), dict(response.headers))
