"""Compares the clock with the scheduler of django-celery-beat and with RedBeat."""

from __future__ import annotations

import os
from dataclasses import asdict

from benchmarks.report import dump_report
from benchmarks.schedule.plan import Plan, read_plan
from benchmarks.servers import benchmark_servers


def main() -> None:
    plan = read_plan(__doc__)
    with benchmark_servers() as servers:
        # Models can be imported only after the settings know the servers.
        from benchmarks.schedule.results import schedule_targets
        from benchmarks.schedule.run import measure_schedule

        results = measure_schedule(servers, plan)
    largest = max((*plan.sizes, *plan.own_sizes))
    targets = list(schedule_targets(results, largest=largest))
    if plan.as_json:
        print(dump_report(targets, results=asdict(results)))
        return
    print(_heading(plan), results.as_tables(), sep="\n\n")
    print("", *(f"- {target}" for target in targets), sep="\n")


def _heading(plan: Plan) -> str:
    loads = " ".join(f"{load:.1f}" for load in os.getloadavg())
    return (
        f"{plan.most_due:,} entries (or all) come due at one instant; all of them "
        f"evenly, {plan.due_per_second:,} a second, for {plan.load_seconds} s; idle "
        f"for {plan.idle_seconds} s; median of {plan.edits} edits. Load average at the "
        f"end: {loads}"
    )


if __name__ == "__main__":
    main()
