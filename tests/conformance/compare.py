"""The conformance suite without and with Toolgate, both revisions: what Toolgate changes.

    make conformance            three rounds
    make conformance SHORT=1    one

Ends with 1 if any check is worse behind Envoy and Toolgate than without them, and says so in its
last line. A sum of checks that passed would say nothing: many of them pass on a server that
refuses everything.
"""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "examples/demo")]

import suite  # noqa: E402
from gateway import Gateway, gateway  # noqa: E402
from process import ProcessError  # noqa: E402
from suite import Check, Outcome, Outcomes  # noqa: E402

ROUNDS = 1 if os.environ.get("SHORT") else 3
ABSENT = Outcome("FAILURE", "the suite did not get as far")


@dataclass(frozen=True)
class Pair:
    """One check, without and with Toolgate."""

    check: Check
    without: Outcome | None
    through: Outcome | None

    @property
    def change(self) -> int:
        """Below zero if it is worse with Toolgate."""
        if self.without is None:
            # Only something that failed before could have kept the suite from getting here.
            assert self.through is not None
            return -1 if self.through.status == "FAILURE" else 1
        return (self.through or ABSENT).rank - self.without.rank

    @property
    def shown(self) -> str:
        word = "WORSE " if self.change < 0 else "better"
        statuses = [one.status if one else "absent" for one in (self.without, self.through)]
        why = (self.through or ABSENT if self.change < 0 else self.without or ABSENT).why
        line = f"  {word}  {self.check.scenario}: {self.check.shown}: {' -> '.join(statuses)}"
        return f"{line}\n          {why}" if why else line


def pairs(without: Outcomes, through: Outcomes) -> list[Pair]:
    checks = [*without, *(check for check in through if check not in without)]
    return [Pair(check, without.get(check), through.get(check)) for check in checks]


def counted(outcomes: Iterator[Outcome | None]) -> str:
    """How many there are of each."""
    counts = Counter(one.status if one else "absent" for one in outcomes)
    order = [*reversed(suite.RANKS), "absent"]
    return ", ".join(f"{counts[status]} {status.lower()}" for status in order if counts[status])


def table(found: list[Pair]) -> Iterator[str]:
    scenarios: dict[str, list[Pair]] = {}
    for pair in found:
        scenarios.setdefault(pair.check.scenario, []).append(pair)
    width = max(map(len, scenarios))
    yield f"{'':{width}}  {'without Toolgate':40}  with Toolgate"
    for scenario, within in scenarios.items():
        without = counted(pair.without for pair in within)
        through = counted(pair.through for pair in within)
        same = "the same" if all(pair.change == 0 for pair in within) else through
        yield f"{scenario:{width}}  {without:40}  {same}"


def round_of(gateway: Gateway, revision: str) -> list[Pair]:
    """Both ways, one after the other."""
    results = gateway.work / "suite"
    results.mkdir(exist_ok=True)
    decided = len(gateway.stack.decisions())
    without = suite.run(gateway.direct("fixture"), revision, results / f"{revision}-without")
    assert len(gateway.stack.decisions()) == decided, "nothing of this goes through Toolgate"
    # The fixture passes everything: what it fails could not show what Toolgate does to it.
    failed = [check.shown for check, one in without.items() if one.status in ("FAILURE", "WARNING")]
    assert not failed, f"the fixture itself fails: {failed}"
    through = suite.run(gateway.through("fixture"), revision, results / f"{revision}-through")
    allowed = [one for one in gateway.stack.decisions()[decided:] if one["verdict"] == "allow"]
    found = pairs(without, through)
    print(f"\n=== {revision}: {len(found)} checks, {len(allowed)} requests allowed by Toolgate\n")
    # Each scenario needs an answer from behind Toolgate; refusals alone could look like success.
    assert len(allowed) >= len({check.scenario for check in without}), "Toolgate let too little pass"
    return found


def main() -> int:
    worse, better = [], []
    with gateway() as running:
        for revision in suite.REVISIONS:
            for _ in range(ROUNDS):
                found = round_of(running, revision)
                changed = [pair for pair in found if pair.change]
                print("\n".join([*table(found), "", *(pair.shown for pair in changed)]))
                worse += [pair for pair in changed if pair.change < 0]
                better += [pair for pair in changed if pair.change > 0]
    verdict = "WORSE" if worse else "equal or better"
    print(f"\nwith Toolgate {verdict}: {len(worse)} checks worse, {len(better)} better")
    return 1 if worse else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ProcessError as error:
        sys.exit(f"error: {error}")
