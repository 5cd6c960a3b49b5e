"""asyncpg, and SQLAlchemy's async Core on it, as tasks of one asyncio loop. Each line of the input is a question, as is each of the output an answer, in JSON.

A question has driver, url, workload, callers, pool and seconds. All use prepared statements, and each statement is its own transaction. asyncpg's pool resets
a connection when it is given back, which is a round trip more; so there is a variant that doesn't."""

import asyncpg


class Asyncpg:
    async def open(self, url, size):
        self.pool = await asyncpg.create_pool(url, min_size=size, max_size=size)

    async def point(self, i):
        id = 1 + i % 10000
        row = await self.pool.fetchrow("select id, number from world where id = $1", id)
        assert row["id"] == id

    async def insert(self, i):
        async with self.pool.acquire() as conn:
            id = await conn.fetchval("insert into written (number) values ($1) returning id", i)
            assert await conn.fetchval("select number from written where id = $1", id) == i

    async def close(self):
        await self.pool.close()


class Unreset(asyncpg.Connection):
    def get_reset_query(self):
        return ""


class AsyncpgWithoutReset(Asyncpg):
    async def open(self, url, size):
        self.pool = await asyncpg.create_pool(url, min_size=size, max_size=size, connection_class=Unreset)


class SQLAlchemy:
    async def open(self, url, size):
        from sqlalchemy import text
        from sqlalchemy.ext.asyncio import create_async_engine

        self.point_text = text("select id, number from world where id = :id")
        self.insert_text = text("insert into written (number) values (:number) returning id")
        self.select_text = text("select number from written where id = :id")
        url = url.replace("postgres://", "postgresql+asyncpg://", 1).replace("sslmode=", "ssl=")
        self.engine = create_async_engine(url, pool_size=size, max_overflow=0, isolation_level="AUTOCOMMIT")

    async def point(self, i):
        id = 1 + i % 10000
        async with self.engine.connect() as conn:
            row = (await conn.execute(self.point_text, {"id": id})).one()
        assert row.id == id

    async def insert(self, i):
        async with self.engine.connect() as conn:
            id = (await conn.execute(self.insert_text, {"number": i})).scalar_one()
            assert (await conn.execute(self.select_text, {"id": id})).scalar_one() == i

    async def close(self):
        await self.engine.dispose()


async def answer(q):
    driver = {"asyncpg": Asyncpg, "asyncpg-unreset": AsyncpgWithoutReset, "sqlalchemy": SQLAlchemy}[q["driver"]]()
    await driver.open(q["url"], q["pool"])
    try:
        op = getattr(driver, q["workload"])
        await drive(op, q["callers"], q["seconds"] / 5)
        calls, took, used = await drive(op, q["callers"], q["seconds"])
    finally:
        await driver.close()
    return figures(calls, took, used) | {"connections": q["pool"]}


serve(lambda q: asyncio.run(answer(q)))
