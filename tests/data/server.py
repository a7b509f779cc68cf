"""A real HTTP server in the OpenAI chat form, which may also fail in every way that servers do."""

import json
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

from PIL import Image


@dataclass(frozen=True)
class Reply:
    """What is sent back: a text becomes a whole answer, bytes are sent as they are; a status 0 cuts the connection."""

    body: str | bytes | None = "a fox"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    seconds: float = 0
    finish: str = "stop"

    @property
    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        message = {"role": "assistant", "content": self.body}
        return json.dumps({"choices": [{"message": message, "finish_reason": self.finish}]}).encode()


@dataclass
class Chat:
    """The running server: its address, what it was asked, and the most that it was asked at once."""

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    open_now: int = 0
    most_open: int = 0

    def texts(self) -> list[str]:
        return [request["messages"][0]["content"][1]["text"] for request in self.asked]


def picture_of(request: dict[str, Any]) -> Image.Image:
    """The picture in a request."""
    head, _, data = request["messages"][0]["content"][0]["image_url"]["url"].partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(BytesIO(b64decode(data)))


@contextmanager
def serve(reply: Callable[[dict[str, Any], int], Reply], models: Sequence[str] = ("tiny",)) -> Iterator[Chat]:
    """The server is there; `reply` gets a request, and how often one with the same text was made before."""
    chat, lock = Chat(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send(Reply(json.dumps({"data": [{"id": name} for name in models]}).encode()))

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            text = request["messages"][0]["content"][1]["text"]
            with lock:
                before = chat.texts().count(text)
                chat.asked.append(request)
                chat.keys.append(self.headers["Authorization"])
                chat.open_now += 1
                chat.most_open = max(chat.most_open, chat.open_now)
            answer = reply(request, before)
            time.sleep(answer.seconds)
            with lock:
                chat.open_now -= 1
            self.send(answer)

        def send(self, answer: Reply) -> None:
            if not answer.status:
                self.close_connection = True
                self.connection.close()
                return
            try:
                self.send_response(answer.status)
                for name, value in (*answer.headers, ("Content-Length", str(len(answer.content)))):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.content)
            except OSError:
                self.close_connection = True  # whoever asked has gone

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass  # a connection that was cut on purpose

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        chat.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        try:
            yield chat
        finally:
            server.shutdown()
            thread.join()
