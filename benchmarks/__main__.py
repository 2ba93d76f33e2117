"""Run the benchmarks: ``python -m benchmarks [steps variants memory growth populations gpu]``.

Every part runs in a process of its own, on one core unless ``--all-cores`` is given, without the
environment variables that limit threads or pin an old BLAS kernel.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

PARTS = ("steps", "variants", "memory", "growth", "populations", "gpu")
UNSET = (
    "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all")
    parser.add_argument("--rounds", type=int, default=30, help="rounds of measurement (30)")
    parser.add_argument("--all-cores", action="store_true", help="do not pin to one core")
    parser.add_argument("--backend", choices=("cupy", "torch", "numpy"), default="cupy",
                        help="array library of the part gpu (cupy)")  # fmt: skip
    args = parser.parse_args()
    parts = args.parts or PARTS
    if wrong := set(parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(wrong)}")
    env = {k: v for k, v in os.environ.items() if k not in UNSET}
    env["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # no idle compile workers beside the measurement
    if not args.all_cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # the parts inherit it
    codes = []
    for part in parts:
        option = args.backend if part == "gpu" else str(args.rounds)
        command = [sys.executable, "-m", f"benchmarks.{part}", option]
        codes.append(subprocess.run(command, env=env).returncode)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
