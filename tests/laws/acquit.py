"""Seeded runs of the whole kit over correct rows: ``python -m tests.laws.acquit RUNS [MINUTES]``.

Run k judges one row, the catalogue's or minisam's own on one of its backends, by all laws with few
examples, in double and single precision. A single false alarm is printed and makes the exit code 1.
"""

import sys
import time
from importlib.util import find_spec

from minisam.laws import judge
from minisam.laws.bugs import CLAIM
from tests.backends import NUMPY, Backend
from tests.laws.house import RULES, stepping

LIBRARIES = [NUMPY, Backend("strict", "array_api_strict", "device1")]
if find_spec("torch"):
    LIBRARIES.append(Backend("torch", "torch"))

# name, claim, factory
SUSPECTS = [(f"{row.__name__} of the catalogue", claim, row) for row, claim in CLAIM.items()] + [
    (f"{claim} of minisam, {backend}", claim, stepping(rule, backend))
    for backend in LIBRARIES
    for claim, rule in RULES.items()
]


def acquit(runs: int, examples: int = 3, first: int = 0):
    """Yield ``(name, report)`` of ``runs`` runs; run k uses seed k."""
    for k in range(first, first + runs):
        name, claim, factory = SUSPECTS[k % len(SUSPECTS)]
        yield name, judge(factory, claim, examples=examples, seed=k)


def main() -> int:
    runs, start = int(sys.argv[1]), time.perf_counter()
    minutes = float(sys.argv[2]) if len(sys.argv) > 2 else float("inf")
    done = laws = examples = alarms = 0
    for name, report in acquit(runs):
        done += 1
        laws += sum(v.kind != "inapplicable" for v in report.verdicts)
        examples += sum(v.examples for v in report.verdicts)
        alarms += not report.ok or bool(report.conventions)
        for verdict in report.verdicts:
            if not verdict.ok or verdict.kind == "convention":
                print(name, verdict, flush=True)
        if time.perf_counter() - start > 60 * minutes:
            break
    print(
        f"{done} runs over {len(SUSPECTS)} correct implementations, {laws} verdicts, {examples} "
        f"examples: {alarms} false alarms, {time.perf_counter() - start:.0f} s"
    )
    return 1 if alarms else 0


if __name__ == "__main__":
    sys.exit(main())
