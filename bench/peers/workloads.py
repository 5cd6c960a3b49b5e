"""What the peers have in common: how long a workload runs, and how it is reported.

A workload is a function of n that does n operations. It may return the seconds that they took, if it has done more than that.
Each line of output is "workload nanoseconds".
"""

import os
import sys
import time

BATCH = 100


def seconds():
    """How long each workload is to run, from the first argument."""
    return float(sys.argv[1]) if len(sys.argv) > 1 else 0.2


def version(*parts):
    print("# python %s, %s" % (sys.version.split()[0], ", ".join(parts)), flush=True)


def report(name, ns):
    print("%s %.1f" % (name, ns), flush=True)


def next_n(n, took, wanted):
    """How many operations to try after n of them took so long; 0 if that was long enough."""
    if took >= wanted:
        return 0
    return int(n * min(max(1.2 * wanted / max(took, 1e-9), 1.5), 100)) + BATCH


def measure(name, fn):
    """Runs fn with larger and larger n until it takes long enough."""
    n, wanted = BATCH, seconds()
    while n:
        begun = time.perf_counter()
        took = fn(n) or time.perf_counter() - begun
        done, n = n, next_n(n, took, wanted)
    report(name, took / done * 1e9)


async def ameasure(name, fn):
    """measure for workloads that are coroutines."""
    n, wanted = BATCH, seconds()
    while n:
        begun = time.perf_counter()
        took = await fn(n) or time.perf_counter() - begun
        done, n = n, next_n(n, took, wanted)
    report(name, took / done * 1e9)


def turns_of(n, tasks):
    """How many turns each of so many tasks takes for n of them in all. At least some, so that starting doesn't count."""
    return max(n // tasks, 10)


def scaled(begun, n, tasks):
    """The seconds since begun, had there been n turns."""
    return (time.perf_counter() - begun) * n / (turns_of(n, tasks) * tasks)


if __name__ == "__main__":
    sys.exit("run one of the scripts beside " + os.path.basename(__file__))
