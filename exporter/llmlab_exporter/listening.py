"""The ports of an exporter, and the web servers on them."""

import asyncio
import contextlib
import socket
from collections.abc import Generator

import uvicorn
from starlette.applications import Starlette

from llmlab_exporter.config import StartupError

SQL_PORT = 8123
"""ClickHouse's own port for HTTP."""


class WebServer(uvicorn.Server):
    """Uvicorn without signal handlers of its own: the exporter drains in its own order."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Do as Uvicorn does, and say so."""
        await super().startup(sockets)
        self.listening.set()

    async def start_on(self, bound: socket.socket) -> asyncio.Task[None]:
        """Serve in a task, and return it once connections are accepted."""
        serving = asyncio.create_task(self.serve(sockets=[bound]))
        await self.listening.wait()
        return serving

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave the signals alone."""
        yield


def web_server(app: Starlette) -> WebServer:
    """Return a server of an application that is not started yet."""
    return WebServer(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))


def bind_sql(host: str, port: int | None) -> socket.socket:
    """Bind the port that was asked for, or ClickHouse's own, or any: another ClickHouse may be here."""
    if port is not None:
        return bind(host, port, "--sql-port")
    try:
        return bind(host, SQL_PORT, "--sql-port")
    except StartupError:
        return bind(host, 0, "--sql-port")


def port_of(bound: socket.socket) -> int:
    """Return the port that a socket is bound to."""
    return bound.getsockname()[1]


def bind(host: str, port: int, option: str = "--http-port") -> socket.socket:
    """Bind a port, any for 0. `option` is the one that chooses it. Raises `StartupError`."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise port_taken(host, port, option) from error
    return bound


def port_taken(host: str, port: int, option: str) -> StartupError:
    """Return what to say when a port cannot be used."""
    return StartupError(
        f"port {port} on {host} cannot be used: something else listens there",
        f"stop it, or choose another port with {option} ({option} 0 picks a free one)",
    )
