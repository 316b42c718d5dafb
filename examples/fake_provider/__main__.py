"""`python -m fake_provider --port 0` prints the URL it listens on and serves until it is stopped."""

import argparse

from fake_provider.book import Book
from fake_provider.server import PAUSE_S, create_app, create_server, listen


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="fake_provider", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8900, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--pause", type=float, default=PAUSE_S, help="seconds between chunks of the model 'slow'")
    options = parser.parse_args()
    with listen(options.host, options.port) as sock:
        print(f"http://{options.host}:{sock.getsockname()[1]}", flush=True)
        create_server(create_app(Book(), options.pause)).run(sockets=[sock])


if __name__ == "__main__":
    main()
