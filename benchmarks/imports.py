"""What importing Lamina costs over importing torch; each import in a process of its own.

Byte code is cached, as it is for an installed package, whatever PYTHONDONTWRITEBYTECODE says.
"""

import os
import statistics
import subprocess
import sys
import time

ROUNDS = 7
GOAL_S = 0.3
CACHED = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def import_s(module: str) -> float:
    """Seconds that a new process takes to start and import `module`."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True, env=CACHED)
    return time.perf_counter() - started


def main() -> None:
    modules = (
        "torch",
        "lamina.foundation.collections",
        "lamina.train.learner",
        "lamina.vision.all",
    )
    times: dict[str, list[float]] = {module: [] for module in modules}
    for round_ in range(ROUNDS + 1):
        for module in modules:
            seconds = import_s(module)
            if round_:  # the first one writes the byte code
                times[module].append(seconds)
    medians = {module: statistics.median(values) for module, values in times.items()}
    for module, seconds in medians.items():
        print(f"{module:32} {seconds:6.2f} s  {seconds - medians['torch']:+6.2f} s over torch")
    over = medians["lamina.vision.all"] - medians["torch"]
    verdict = "ok" if over <= GOAL_S else "MISSED"
    print(f"goal: lamina.vision.all at most {GOAL_S} s over torch: {verdict}")


if __name__ == "__main__":
    main()
