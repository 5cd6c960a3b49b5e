"""SQLAlchemy's Core: sync, in threads, and async, as tasks of one asyncio loop. Each line of the input is a question, as is each of the output an answer, in JSON.

A question has url, workload, callers, pool and seconds. Each statement is its own transaction."""

import threading

from sqlalchemy import create_engine, event, text
from sqlalchemy.pool import AsyncAdaptedQueuePool, QueuePool

INSERT = text("insert into written (number) values (:number) returning id")
SELECT = text("select number from written where id = :id")


def settings(engine):
    """The same for SQLite as those of its peers; the others need none."""
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def connect(conn, record):
        for pragma in "busy_timeout = 60000", "foreign_keys = 1", "journal_mode = wal", "synchronous = off":
            cursor = conn.cursor()
            cursor.execute("pragma " + pragma)
            cursor.close()


class Sync:
    def __init__(self, url, size):
        connect = {"check_same_thread": False} if url.startswith("sqlite") else {}
        self.engine = create_engine(
            url, poolclass=QueuePool, pool_size=size, max_overflow=0, pool_timeout=60, isolation_level="AUTOCOMMIT", connect_args=connect
        )
        settings(self.engine)

    def insert(self, i):
        with self.engine.connect() as conn:
            id = conn.execute(INSERT, {"number": i}).scalar_one()
            assert conn.execute(SELECT, {"id": id}).scalar_one() == i

    def drive(self, op, callers, seconds):
        numbers = itertools.count(1)
        calls, errors = [], []

        def caller():
            begun, first = time.perf_counter(), True
            try:
                while first or begun - start < seconds:
                    first = False
                    op(next(numbers))
                    now = time.perf_counter()
                    calls.append(now - begun)
                    begun = now
            except Exception as e:
                errors.append(e)

        used, start = cpu(), time.perf_counter()
        threads = [threading.Thread(target=caller) for _ in range(callers)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        if errors:
            raise errors[0]
        return calls, time.perf_counter() - start, cpu() - used

    def answer(self, workload, callers, seconds):
        try:
            op = getattr(self, workload)
            self.drive(op, callers, seconds / 5)
            return self.drive(op, callers, seconds)
        finally:
            self.engine.dispose()


class Async:
    def __init__(self, url, size):
        from sqlalchemy.ext.asyncio import create_async_engine

        self.engine = create_async_engine(
            url, poolclass=AsyncAdaptedQueuePool, pool_size=size, max_overflow=0, pool_timeout=60, isolation_level="AUTOCOMMIT"
        )
        settings(self.engine.sync_engine)

    async def insert(self, i):
        async with self.engine.connect() as conn:
            id = (await conn.execute(INSERT, {"number": i})).scalar_one()
            assert (await conn.execute(SELECT, {"id": id})).scalar_one() == i

    def answer(self, workload, callers, seconds):
        async def run():
            try:
                op = getattr(self, workload)
                await drive(op, callers, seconds / 5)
                return await drive(op, callers, seconds)
            finally:
                await self.engine.dispose()

        return asyncio.run(run())


def answer(q):
    kind = Async if "+aio" in q["url"] or "+async" in q["url"] else Sync
    return figures(*kind(q["url"], q["pool"]).answer(q["workload"], q["callers"], q["seconds"]))


serve(answer)
