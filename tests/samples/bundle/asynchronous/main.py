import asyncio
import contextvars

from pack.jobs import job


async def main():
    print(await asyncio.gather(*(job(i) for i in range(3))))
    process = await asyncio.create_subprocess_exec('true')
    print(await process.wait(), await asyncio.to_thread(sum, [1, 2]))


asyncio.run(main())
