"""What stands before each peer: it measures calls and answers questions, each of them a line of JSON."""

import asyncio
import itertools
import json
import resource
import sys
import time


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def drive(op, callers, seconds):
    """Has tasks call op for a time, each once at least. Returns how long each call took, all of them together, and their CPU time, in seconds."""
    numbers = itertools.count(1)
    calls = []

    async def caller():
        begun, first = time.perf_counter(), True
        while first or begun - start < seconds:
            first = False
            await op(next(numbers))
            now = time.perf_counter()
            calls.append(now - begun)
            begun = now

    used, start = cpu(), time.perf_counter()
    await asyncio.gather(*[caller() for _ in range(callers)])
    return calls, time.perf_counter() - start, cpu() - used


def figures(calls, took, used):
    calls.sort()
    n = len(calls)
    return {
        "rate": n / took,
        "mean_us": sum(calls) / n * 1e6,
        "p50_us": calls[n // 2] * 1e6,
        "p99_us": calls[n * 99 // 100] * 1e6,
        "cpu_us": used / n * 1e6,
    }


def serve(answer):
    """Answers questions until there are no more."""
    for line in sys.stdin:
        try:
            reply = answer(json.loads(line))
        except Exception as e:
            reply = {"error": repr(e)}
        print(json.dumps(reply), flush=True)
