from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import sleep

from benchmarks.attacks.attackers import ATTACKS, Victim, run_attack
from benchmarks.attacks.offer import Answered, offer
from benchmarks.ingest import OURS, UNSIGNED, Side, make_sides
from benchmarks.report import Target
from benchmarks.reset import reset_all
from benchmarks.servers import WebServer, shipped_web_server

PER_SECOND = 100
NO_ATTACK = "no attack"
LONGEST_P99_MS = 250
TIMES_WITHOUT_ATTACK = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The responses to deliveries during one attack."""

    answered: int
    with_200: int
    with_503: int
    others: int
    median_ms: float
    p99_ms: float


def measure_attacks(*, seconds: float, settle: float, only: str) -> dict[str, Run]:
    """Measure deliveries without and with each attack, each on a fresh server."""
    return {
        name: _measure(name, seconds=seconds, settle=settle)
        for name in (NO_ATTACK, *(name for name in ATTACKS if only in name))
    }


def attack_targets(runs: dict[str, Run]) -> list[Target]:
    longest = max(TIMES_WITHOUT_ATTACK * runs[NO_ATTACK].p99_ms, LONGEST_P99_MS)
    times = [
        Target(
            what=f"p99 next to {name}", figure=run.p99_ms, unit="ms", at_most=longest
        )
        for name, run in runs.items()
        if name != NO_ATTACK
    ]
    failed = sum(run.answered - run.with_200 for run in runs.values())
    return [*times, Target(what="Not accepted", figure=failed, unit="", at_most=0.5)]


def _measure(name: str, *, seconds: float, settle: float) -> Run:
    reset_all()
    with shipped_web_server() as web:
        sides = make_sides()
        warm_up = sides[OURS].requests(PER_SECOND)
        offer(warm_up, per_second=PER_SECOND, port=web.port)
        with _attacked(name, web, sides[UNSIGNED], settle + seconds + 60):
            sleep(settle)
            requests = sides[OURS].requests(int(PER_SECOND * seconds))
            answers = offer(requests, per_second=PER_SECOND, port=web.port)
            return _summarize(answers)


@contextmanager
def _attacked(
    name: str, web: WebServer, open_side: Side, seconds: float
) -> Iterator[None]:
    if name == NO_ATTACK:
        yield
        return
    victim = Victim(port=web.port, open_path=next(open_side.paths))
    context = multiprocessing.get_context("spawn")
    attacker = context.Process(
        target=run_attack, args=(name, victim, seconds), daemon=True
    )
    attacker.start()
    try:
        yield
    finally:
        attacker.kill()
        attacker.join()


def _summarize(answers: list[Answered]) -> Run:
    statuses = Counter(answer.status for answer in answers)
    times = sorted(answer.seconds * 1000 for answer in answers)
    return Run(
        answered=len(answers),
        with_200=statuses[200],
        with_503=statuses[503],
        others=len(answers) - statuses[200] - statuses[503],
        median_ms=times[len(times) // 2],
        p99_ms=times[int(len(times) * 0.99)],
    )
