"""The large trial: `python -m reliability.soak` with `tests` and `benchmarks` on the path, or `make soak`.

It writes its figures to docs/reliability.md, and ends with 1 when any sum is not the truth.
"""

import argparse
import os
import platform
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from page import table, write_between
from reliability.trial import Plan, Report, Totals, Trial, to_nano_usd

NEAR = 1_024
"""Calls of one sender between both records of a call: what its exporter remembers of all senders must reach so far."""
SPREAD_S = 300

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


def problems(report: Report) -> list[str]:
    """Say where the sums differ from the truth."""
    rounded = {model: replace(totals, cost_usd=to_nano_usd(totals.cost_usd)) for model, totals in report.true.items()}
    places = (
        ("the store", report.events, report.true),
        ("the sums", report.rollup, report.true),
        ("the budgets", report.budgets, report.true_budgets),
    )
    found = [f"{place}: {said}, not {true}" for place, said, true in places if said != true]
    if report.metrics != rounded:
        found.append(f"the metrics: {report.metrics}, not {rounded}")
    if report.stored_twice:
        found.append(f"the store has {report.stored_twice} calls twice")
    return found


def render(report: Report, plan: Plan) -> str:
    """Return the figures as Markdown."""
    rows = [
        ("what", "figure"),
        ("calls sent by 8 senders, half over gRPC, half over HTTP", f"{plan.spans:,}"),
        ("calls of which a second span told too, half of these in the same trace", f"{plan.doubled * plan.spans:,.0f}"),
        ("spans sent again after they had been acknowledged", f"{report.sent_again:,}"),
        ("requests without an answer, or refused for a moment, and sent again", f"{report.unanswered:,}"),
        ("`kill -9` of the exporter / outages of the store", f"{report.kills} / {report.outages}"),
        losses_row(report),
        ("calls stored twice", f"{report.stored_twice}"),
        cost_row(report),
        budgets_row(report),
        ("seconds until all was stored, faults included", f"{report.seconds}"),
        ("calls per second, senders, faults and restarts included", f"{plan.spans / report.seconds:,.0f}"),
        ("peak memory of the exporter", f"{report.peak_mib:.0f} MiB"),
    ]
    return f"{os.cpu_count()} CPUs, Python {platform.python_version()}.\n\n{table(rows)}"


def losses_row(report: Report) -> tuple[str, str]:
    """Say how many calls each place lacks."""
    true, events, rollup, metrics = _sums(report)
    lost = " / ".join(str(true.calls - said.calls) for said in (events, rollup, metrics))
    return "calls lost: store / sums / metrics", lost


def cost_row(report: Report) -> tuple[str, str]:
    """Say what the calls cost, and what each place says that they cost."""
    said = " / ".join(f"${totals.cost_usd.normalize():f}" for totals in _sums(report))
    return "true cost / in the store / by `/api/costs/summary` / by `/metrics`, to the nano-dollar", said


def budgets_row(report: Report) -> tuple[str, str]:
    """Say how many budgets have what the calls of their periods cost."""
    exact = sum(report.budgets[name] == true for name, true in report.true_budgets.items())
    return "budgets that have exactly what the calls of their periods cost", f"{exact} of {len(report.true_budgets)}"


def _sums(report: Report) -> list[Totals]:
    return [_sum(by_model) for by_model in (report.true, report.events, report.rollup, report.metrics)]


def _sum(by_model: dict[str, Totals]) -> Totals:
    result = Totals()
    for totals in by_model.values():
        result.calls += totals.calls
        result.cost_usd += totals.cost_usd
    return result


def main() -> None:
    """Run the trial and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=1_000_000)
    plan = Plan(
        spans=parser.parse_args().spans, batch=512, kills=3, outages=1, doubled=0.1, near=NEAR, spread_s=SPREAD_S
    )
    with tempfile.TemporaryDirectory() as folder:
        report = Trial(plan, Path(folder)).run()
    sys.stdout.write(f"{render(report, plan)}\n")
    if found := problems(report):
        sys.exit("error: " + "\nerror: ".join(found))
    write_between("soak", render(report, plan), PAGE)


if __name__ == "__main__":
    main()
