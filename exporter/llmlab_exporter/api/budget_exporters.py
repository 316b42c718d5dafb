"""`/api/budgets/exporters`: which exporters share budgets, what part each has, and giving up those that are gone."""

from collections.abc import Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from llmlab_exporter.api.budgets import moment
from llmlab_exporter.api.exact_json import ExactJSON, money
from llmlab_exporter.budgets.shared.board import BoardError
from llmlab_exporter.budgets.shared.share import Share, identity
from llmlab_exporter.budgets.shared.sharing import Listed, Sharing, StillRuns, listed
from llmlab_exporter.budgets.status import Status
from llmlab_exporter.budgets.tracker import Tracker


def routes(sharing: Sharing | None, tracker: Tracker) -> list[Route]:
    """Return the routes. Without `sharing` this exporter is alone."""

    async def show(_: Request) -> Response:
        return ExactJSON(await run_in_threadpool(_listed, sharing, tracker))

    async def give_up(request: Request) -> Response:
        counts = request.method == "POST"
        return await run_in_threadpool(_give_up, sharing, request.path_params["exporter_id"], counts)

    return [
        Route("/api/budgets/exporters", show),
        Route("/api/budgets/exporters/{exporter_id}/gone", give_up, methods=["POST"]),
        Route("/api/budgets/exporters/{exporter_id}", give_up, methods=["DELETE"]),
    ]


def _listed(sharing: Sharing | None, tracker: Tracker) -> dict[str, Any]:
    if sharing is None:
        return {"shared": False, "exporters": []}
    statuses = tracker.statuses()
    return {
        "shared": True,
        "connected": sharing.others.is_connected,
        "exporters": [_described(each, statuses) for each in listed(sharing, tracker.shares())],
    }


def _described(each: Listed, statuses: list[Status]) -> dict[str, Any]:
    return {
        "id": each.presence.exporter_id,
        "name": each.presence.name,
        "this": each.is_self,
        "state": each.state,
        "last_heard": moment(each.presence.seen_at) if each.presence.seen_at else None,
        "parts": [_part(status, share) for status in statuses if (share := _current(status, each.shares))],
    }


def _part(status: Status, share: Share) -> dict[str, Any]:
    sums = share.sums
    return {"budget": status.budget.name, "spent": money(sums.cost_yocto), "requests": sums.requests}


def _current(status: Status, shares: Mapping[str, Share]) -> Share | None:
    share = shares.get(identity(status.budget))
    return share if share and share.window == status.window else None


def _give_up(sharing: Sharing | None, exporter_id: str, counts: bool) -> Response:
    if sharing is None:
        return ExactJSON({"error": "budgets are not shared here", "hint": "see llmlab up --redis-url"}, 409)
    try:
        is_known = sharing.give_up(exporter_id, counts=counts)
    except StillRuns as still:
        return ExactJSON({"error": f"the exporter {still} runs", "hint": "stop it first"}, 409)
    except BoardError as error:
        hint = "try again when Redis answers"
        return ExactJSON({"error": str(error), "hint": hint}, 503, headers={"retry-after": "1"})
    if not is_known:
        hint = "see llmlab budget exporters"
        return ExactJSON({"error": f"no exporter has the id {exporter_id!r}", "hint": hint}, 404)
    return ExactJSON({"gone" if counts else "removed": exporter_id})
