"""Serves the page and its WebSocket, to this machine and to whoever knows the token."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import WSMsgType, web

from harness.race.contest import MOST, Contest, Message
from harness.race.looks import look
from harness.race.shares import STEPS

HERE = Path(__file__).parent
D3 = Path("/usr/share/nodejs/d3/dist/d3.min.js")
FILES = {
    "": HERE / "page.html",
    "page.css": HERE / "page.css",
    "page.js": HERE / "page.js",
    "chart.js": HERE / "chart.js",
    "d3.js": D3,
}
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src data:; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
ORDER_BYTES = 4096
UNREAD = 1000  # messages: what four servers say in a minute

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Pages:
    """All pages that are open; when the last one closes, the race stops."""

    def __init__(self, contest: Contest, token: str, truth: dict[str, str]) -> None:
        self._contest, self._token, self._truth = contest, token, truth
        self._open: dict[asyncio.Queue[Message], asyncio.Task[None]] = {}
        contest.tell = self.tell

    def application(self) -> web.Application:
        """What is served, and to whom."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            """Another page in the browser can neither know the token nor forge Host and Origin."""
            assert request.transport is not None
            port = request.transport.get_extra_info("sockname")[1]
            hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
            origin = request.headers.get("Origin", f"http://{request.host}")
            token = request.match_info.get("token", "")
            if request.host not in hosts or origin.removeprefix("http://") not in hosts:
                raise web.HTTPForbidden(text="this page is for this machine only\n")
            if not hmac.compare_digest(token.encode(), self._token.encode()):
                raise web.HTTPNotFound(text="the address is the one that `make race` printed\n")
            return await handler(request)

        application = web.Application(middlewares=[guard])
        application.router.add_get("/{token}/live", self._live)
        application.router.add_get("/{token}/{file:[a-z0-9.]*}", _file)
        application.on_shutdown.append(self._close)
        return application

    async def _close(self, _: web.Application) -> None:
        """Bids the open pages farewell; they would be waited for."""
        writers = list(self._open.values())
        for writer in writers:
            writer.cancel()
        await asyncio.gather(*writers, return_exceptions=True)

    def tell(self, message: Message) -> None:
        """To every page; one that has not read for a minute is given up."""
        for queue, page in list(self._open.items()):
            try:
                queue.put_nowait(message)
            except asyncio.QueueFull:
                self._open.pop(queue)
                page.cancel()

    async def _live(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(heartbeat=30, max_msg_size=ORDER_BYTES)
        await socket.prepare(request)
        queue: asyncio.Queue[Message] = asyncio.Queue(UNREAD)
        for message in (self._known(), self._contest.state(), self._contest.words()):
            queue.put_nowait(message)
        writer = asyncio.create_task(_write(socket, queue))
        self._open[queue] = writer
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    self._obey(message.data)
        finally:
            writer.cancel()
            self._open.pop(queue, None)
            if not self._open:
                self._contest.stop()
        return socket

    def _obey(self, text: str) -> None:
        try:
            order = json.loads(text)
            self._contest.obey(order if isinstance(order, dict) else {})
        except ValueError as reason:
            self.tell({"kind": "words", "text": str(reason), "bad": True})
            self.tell(self._contest.state())  # the page shows what really holds

    def _known(self) -> Message:
        """What a page is told once: who can race, what can be chosen, and how it looks."""
        servers = [{"name": name, **look(name)} for name in self._contest.contenders]
        return {
            "kind": "known",
            "servers": servers,
            "steps": STEPS,
            "most": MOST,
            "seconds": self._contest.seconds,
            "truth": self._truth,
            "at": self._contest.now(),
        }


async def _write(socket: web.WebSocketResponse, queue: asyncio.Queue[Message]) -> None:
    """Sends what is queued, until the page has gone or does not take it any more."""
    try:
        while True:
            await socket.send_str(json.dumps(await queue.get()))
    except (asyncio.CancelledError, ConnectionError):
        await socket.close()


async def _file(request: web.Request) -> web.StreamResponse:
    path = FILES.get(request.match_info["file"])
    if path is None:
        raise web.HTTPNotFound(text="no such file\n")
    return web.FileResponse(path, headers=HEADERS)
