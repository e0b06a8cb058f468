"""An S3 server in memory that writes down what it is asked and refuses some of it, for tests.

`python -m backblaze_assets_tests.s3 PORT LOG EVERY` serves the bucket `bucket` on 127.0.0.1. LOG
gets a line for each request; each EVERYth is refused as by a store that is too busy (0: none).
"""

import itertools
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

BUCKET = "bucket"

_BUSY = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Slow down</Message></Error>"


def serve(port: int, log: Path, every: int) -> None:
    """Serve until the process ends."""
    import moto.backends
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, run_simple

    s3 = moto.backends.get_backend("s3")["123456789012"]["aws"]
    s3.create_bucket(BUCKET, "us-east-1")
    served = DomainDispatcherApplication(create_backend_app)
    numbers = itertools.count(1)

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        number = next(numbers)
        busy = every and number % every == 0
        size = environ.get("CONTENT_LENGTH") or "0"
        sent = 0
        with log.open("a") as file:
            if busy:
                start_response("503 Slow Down", [("Content-Type", "application/xml")])
                answer: Iterable[bytes] = [_BUSY]
            else:
                answer = [b"".join(served(environ, start_response))]
                sent = sum(map(len, answer))
            path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
            what = "refused" if busy else "done"
            file.write(f"{environ['REQUEST_METHOD']} {path}?{query} {what} {size} {sent}\n")
        return answer

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"  # so that connections stay open

        def log(self, *_: object) -> None: ...

    run_simple("127.0.0.1", port, application, threaded=True, request_handler=Quiet)


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
