"""The workloads of bench/loop in gevent."""

import threading
import time

import gevent
from gevent.event import AsyncResult, Event
from gevent.queue import Queue

from workloads import BATCH, measure, scaled, turns_of, version


def spawn_await_finish(n):
    while n > 0:
        now = min(n, BATCH)
        results = [AsyncResult() for _ in range(now)]
        greenlets = [gevent.spawn(r.get) for r in results]
        gevent.sleep(0)  # up to their first wait
        for i, r in enumerate(results):
            r.set(i)
        for i, g in enumerate(greenlets):
            assert g.get() == i
        n -= now


def in_greenlet(fn):
    return lambda n: gevent.spawn(fn, n).get()


@in_greenlet
def further_await(n):
    loop = gevent.get_hub().loop
    for _ in range(n):
        result = AsyncResult()
        loop.run_callback(result.set, 1)
        assert result.get() == 1


@in_greenlet
def await_finished(n):
    result = AsyncResult()
    result.set(1)
    for _ in range(n):
        result.get()


def spawn_join(n):
    for i in range(n):
        assert gevent.spawn(int, i).get() == i


def sleep_zero(tasks):
    def workload(n):
        gate = Event()

        def turns():
            gate.wait()
            for _ in range(turns_of(n, tasks)):
                gevent.sleep(0)

        sleepers = [gevent.spawn(turns) for _ in range(tasks)]
        gevent.sleep(0)
        begun = time.perf_counter()
        gate.set()
        gevent.joinall(sleepers, raise_error=True)
        return scaled(begun, n, tasks)

    return workload


@in_greenlet
def queue_alone(n):
    q = Queue(BATCH)
    for i in range(n):
        q.put(i)
        assert q.get() == i


def queue_between(n):
    q = Queue(BATCH)

    def put():
        for i in range(n):
            q.put(i)

    def get():
        for i in range(n):
            assert q.get() == i

    gevent.joinall([gevent.spawn(put), gevent.spawn(get)], raise_error=True)


def post(n):
    hub = gevent.get_hub()
    ended = hub.loop.async_()
    called = 0

    def fn():
        nonlocal called
        called += 1

    def other():
        left = n
        while left > 0:
            now = min(left, BATCH)
            came = threading.Event()
            for _ in range(now):
                hub.loop.run_callback_threadsafe(fn)
            hub.loop.run_callback_threadsafe(came.set)
            came.wait()
            left -= now
        ended.send()

    thread = threading.Thread(target=other)
    thread.start()
    hub.wait(ended)
    thread.join()
    ended.close()
    assert called == n


version("gevent " + gevent.__version__)
measure("SpawnAwaitFinish", spawn_await_finish)
measure("FurtherAwait", further_await)
measure("AwaitFinished", await_finished)
measure("SpawnJoin", spawn_join)
for tasks in 1, 100, 10000:
    measure("SleepZero%d" % tasks, sleep_zero(tasks))
measure("QueueAlone", queue_alone)
measure("QueueBetween", queue_between)
measure("Post", post)
