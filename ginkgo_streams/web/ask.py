"""A question passed on to the node that can answer it. It is passed on once: who is asked so answers by itself."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

import aiohttp

from ginkgo_streams.engine.members import Member
from ginkgo_streams.web.answers import Unavailable

MEANT = "X-Ginkgo-Node"
"""Header: in a question, the node that is meant; in an answer, the one that gave it."""

ASK_S = 3.0
"""How long another node may take: as long as a dead one keeps its slots at the usual session time-out."""


async def ask(app: Any, member: Member, *path: str) -> tuple[int, bytes]:
    """Status and body of another node's answer. Raises Unavailable where that node does not answer."""
    where = "/".join(quote(part, safe="") for part in path)
    if not member.address:
        raise Unavailable(f"{'/'.join(path)} is on {member.node_id}, whose web views are off (web.enabled)", node_id=member.node_id)
    details: dict[str, Any] = {"node_id": member.node_id, "address": member.address}
    try:
        async with asyncio.timeout(ASK_S):
            headers = {MEANT: member.node_id}
            async with app.http_client.get(f"http://{member.address}/{where}", headers=headers, allow_redirects=False) as response:
                status, body, answered = response.status, await response.read(), response.headers.get(MEANT, "")
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        reason = str(error) or f"no answer within {ASK_S:g} s"
        message = (
            f"{'/'.join(path)} is on {member.node_id}, which does not answer at {member.address} ({reason}); if it died, another node has "
            "it in some seconds; if it runs on another machine, its web.host has to be an address that this one reaches"
        )
        raise Unavailable(message, retry_s=1, **details) from error
    if answered != member.node_id:
        message = (
            f"{'/'.join(path)} is on {member.node_id}, but {answered or 'something else'} answers at {member.address}; "
            "nodes on several machines need a web.host that the others reach"
        )
        raise Unavailable(message, retry_s=1, **details)  # it may have died, and its port be another's now
    return status, body
