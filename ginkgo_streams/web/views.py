"""The pages of a node: GET /nodes, /nodes/{node_id}, /portfolio/{portfolio_id}. Any node answers for all of them.

Who owns a portfolio follows from its id (its slot) and from the assignment that the group's leader gave to every member.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp.web import Response

from ginkgo_streams.apps.cluster import now
from ginkgo_streams.placement_key import slot_of
from ginkgo_streams.web.answers import ErrorView, Misdirected, NotFound, Refused, Unavailable, encode
from ginkgo_streams.web.ask import MEANT, ask
from ginkgo_streams.web.node import ThisNode

Answer = tuple[int, bytes]
PAGES = ("/nodes", "/nodes/NODE_ID", "/portfolio/PORTFOLIO_ID")


def node_views(node: ThisNode, slots: int) -> None:
    """Declare the pages. slots: of the cluster."""

    async def nodes(request: Any) -> Answer:
        return 200, encode(node.group())

    async def one_node(request: Any, node_id: str) -> Answer:
        if node_id == node.node_id:
            return 200, encode(node.view())
        known = node.app.members()
        member = next((each for each in known if each.node_id == node_id), None)
        if member is None:
            names = ", ".join(each.node_id for each in known) or "none yet"
            raise NotFound(f"no node {node_id} is in the group; there are: {names}", node_id=node_id)
        return await ask(node.app, member, "nodes", node_id)

    async def portfolio(request: Any, portfolio_id: str) -> Answer:
        slot = slot_of(portfolio_id, slots)
        if slot in node.runner.slots or MEANT in request.headers:
            return 200, encode(node.portfolio(portfolio_id, slot))
        owner = next((each for each in node.app.members() if slot in each.slots), None)
        if owner is None:
            raise Unavailable(f"slot {slot} of portfolio {portfolio_id} has no owner yet; ask again in a second", retry_s=1, slot=slot)
        if owner.node_id == node.node_id:
            return 200, encode(node.portfolio(portfolio_id, slot))
        return await ask(node.app, owner, "portfolio", portfolio_id)

    async def nothing(request: Any, path: str) -> Answer:
        raise NotFound(f"there is no page /{path}; there are: {', '.join(PAGES)}")

    for path, handler in (
        ("/nodes", nodes), ("/nodes/{node_id}", one_node), ("/portfolio/{portfolio_id}", portfolio), ("/{path:.*}", nothing),
    ):  # fmt: skip
        node.app.page(path, name=handler.__name__)(_page(node, handler))


def _page(node: ThisNode, handler: Callable[..., Awaitable[Answer]]) -> Callable[..., Awaitable[Response]]:
    """A Faust view out of a handler: JSON, errors included, with the name of who answers."""

    async def page(view: Any, request: Any, **found: str) -> Response:
        headers = {MEANT: node.node_id}
        try:
            if request.headers.get(MEANT, node.node_id) != node.node_id:
                raise Misdirected(f"this is {node.node_id}, not {request.headers[MEANT]}")
            status, body = await handler(request, **found)
            if status == Unavailable.status:  # passed on from a node that the slot is coming to or leaving
                headers["Retry-After"] = "1"
        except Refused as refused:
            status, body = refused.status, _error(refused)
            if refused.retry_s:
                headers["Retry-After"] = str(refused.retry_s)
        return Response(status=status, body=body, content_type="application/json", headers=headers)

    page.__name__, page.__doc__ = handler.__name__, handler.__doc__
    return page


def _error(refused: Refused) -> bytes:
    return encode(ErrorView(code=refused.code, message=refused.message, details=refused.details, timestamp=now()))
