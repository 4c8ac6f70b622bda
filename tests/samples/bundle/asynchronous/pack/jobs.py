import asyncio


async def job(i):
    await asyncio.sleep(0)
    return i * i
