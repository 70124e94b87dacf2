"""Draw, report and print: `python -m episode_assets_tests.qc.fault_suite [--draws 3] [--seed N] [--clean 90]`."""

from __future__ import annotations

import argparse
import secrets
import sys
import time

from episode_assets_tests.qc.fault_suite.draw import draw_cases
from episode_assets_tests.qc.fault_suite.suite import PROCESSES, run_draw, table


def main() -> int:
    """Run the draws one after the other and return how many were not as they should be."""
    parser = argparse.ArgumentParser(prog="fault_suite")
    parser.add_argument("--draws", type=int, default=1, help="draws in a row")
    parser.add_argument(
        "--seed", type=int, help="seed of the first draw; drawn if not given, the next is one more"
    )
    parser.add_argument("--clean", type=int, default=90, help="recordings without a fault in each draw")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each recording")
    parser.add_argument("--processes", type=int, default=PROCESSES, help="processes that work on recordings")
    options = parser.parse_args()
    first = secrets.randbelow(2**31) if options.seed is None else options.seed
    wrong = 0
    for seed in range(first, first + options.draws):
        began = time.monotonic()
        draw = draw_cases(seed, clean=options.clean, seconds=options.seconds)
        result = run_draw(draw, processes=options.processes)
        wrong += bool(result.complaints)
        sys.stdout.write("\n".join([*table(result), f"  {time.monotonic() - began:.0f} s", ""]))
        sys.stdout.flush()
    return wrong


if __name__ == "__main__":
    sys.exit(main())
