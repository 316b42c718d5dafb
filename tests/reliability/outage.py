"""A long outage of the store at a steady rate: `python -m reliability.outage`, or `make soak-outage`.

It writes its figures to docs/reliability.md, and ends with 1 when any sum is not the truth.
"""

import argparse
import os
import platform
import sys
import tempfile
from pathlib import Path

from page import table, write_between
from reliability.soak import PAGE, budgets_row, cost_row, losses_row, problems
from reliability.trial import Plan, Report, Trial

AWAY = (0.025, 0.975)
"""The share of the trial in which the store is away."""


def render(report: Report, plan: Plan) -> str:
    """Return the figures as Markdown."""
    rows = [
        ("what", "figure"),
        ("minutes without a store", f"{report.away_s / 60:.1f}"),
        ("calls sent", f"{plan.spans:,}"),
        ("calls per second that the senders tried to send", f"{plan.rate:,.0f}"),
        ("calls per second until all were acknowledged", f"{plan.spans / report.acknowledged_s:,.0f}"),
        ("most calls that waited for the store", f"{report.most_waiting:,}"),
        ("requests refused or without an answer, and sent again", f"{report.unanswered:,}"),
        ("seconds from the store's return until all was stored", f"{report.caught_up_s}"),
        losses_row(report),
        ("calls stored twice", f"{report.stored_twice}"),
        cost_row(report),
        budgets_row(report),
        ("peak memory of the exporter", f"{report.peak_mib:.0f} MiB"),
    ]
    return f"{os.cpu_count()} CPUs, Python {platform.python_version()}.\n\n{table(rows)}"


def main() -> None:
    """Run the trial and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=float, default=5_000, help="calls per second")
    arguments = parser.parse_args()
    spans = round(arguments.rate * arguments.minutes * 60 / (AWAY[1] - AWAY[0]))
    plan = Plan(spans=spans, batch=512, kills=0, outages=1, spread_s=60, away=AWAY, rate=arguments.rate)
    with tempfile.TemporaryDirectory() as folder:
        report = Trial(plan, Path(folder)).run()
    page = render(report, plan)
    sys.stdout.write(f"{page}\n")
    if found := problems(report):
        sys.exit("error: " + "\nerror: ".join(found))
    write_between("outage", page, PAGE)


if __name__ == "__main__":
    main()
