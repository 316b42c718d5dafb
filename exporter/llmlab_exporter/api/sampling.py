"""What a summary says of sampling: that its sums are a lower bound and, on request, what they are extrapolated to."""

from collections.abc import Mapping
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

from llmlab_exporter.api.exact_json import money
from llmlab_exporter.ledger.summary import ByModel, Spend
from llmlab_exporter.reading.sampling import adjusted


def sampling(periods: Mapping[str, Spend], by_model: ByModel, *, extrapolate: bool) -> dict[str, Any] | None:
    """Describe the sampling of calls in some periods; None when every call was sent.

    `extrapolated` stands beside the measured sums, never instead of them: it holds if what was left out is like what
    was kept.
    """
    sampled = {name: spend for name, spend in periods.items() if spend.sampled}
    if not sampled:
        return None
    description: dict[str, Any] = {"lower_bound": True, "periods": {name: _rates(sampled[name]) for name in sampled}}
    if extrapolate:
        description["extrapolated"] = {
            "periods": {name: _extrapolated(spend) for name, spend in periods.items()},
            "models": [
                {"provider": model.provider, "model": model.model} | _extrapolated(spend)
                for model, spend in sorted(by_model.items(), key=lambda item: (-item[1].cost, item[0]))
            ],
        }
    return description


def _rates(spend: Spend) -> list[dict[str, Any]]:
    """List how many calls were sampled at which rate; `one_in` is null where nobody counts so many rates apart."""
    return [
        {
            "requests": calls.requests,
            "spend": money(calls.cost_yocto),
            "one_in": one_in(threshold),
        }
        for threshold, calls in sorted(spend.sampled.items())
    ]


def _extrapolated(spend: Spend) -> dict[str, Any]:
    """Count each call as often as it stands for others. Exact fractions, rounded once, at the end."""
    requests, cost_yocto = Fraction(spend.requests), Fraction(spend.cost)
    for threshold, calls in spend.sampled.items():
        unseen = adjusted(threshold) - 1
        requests += calls.requests * unseen
        cost_yocto += calls.cost_yocto * unseen
    known = None if spend.cost_yocto is None else round(cost_yocto)
    return {"requests": round(requests), "spend": money(known)}


def one_in(threshold: int) -> float | None:
    """Return how many calls one stands for, None for a threshold of 0, which says nothing.

    To six digits: 1 in 10 is written with 14 hexadecimal digits, and is not quite that.
    """
    if not threshold:
        return None
    count = adjusted(threshold)
    with localcontext(prec=6):
        return float(Decimal(count.numerator) / Decimal(count.denominator))
