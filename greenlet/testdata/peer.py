# What BenchmarkPython compares with: prints lines of "name nanoseconds".
import time
from greenlet import greenlet, getcurrent

N = 300_000


def report(name, operations, fn):
    best = None
    for _ in range(3):
        start = time.perf_counter_ns()
        fn()
        took = time.perf_counter_ns() - start
        best = took if best is None else min(best, took)
    print(name, round(best / operations, 1))


def switch():
    main = getcurrent()

    def loop():
        while True:
            main.switch()

    g = greenlet(loop)
    for _ in range(N // 2):
        g.switch()


def life():
    def fn():
        return None

    for _ in range(N // 10):
        greenlet(fn).switch()


def throw():
    main = getcurrent()

    def loop():
        while True:
            try:
                main.switch()
            except ValueError:
                pass

    g = greenlet(loop)
    g.switch()
    for _ in range(N // 10):
        g.throw(ValueError)


def current():
    for _ in range(N):
        getcurrent()


report("switch", N, switch)
report("create+run+finish", N // 10, life)
report("throw+catch", N // 10, throw)
report("current", N, current)
