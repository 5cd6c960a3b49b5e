"""The workloads of bench/loop with SQLAlchemy's greenlet_spawn and await_only, where they have a meaning."""

import asyncio
import time

import greenlet
import sqlalchemy
from sqlalchemy.util.concurrency import await_only, greenlet_spawn

from workloads import BATCH, ameasure, scaled, turns_of, version


async def spawn_await_finish(n):
    loop = asyncio.get_running_loop()
    while n > 0:
        now = min(n, BATCH)
        futures = [loop.create_future() for _ in range(now)]
        tasks = [asyncio.create_task(greenlet_spawn(await_only, f)) for f in futures]
        await asyncio.sleep(0)  # up to their first wait
        for i, f in enumerate(futures):
            f.set_result(i)
        for i, t in enumerate(tasks):
            assert await t == i
        n -= now


async def further_await(n):
    loop = asyncio.get_running_loop()

    def blue():
        for _ in range(n):
            future = loop.create_future()
            loop.call_soon(future.set_result, 1)
            assert await_only(future) == 1

    await greenlet_spawn(blue)


async def await_finished(n):
    future = asyncio.get_running_loop().create_future()
    future.set_result(1)

    def blue():
        for _ in range(n):
            await_only(future)

    await greenlet_spawn(blue)


async def spawn_join(n):
    for i in range(n):
        assert await greenlet_spawn(int, i) == i


def sleep_zero(tasks):
    async def workload(n):
        gate = asyncio.Event()

        def turns():
            await_only(gate.wait())
            for _ in range(turns_of(n, tasks)):
                await_only(asyncio.sleep(0))

        sleepers = [asyncio.create_task(greenlet_spawn(turns)) for _ in range(tasks)]
        await asyncio.sleep(0)
        begun = time.perf_counter()
        gate.set()
        await asyncio.gather(*sleepers)
        return scaled(begun, n, tasks)

    return workload


async def queue_alone(n):
    q = asyncio.Queue(BATCH)

    def blue():
        for i in range(n):
            await_only(q.put(i))
            assert await_only(q.get()) == i

    await greenlet_spawn(blue)


async def queue_between(n):
    q = asyncio.Queue(BATCH)

    def put():
        for i in range(n):
            await_only(q.put(i))

    def get():
        for i in range(n):
            assert await_only(q.get()) == i

    await asyncio.gather(greenlet_spawn(put), greenlet_spawn(get))


async def main():
    await ameasure("SpawnAwaitFinish", spawn_await_finish)
    await ameasure("FurtherAwait", further_await)
    await ameasure("AwaitFinished", await_finished)
    await ameasure("SpawnJoin", spawn_join)
    for tasks in 1, 100, 10000:
        await ameasure("SleepZero%d" % tasks, sleep_zero(tasks))
    await ameasure("QueueAlone", queue_alone)
    await ameasure("QueueBetween", queue_between)


version("sqlalchemy " + sqlalchemy.__version__, "greenlet " + greenlet.__version__)
asyncio.run(main())
