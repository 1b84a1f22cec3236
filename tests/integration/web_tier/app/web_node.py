"""What a machine of a web tier runs: a small HTTP server, which tells the queue of each request that it answers.

    web_node.py ADDRESS PORT NAME

`GET /healthz` is answered once it has warmed up, `GET /` after a moment by its name, `GET /slow` after some seconds.
"""

import os
import queue
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from celery import Celery

TOLD: "queue.SimpleQueue[int]" = queue.SimpleQueue()
READY_AT = time.monotonic() + float(os.environ.get("WEB_WARM_UP_S", "2"))


def tell() -> None:
    """Send one message for each request, beside the answers."""
    number = 0
    with Celery(broker=os.environ["CELERY_BROKER_URL"]) as app:
        while True:
            TOLD.get()
            number += 1
            app.send_task("flood.work", args=(number, 0.0), queue=os.environ["WEB_QUEUE"], ignore_result=True)


class Node(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer by our name."""
        if self.path == "/healthz":
            self.answer(200 if time.monotonic() >= READY_AT else 503, "warm")
            return
        TOLD.put(1)
        time.sleep(10.0 if self.path == "/slow" else 0.1)
        self.answer(200, sys.argv[3])

    def answer(self, status: int, text: str) -> None:
        """Whole, with its length, so that the connection can be kept."""
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: nginx writes it down."""


class Server(ThreadingHTTPServer):
    """With room for those that come at once."""

    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    threading.Thread(target=tell, daemon=True).start()
    Server((sys.argv[1], int(sys.argv[2])), Node).serve_forever()
