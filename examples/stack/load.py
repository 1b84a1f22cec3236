"""The load: uploads at a fixed rate, whatever the answers, as many strangers would send them.

It runs on the interpreter of the application (`aiohttp`). In go a URL and a rate, out comes a line of JSON for each
upload: when it was due, how long after that its answer was there, and what it was. What never happens here: a second
try, or an upload that waits for another one's answer.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import ssl
import time
from pathlib import Path
from typing import TextIO

import aiohttp
import uvloop

_PATIENCE_S = 20.0
_SIZES_BYTES = (2_000, 32_000)
_BLOBS = 64


async def _send(
    session: aiohttp.ClientSession, url: str, body: bytes, due_s: float, number: int
) -> dict[str, object]:
    """One upload and what came back. The clock starts when it was due: a client that is late is counted, too."""
    answer: dict[str, object] = {"due_s": due_s, "sha256": hashlib.sha256(body).hexdigest()}
    try:
        async with session.post(
            f"{url}/uploads", params={"name": f"upload-{number}.bin"}, data=body
        ) as response:
            await response.read()
            answer["status"] = response.status
            answer["upload"] = response.headers.get("Location", "").rpartition("/")[2]
    except (aiohttp.ClientError, TimeoutError) as error:
        answer["error"] = f"{type(error).__name__}: {error}"
    return answer


async def _run(given: argparse.Namespace, out: TextIO) -> None:
    dice = random.Random(7)
    blobs = [dice.randbytes(dice.randint(*_SIZES_BYTES)) for _ in range(_BLOBS)]
    trusted = ssl.create_default_context(cafile=given.ca)
    connector = aiohttp.TCPConnector(ssl=trusted, limit=given.connections)
    timeout = aiohttp.ClientTimeout(total=_PATIENCE_S)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        began_s = time.monotonic()

        async def one(number: int) -> None:
            due_s = number / given.rate
            body = number.to_bytes(16, "big") + blobs[number % _BLOBS]  # no two are the same
            late_s = time.monotonic() - began_s - due_s
            answer = await _send(session, given.url, body, due_s, number)
            answer |= {"seconds": time.monotonic() - began_s - due_s, "late_s": late_s}
            out.write(json.dumps(answer) + "\n")

        async with asyncio.TaskGroup() as under_way:
            for number in range(round(given.rate * given.seconds)):
                pause_s = began_s + number / given.rate - time.monotonic()
                if pause_s > 0:
                    await asyncio.sleep(pause_s)
                under_way.create_task(one(number))


def main() -> None:
    """Send all of it, and end when the last answer is there or given up."""
    parser = argparse.ArgumentParser(description="Uploads at a fixed rate.")
    parser.add_argument("--url", required=True, help="https://HOST:PORT")
    parser.add_argument(
        "--ca", type=Path, required=True, help="the authority that signed the server's certificate"
    )
    parser.add_argument("--rate", type=float, default=200.0, help="uploads a second (200)")
    parser.add_argument("--seconds", type=float, default=120.0, help="for so long (120)")
    parser.add_argument("--connections", type=int, default=256, help="open at once, at most (256)")
    parser.add_argument("--answers", type=Path, required=True, help="the file that is written")
    given = parser.parse_args()
    with given.answers.open("w", encoding="utf-8") as out:
        uvloop.run(_run(given, out))


if __name__ == "__main__":
    main()
