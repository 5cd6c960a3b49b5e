"""The workloads of bench/loop in plain asyncio."""

import asyncio
import threading
import time

from workloads import BATCH, ameasure, measure, scaled, turns_of, version


async def spawn_await_finish(n):
    loop = asyncio.get_running_loop()

    async def life(future):
        return await future

    while n > 0:
        now = min(n, BATCH)
        futures = [loop.create_future() for _ in range(now)]
        tasks = [asyncio.create_task(life(f)) for f in futures]
        await asyncio.sleep(0)  # up to their first wait
        for i, f in enumerate(futures):
            f.set_result(i)
        for i, t in enumerate(tasks):
            assert await t == i
        n -= now


async def further_await(n):
    loop = asyncio.get_running_loop()
    for _ in range(n):
        future = loop.create_future()
        loop.call_soon(future.set_result, 1)
        assert await future == 1


async def await_finished(n):
    future = asyncio.get_running_loop().create_future()
    future.set_result(1)
    for _ in range(n):
        await future


async def spawn_join(n):
    async def nothing(i):
        return i

    for i in range(n):
        assert await asyncio.create_task(nothing(i)) == i


def sleep_zero(tasks):
    async def workload(n):
        gate = asyncio.Event()

        async def turns():
            await gate.wait()
            for _ in range(turns_of(n, tasks)):
                await asyncio.sleep(0)

        sleepers = [asyncio.create_task(turns()) for _ in range(tasks)]
        await asyncio.sleep(0)
        begun = time.perf_counter()
        gate.set()
        await asyncio.gather(*sleepers)
        return scaled(begun, n, tasks)

    return workload


async def queue_alone(n):
    q = asyncio.Queue(BATCH)
    for i in range(n):
        await q.put(i)
        assert await q.get() == i


async def queue_between(n):
    q = asyncio.Queue(BATCH)

    async def put():
        for i in range(n):
            await q.put(i)

    async def get():
        for i in range(n):
            assert await q.get() == i

    await asyncio.gather(put(), get())


async def post(n):
    loop = asyncio.get_running_loop()
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
                loop.call_soon_threadsafe(fn)
            loop.call_soon_threadsafe(came.set)
            came.wait()
            left -= now

    await asyncio.to_thread(other)
    assert called == n


def run_empty(n):
    async def nothing():
        pass

    for _ in range(n):
        asyncio.run(nothing())


async def main():
    await ameasure("SpawnAwaitFinish", spawn_await_finish)
    await ameasure("FurtherAwait", further_await)
    await ameasure("AwaitFinished", await_finished)
    await ameasure("SpawnJoin", spawn_join)
    for tasks in 1, 100, 10000:
        await ameasure("SleepZero%d" % tasks, sleep_zero(tasks))
    await ameasure("QueueAlone", queue_alone)
    await ameasure("QueueBetween", queue_between)
    await ameasure("Post", post)


version("asyncio")
asyncio.run(main())
measure("RunEmpty", run_empty)
