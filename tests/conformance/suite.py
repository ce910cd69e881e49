"""The conformance suite against one server, check by check."""

import json
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from installed import PACKAGES, environment, node
from process import ProcessError

PATIENCE = 300  # seconds, for all of it
SCENARIO_MS = 15_000
REVISIONS = ["2025-11-25", "2026-07-28"]

# From bad to good. What was not tried is better than what failed, and no success.
RANKS = ["FAILURE", "WARNING", "SKIPPED", "INFO", "SUCCESS"]


@dataclass(frozen=True)
class Check:
    """One thing that the suite looked at. One scenario may look at it more than once."""

    scenario: str
    name: str
    turn: int

    @property
    def shown(self) -> str:
        return self.name + (f" #{self.turn + 1}" if self.turn else "")


@dataclass(frozen=True)
class Outcome:
    status: str
    why: str = ""

    @property
    def rank(self) -> int:
        return RANKS.index(self.status)


Outcomes = dict[Check, Outcome]


def run(url: str, revision: str, results: Path) -> Outcomes:
    """Everything that a revision of the protocol requires of a server, and what is optional."""
    shutil.rmtree(results, ignore_errors=True)
    suite = node(PACKAGES / "conformance/dist/index.js", "server", "--url", url)
    command = [*suite, "--requirements", revision, "--output-dir", str(results)]
    command += ["--timeout", str(SCENARIO_MS)]
    home = results.parent
    done = subprocess.run(
        command,
        cwd=home,
        env=environment(home / "home"),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    outcomes = read(results)
    # Its status says whether all is well, and that is for us to compare.
    if "=== SUMMARY ===" not in done.stdout or not outcomes:
        raise ProcessError(f"the conformance suite broke off\n{done.stdout[-2000:]}{done.stderr}")
    return outcomes


def read(results: Path) -> Outcomes:
    outcomes: Outcomes = {}
    for file in sorted(results.glob("server-*/checks.json")):
        # server-tools-list-2026-11-20T12-00-00-000Z
        scenario = file.parent.name.removeprefix("server-")[: -len("-2026-11-20T12-00-00-000Z")]
        turns: Counter[str] = Counter()
        for entry in json.loads(file.read_text()):
            status = entry["status"]
            # What came by, rather than what is required.
            if status == "INFO":
                continue
            name = f"{entry['id']} ({entry['name']})"
            outcomes[Check(scenario, name, turns[name])] = Outcome(
                status, entry.get("errorMessage") or ""
            )
            turns[name] += 1
    return outcomes
