"""A captioner behind HTTP: any server with the OpenAI chat form (vLLM, llama.cpp, `transformers serve`).

Many requests are in flight, never more than stated. What may pass (no connection, no answer in time, 429, 5xx, an
answer without a text) is tried again, later and later, or when the server says (Retry-After); what will not pass is
the picture's failure, and what no picture can pass ends the work.
"""

import asyncio
import json
import os
from base64 import b64encode
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from io import BytesIO
from itertools import islice

import httpx2
from PIL import Image

from pinxit.data.caption import Answer, Question, tidy
from pinxit.data.journal import CaptionerIdentity
from pinxit.errors import DataError
from pinxit.rng import numpy_at, seed_at

KEY = "PINXIT_ENDPOINT_KEY"  # the environment variable that holds the server's key, where it wants one
TRIES = 8  # of one picture: two minutes, in which a server can be started again
FIRST_WAIT, LONGEST_WAIT = 1.0, 600.0  # seconds; each wait is twice the last
HOPELESS = {401: "the key is wrong", 403: "the key is wrong", 404: "nothing is there", 405: "it takes no requests"}
WILL_PASS = {408, 409, 425, 429}
REMEDY = f"mend the address or the model's name; a key goes into the environment variable {KEY}"
SHOWN = 200  # letters of what a server says


class _MayPassError(Exception):
    """What went wrong and may go well another time, and the seconds to wait if the server has said."""

    def __init__(self, problem: str, wait: float | None = None) -> None:
        super().__init__(problem)
        self.wait = wait


class _LastsError(Exception):
    """What is wrong with this one picture."""


@dataclass(frozen=True)
class Server:
    """Where the server is, how many requests it gets at once, and how many seconds it has for each."""

    url: str
    at_once: int = 32
    seconds: float = 300.0

    @property
    def headers(self) -> dict[str, str]:
        """What every request says: the key, where there is one."""
        key = os.environ.get(KEY)
        return {"Authorization": f"Bearer {key}"} if key else {}

    @property
    def base(self) -> str:
        """The address without the name of the form."""
        return self.url.rstrip("/").removesuffix("/chat/completions")

    def client(self) -> httpx2.AsyncClient:
        """A client that keeps its connections; time is watched by whoever asks."""
        limits = httpx2.Limits(max_connections=self.at_once)
        return httpx2.AsyncClient(timeout=None, limits=limits, headers=self.headers)


def find_model(server: Server) -> str:
    """The name of the only model that the server has; DataError where it has several, or does not answer."""
    try:
        response = httpx2.get(f"{server.base}/models", timeout=server.seconds, headers=server.headers)
        names = [str(model["id"]) for model in response.raise_for_status().json()["data"]]
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise DataError(server.url, f"no server answers ({_said(error)})", REMEDY) from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(server.url, "it does not say which models it has", "name one: --model NAME") from error
    if len(names) != 1:
        raise DataError(server.url, f"it has {len(names)} models: {', '.join(names)}", "name one: --model NAME")
    return names[0]


class RemoteCaptioner:
    """Captions pictures by a model of a server."""

    def __init__(self, server: Server, identity: CaptionerIdentity) -> None:
        self.server, self.identity = server, identity

    def answer(self, questions: Iterable[Question]) -> Generator[Answer, None, None]:
        """An answer to every question, as they come; as many questions are open as the server gets requests."""
        rest, client = iter(questions), self.server.client()
        with asyncio.Runner() as runner:  # which cancels what is still open, whatever ends this
            open_ones: set[asyncio.Task[Answer]] = set()
            try:
                while True:
                    for question in islice(rest, self.server.at_once - len(open_ones)):
                        open_ones.add(runner.get_loop().create_task(self._ask(client, question)))
                    if not open_ones:
                        return
                    done, open_ones = runner.run(_first_of(open_ones))
                    for task in done:
                        yield task.result()
            finally:
                runner.run(client.aclose())

    async def _ask(self, client: httpx2.AsyncClient, question: Question) -> Answer:
        """The answer to one question, after as many tries as it takes; DataError where no picture would pass."""
        problem = ""
        for number in range(TRIES):
            try:
                body = await asyncio.to_thread(self._body, question, number)
                text, is_cut = _read(await self._post(client, body))
                return Answer(question, text, is_cut=is_cut)
            except _MayPassError as error:
                problem = str(error)
                if number < TRIES - 1:
                    await asyncio.sleep(_wait(question, number) if error.wait is None else error.wait)
            except _LastsError as error:
                return Answer(question, problem=str(error))
        return Answer(question, problem=f"{problem}; tried {TRIES} times")

    async def _post(self, client: httpx2.AsyncClient, body: bytes) -> httpx2.Response:
        """What the server answers, in time; DataError where it will answer nobody."""
        try:
            async with asyncio.timeout(self.server.seconds):
                response = await client.post(
                    f"{self.server.base}/chat/completions", content=body, headers={"Content-Type": "application/json"}
                )
        except TimeoutError as error:
            raise _MayPassError(f"no answer in {self.server.seconds:g} seconds") from error
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
            raise DataError(self.server.url, f"it is no address ({_said(error)})", REMEDY) from error
        except httpx2.RequestError as error:
            raise _MayPassError(_said(error)) from error
        status = response.status_code
        if status in HOPELESS:
            said = f"{HOPELESS[status]}: status {status}, {tidy(response.text)[:SHOWN]}"
            raise DataError(self.server.url, said, REMEDY)
        if status in WILL_PASS or status >= 500:
            raise _MayPassError(_status(response), _retry_after(response))
        if status != 200:
            raise _LastsError(_status(response))
        return response

    def _body(self, question: Question, number: int) -> bytes:
        """A request in the OpenAI chat form; each try draws anew."""
        try:
            picture = question.read()
        except DataError as error:
            raise _LastsError(str(error)) from error
        jpeg = BytesIO()
        Image.fromarray(picture).save(jpeg, "JPEG", quality=95, subsampling=0)
        url = f"data:image/jpeg;base64,{b64encode(jpeg.getvalue()).decode('ascii')}"
        content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": question.text}]
        return json.dumps({
            "model": self.identity.model,
            "messages": [{"role": "user", "content": content}],
            "temperature": self.identity.temperature,
            "max_tokens": self.identity.tokens,
            "seed": seed_at(0, f"caption/{question.key}/{number}") >> 32,
        }).encode()  # fmt: skip


async def _first_of(tasks: set[asyncio.Task[Answer]]) -> tuple[set[asyncio.Task[Answer]], set[asyncio.Task[Answer]]]:
    """The tasks that are done as soon as one is, and the others."""
    return await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


def _read(response: httpx2.Response) -> tuple[str, bool]:
    """The caption in an answer, and whether the model was stopped."""
    try:
        choice = response.json()["choices"][0]
        content = choice["message"]["content"]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise _MayPassError(f"the answer is not in the chat form: {tidy(response.text)[:SHOWN]}") from error
    text = tidy(content)
    if not text:
        raise _MayPassError(f"the answer holds no text: {content!r}"[:SHOWN])
    return text, choice.get("finish_reason") == "length"


def _wait(question: Question, number: int) -> float:
    """Seconds before the next try: doubled each time, and up to half of it less, so that not all come at once."""
    longest = FIRST_WAIT * 2.0**number
    return min(LONGEST_WAIT, longest * float(numpy_at(0, f"wait/{question.key}/{number}").uniform(0.5, 1)))


def _retry_after(response: httpx2.Response) -> float | None:
    """Seconds that the server wants to be left alone, said as a number or a date; none where it does not say."""
    said = response.headers.get("Retry-After")
    if said is None:
        return None
    try:
        return min(LONGEST_WAIT, max(0.0, float(said)))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return None
    return min(LONGEST_WAIT, max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds()))


def _status(response: httpx2.Response) -> str:
    return f"status {response.status_code}: {tidy(response.text)[:SHOWN]}"


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
