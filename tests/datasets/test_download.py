"""Downloads from a real server on this machine, which gives each request the next scripted answer."""

import hashlib
import io
import os
import random
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import Request

import pytest

from softmaxclf.datasets.cifar.layouts import CITATION, LAYOUTS
from softmaxclf.datasets.download import _FailedError, _WebRedirects, download, download_source
from softmaxclf.datasets.mnist import MNISTS, verify_mnist
from softmaxclf.datasets.published import DIFFERS, Published
from softmaxclf.errors import ConfigError, DataError, InterruptedRunError, OutputError
from softmaxclf.locks import held

fcntl = pytest.importorskip("fcntl")

CONTENT = random.Random(0).randbytes(600_000)
THIRD = CONTENT[: len(CONTENT) * 3 // 10]
ENTRY = Published("data.tar.gz", len(CONTENT), "sha256", hashlib.sha256(CONTENT).hexdigest())

Reply = Callable[[BaseHTTPRequestHandler], None]


def reply(
    status: int = 200, body: bytes = b"", length: int | None = None, headers: dict[str, str] | None = None
) -> Reply:
    """A fixed answer; `length` is announced, or nothing where it is negative."""

    def send(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in (headers or {}).items():
            request.send_header(name, value)
        if length is None or length >= 0:
            request.send_header("Content-Length", str(len(body) if length is None else length))
        request.end_headers()
        request.wfile.write(body)

    return send


def whole(request: BaseHTTPRequestHandler) -> None:
    """What a good server does, with ranges."""
    asked = request.headers.get("Range")
    start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
    if start >= len(CONTENT):
        reply(416)(request)
    elif asked:
        place = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
        reply(206, CONTENT[start:], headers={"Content-Range": place})(request)
    else:
        reply(200, CONTENT)(request)


NO_RANGES = reply(200, CONTENT)
DROPPED = reply(200, THIRD, length=len(CONTENT))


class Server(ThreadingHTTPServer):
    """Gives the answers of `script` in turn, then good ones; `asked` holds the Range of each request."""

    script: list[Reply]
    asked: list[str | None]
    paths: list[str]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/files/"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.headers.get("Range"))
        self.server.paths.append(self.path)
        answer = self.server.script.pop(0) if self.server.script else whole
        with suppress(ConnectionError):  # the client may hang up whenever it likes
            answer(self)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Server]]:
    monkeypatch.setenv("no_proxy", "*")
    servers: list[tuple[Server, threading.Thread]] = []

    def start(*script: Reply) -> Server:
        server = Server(("127.0.0.1", 0), Handler)
        server.script, server.asked, server.paths = list(script), [], []
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        servers.append((server, thread))
        return server

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


class Client:
    """Downloads ENTRY into `folder`; at every step the final name holds all or nothing."""

    def __init__(self, folder: Path) -> None:
        self.final = folder / ENTRY.name
        self.part = folder / f"{ENTRY.name}.part"
        self.lines: list[str] = []
        self.steps: list[int] = []
        self.pauses: list[float] = []
        self.on_step: Callable[[int], None] = lambda done: None

    def progress(self, done: int, total: int) -> None:
        assert total == len(CONTENT)
        assert self.final.exists() == (done == total)
        self.steps.append(done)
        self.on_step(done)

    def __call__(self, *servers: Server, timeout: float = 20.0) -> Path:
        return self.of([server.address for server in servers], timeout)

    def of(self, mirrors: list[str], timeout: float = 20.0, attempts: int = 3) -> Path:
        try:
            return download(
                ENTRY,
                self.final.parent,
                progress=self.progress,
                log=self.lines.append,
                mirrors=mirrors,
                timeout=timeout,
                attempts=attempts,
            )
        finally:
            assert not self.final.exists() or self.final.read_bytes() == CONTENT
            assert not self.final.with_name(f"{ENTRY.name}.lock").exists()

    def check(self) -> None:
        assert self.final.read_bytes() == CONTENT
        assert [path.name for path in self.final.parent.iterdir()] == [ENTRY.name]
        assert self.steps[-1] == len(CONTENT)


@pytest.fixture
def fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    client = Client(tmp_path / "new folder ä")
    monkeypatch.setattr("time.sleep", client.pauses.append)
    return client


def test_a_good_server_gives_the_file_in_one_request(serve: Callable[..., Server], fetch: Client) -> None:
    server = serve()
    assert fetch(server) == fetch.final
    fetch.check()
    assert server.asked == [None]
    assert server.paths == ["/files/data.tar.gz"]
    assert fetch.steps == sorted(fetch.steps) and fetch.steps.count(len(CONTENT)) == 1
    assert fetch.pauses == []


def test_a_body_of_unknown_length_is_taken_to_its_end(serve: Callable[..., Server], fetch: Client) -> None:
    fetch(serve(reply(200, CONTENT, length=-1)))
    fetch.check()


def test_a_short_body_is_resumed_where_it_ended(serve: Callable[..., Server], fetch: Client) -> None:
    server = serve(DROPPED)
    fetch(server)
    fetch.check()
    assert server.asked == [None, f"bytes={len(THIRD)}-"]
    assert fetch.pauses == [1.0]


def test_a_download_that_dropped_at_30_percent_is_resumed_by_the_next_command(
    serve: Callable[..., Server], fetch: Client
) -> None:
    with pytest.raises(
        DataError, match=r"found 180,000: .* answered with status 503; .*status 404; .*same command"
    ):
        fetch(serve(DROPPED, *[reply(503)] * 3), serve(reply(404)))
    assert fetch.part.read_bytes() == THIRD
    server = serve()
    fetch(server)
    fetch.check()
    assert server.asked == [f"bytes={len(THIRD)}-"]
    assert any("resuming at 180,000 bytes" in line for line in fetch.lines)


def test_a_server_without_ranges_sends_everything_again(serve: Callable[..., Server], fetch: Client) -> None:
    server = serve(DROPPED, NO_RANGES)
    fetch(server)
    fetch.check()
    assert server.asked == [None, f"bytes={len(THIRD)}-"]
    assert any("from its start only" in line for line in fetch.lines)


@pytest.mark.parametrize(
    "place",
    [
        f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}",
        f"bytes {len(THIRD) + 1}-{len(CONTENT) - 1}/{len(CONTENT)}",
        f"bytes {len(THIRD)}-{len(CONTENT) - 1}/{len(CONTENT) + 1}",
        "bytes */*",
        "items 1-2/3",
        "",
    ],
)
def test_another_part_than_asked_is_not_appended(
    serve: Callable[..., Server], fetch: Client, place: str
) -> None:
    wrong = reply(206, CONTENT[len(THIRD) :], headers={"Content-Range": place})
    server = serve(DROPPED, wrong)
    fetch(server)
    fetch.check()
    assert server.asked == [None, f"bytes={len(THIRD)}-", None]


def test_a_server_that_does_not_know_the_part_is_asked_for_everything(
    serve: Callable[..., Server], fetch: Client
) -> None:
    server = serve(DROPPED, reply(416))
    fetch(server)
    fetch.check()
    assert server.asked == [None, f"bytes={len(THIRD)}-", None]


def test_a_part_without_a_range_being_asked_is_refused(serve: Callable[..., Server], fetch: Client) -> None:
    place = f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}"
    with pytest.raises(DataError, match="answered with status 206"):
        fetch(serve(reply(206, CONTENT, headers={"Content-Range": place})))


def test_a_part_that_is_too_large_is_discarded(serve: Callable[..., Server], fetch: Client) -> None:
    fetch.part.parent.mkdir()
    fetch.part.write_bytes(CONTENT + b"x")
    server = serve()
    fetch(server)
    fetch.check()
    assert server.asked == [None]


def test_a_whole_part_needs_no_server(fetch: Client) -> None:
    fetch.part.parent.mkdir()
    fetch.part.write_bytes(CONTENT)
    fetch.of([])
    fetch.check()


def test_a_whole_part_with_a_wrong_hash_is_deleted_and_fetched_by_the_next_command(
    serve: Callable[..., Server], fetch: Client
) -> None:
    fetch.part.parent.mkdir()
    fetch.part.write_bytes(bytes(len(CONTENT)))
    server = serve()
    with pytest.raises(DataError, match="which is deleted; give the same command again"):
        fetch(server)
    fetch(server)
    fetch.check()
    assert server.asked == [None]


@pytest.mark.parametrize("kind", ["pipe", "folder", "link"])
def test_a_part_that_is_not_a_file_of_ours_is_refused(fetch: Client, tmp_path: Path, kind: str) -> None:
    fetch.part.parent.mkdir()
    if kind == "pipe":
        os.mkfifo(fetch.part)
    elif kind == "folder":
        fetch.part.mkdir()
    else:
        fetch.part.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match=r"data\.tar\.gz\.part: "):
        fetch.of([])
    assert not (tmp_path / "elsewhere").exists()


def test_a_part_keeps_to_the_permissions_that_the_user_set(
    serve: Callable[..., Server], fetch: Client
) -> None:
    before = os.umask(0o027)
    try:
        fetch(serve())
    finally:
        os.umask(before)
    assert fetch.final.stat().st_mode & 0o777 == 0o640


def test_a_wrong_hash_deletes_what_came_and_names_both(serve: Callable[..., Server], fetch: Client) -> None:
    wrong = bytes([CONTENT[0] ^ 1]) + CONTENT[1:]
    found = hashlib.sha256(wrong).hexdigest()
    with pytest.raises(DataError, match=f"expected sha256 {ENTRY.digest}, found {found}.*deleted"):
        fetch(serve(reply(200, wrong)))
    assert list(fetch.final.parent.iterdir()) == []


def test_a_resumed_file_with_a_damaged_start_has_a_wrong_hash(
    serve: Callable[..., Server], fetch: Client
) -> None:
    fetch.part.parent.mkdir()
    fetch.part.write_bytes(bytes(1000))
    with pytest.raises(DataError, match="which is deleted"):
        fetch(serve())
    fetch(serve())
    fetch.check()


@pytest.mark.parametrize("status", [404, 403, 410, 204, 304])
def test_other_answers_lead_straight_to_the_next_address(
    serve: Callable[..., Server], fetch: Client, status: int
) -> None:
    first, second = serve(*[reply(status)] * 3), serve()
    fetch(first, second)
    fetch.check()
    assert len(first.asked) == 1
    assert fetch.pauses == []


def test_404_everywhere_is_one_line_with_both_addresses(serve: Callable[..., Server], fetch: Client) -> None:
    first, second = serve(reply(404)), serve(reply(404))
    with pytest.raises(DataError, match="status 404") as caught:
        fetch(first, second)
    message = str(caught.value)
    assert first.address in message and second.address in message and "\n" not in message
    assert list(fetch.final.parent.iterdir()) == []


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_busy_server_is_asked_again_after_growing_pauses(
    serve: Callable[..., Server], fetch: Client, status: int
) -> None:
    fetch(serve(reply(status), reply(status)))
    fetch.check()
    assert fetch.pauses == [1.0, 2.0]


def test_a_busy_server_is_not_asked_for_ever(serve: Callable[..., Server], fetch: Client) -> None:
    server = serve(*[reply(500)] * 9)
    with pytest.raises(DataError, match="status 500"):
        fetch(server)
    assert len(server.asked) == 3


def test_resets_with_progress_do_not_end_it(serve: Callable[..., Server], fetch: Client) -> None:
    """However many: each time some bytes come, then the connection is reset."""

    def reset(request: BaseHTTPRequestHandler) -> None:
        start = int((request.headers.get("Range") or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        part = CONTENT[start : start + len(CONTENT) // 13]
        place = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
        headers = {"Content-Range": place} if start else {}
        reply(206 if start else 200, part, length=len(CONTENT) - start, headers=headers)(request)

    server = serve(*[reset] * 12)
    fetch(server)
    fetch.check()
    assert len(server.asked) == 13 and fetch.pauses == [1.0] * 12


def test_resets_in_a_row_without_progress_end_it(serve: Callable[..., Server], fetch: Client) -> None:
    """A server that cannot continue and always breaks off at the same place makes none."""
    server = serve(DROPPED, *[reply(503)] * 2, DROPPED, DROPPED, DROPPED)
    with pytest.raises(DataError, match=r"found 180,000: .* status 503"):
        fetch.of([server.address], attempts=2)
    with pytest.raises(DataError, match=r"found 180,000: .* broke off after 180,000 bytes"):
        fetch.of([server.address], attempts=3)
    assert len(server.asked) == 6


class Clock:
    """A clock that goes on by `step` seconds whenever it is asked."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def trickling_headers(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"HTTP/1.0 200 OK\r\n")
    for number in range(90):
        request.wfile.write(f"X-{number}: y\r\n".encode())
        request.wfile.flush()
    request.connection.shutdown(socket.SHUT_RDWR)


def trickling_body(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(CONTENT)))
    request.end_headers()
    for place in range(0, 9000, 100):
        request.wfile.write(CONTENT[place : place + 100])
        request.wfile.flush()
    request.connection.shutdown(socket.SHUT_RDWR)


def resetting(request: BaseHTTPRequestHandler) -> None:
    """A byte, then a reset: progress, but a trickle."""
    start = int((request.headers.get("Range") or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
    headers = {"Content-Range": f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"} if start else {}
    reply(206 if start else 200, CONTENT[start : start + 1], length=len(CONTENT) - start, headers=headers)(
        request
    )


@pytest.mark.parametrize(
    "server", [trickling_headers, trickling_body, resetting], ids=lambda each: each.__name__
)
def test_a_trickle_is_ended(
    server: Reply, serve: Callable[..., Server], fetch: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a minute passes with every piece that arrives."""
    slow = serve(*[server] * 99)
    monkeypatch.setattr("softmaxclf.datasets.download._clock", Clock(30.0))
    with pytest.raises(DataError, match="sends less than 1,000 bytes a second, over 60 seconds"):
        fetch.of([slow.address], attempts=5)
    assert len(slow.asked) < 9
    monkeypatch.undo()  # by a clock that jumps a server that is quick may seem slow
    fetch(serve())  # the next server is not blamed for it
    fetch.check()


def test_a_slow_server_that_is_fast_enough_is_left_in_peace(
    serve: Callable[..., Server], fetch: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("softmaxclf.datasets.download._clock", Clock(2.0))

    def send(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(CONTENT)))
        request.end_headers()
        for place in range(0, len(CONTENT), 10_000):
            request.wfile.write(CONTENT[place : place + 10_000])

    fetch(serve(send))
    fetch.check()


def test_a_server_that_is_not_there_is_one_line(fetch: Client) -> None:
    with socket.socket() as closed:  # bound, so that nobody else listens there, but not listening
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(DataError, match=r"found 0: .*refused"):
            fetch.of([f"http://127.0.0.1:{closed.getsockname()[1]}/"])
    assert fetch.pauses == [1.0, 2.0]


def garbage(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"\x1b[31m\r\nno HTTP at all\n" * 10)


def test_an_answer_that_is_not_http_is_one_line_without_its_bytes(
    serve: Callable[..., Server], fetch: Client
) -> None:
    with pytest.raises(DataError, match="BadStatusLine") as caught:
        fetch(serve(*[garbage] * 3))
    assert str(caught.value).isprintable()


def chunked(head: bytes, content: bytes = CONTENT) -> Reply:
    def send(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        request.wfile.write(head + b"\r\n" + content)

    return send


@pytest.mark.parametrize("head", [b"", b"zz", b"0", b"f" * 70_000])
def test_broken_chunks_end_in_one_line(serve: Callable[..., Server], fetch: Client, head: bytes) -> None:
    with pytest.raises(DataError, match=r"the connection broke|broke off after 0 bytes"):
        fetch(serve(*[chunked(head)] * 3))


def test_a_negative_chunk_does_not_get_around_the_limit(serve: Callable[..., Server], fetch: Client) -> None:
    with pytest.raises(DataError, match="sends more than"):
        fetch(serve(chunked(b"-5", CONTENT * 2)))


def test_a_redirect_to_another_host_is_followed_with_its_range(
    serve: Callable[..., Server], fetch: Client
) -> None:
    target = serve(DROPPED)
    redirect = reply(302, headers={"Location": f"{target.address}elsewhere/é x.tar.gz"})
    fetch(serve(redirect, redirect))
    fetch.check()
    assert target.asked == [None, f"bytes={len(THIRD)}-"]
    assert target.paths == ["/files/elsewhere/%E9%20x.tar.gz"] * 2


def test_redirects_in_a_circle_end(serve: Callable[..., Server], fetch: Client) -> None:
    server = serve(*[reply(301, headers={"Location": "data.tar.gz"})] * 20)
    with pytest.raises(DataError, match="status 301, a redirect that cannot be followed"):
        fetch(server)
    assert len(server.asked) < 12


@pytest.mark.parametrize("location", [None, "file:///etc/passwd", "ftp://b.org/f", "data:,x", "javascript:x"])
def test_a_redirect_to_nowhere_or_off_the_web_is_not_followed(
    serve: Callable[..., Server], fetch: Client, location: str | None
) -> None:
    with pytest.raises(DataError, match=r"a redirect that cannot be followed|from http to ftp"):
        fetch(serve(reply(302, headers={"Location": location} if location else None)))


@pytest.mark.parametrize("address", ["http://a.org/x/f", "HTTP://b.org/f"])
def test_https_never_becomes_plain_http(address: str) -> None:
    request, answer = Request("https://a.org/x/f"), io.BytesIO()
    with pytest.raises(_FailedError, match="from https to http"):
        _WebRedirects().redirect_request(request, answer, 302, "", Message(), address)
    followed = _WebRedirects().redirect_request(request, answer, 302, "", Message(), "https://b.org/f")
    assert followed is not None and followed.full_url == "https://b.org/f"


def test_the_text_of_a_redirect_is_not_read_to_its_end(serve: Callable[..., Server], fetch: Client) -> None:
    target, sent = serve(), list[int]()

    def endless(request: BaseHTTPRequestHandler) -> None:
        reply(302, length=-1, headers={"Location": f"{target.address}data.tar.gz"})(request)
        while len(sent) < 64:
            sent.append(request.wfile.write(bytes(1 << 20)))

    fetch(serve(endless))
    fetch.check()
    assert len(sent) < 64


@pytest.mark.parametrize(
    "location", ["http://a..b/", f"http://{'x' * 70}/", "http://h:port/", "http://[::1/"]
)
def test_a_redirect_to_an_impossible_host_is_one_line(
    serve: Callable[..., Server], fetch: Client, location: str
) -> None:
    with pytest.raises(DataError, match="is no address that can be asked"):
        fetch(serve(reply(302, headers={"Location": location})))


@pytest.mark.parametrize("started", [False, True])
def test_a_silent_server_ends_in_a_line_that_says_how_to_continue(
    serve: Callable[..., Server], fetch: Client, started: bool
) -> None:
    enough = threading.Event()

    def silent(request: BaseHTTPRequestHandler) -> None:
        if started:
            DROPPED(request)
        enough.wait(20)

    try:
        with pytest.raises(DataError, match=r"no answer within 0.4 s; .* the same command again"):
            fetch.of([serve(silent, silent).address], timeout=0.4, attempts=1)
    finally:
        enough.set()
    assert fetch.part.exists() == started
    fetch(serve())
    fetch.check()


def test_a_full_disk_is_named_and_the_part_is_continued(serve: Callable[..., Server], fetch: Client) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    server = serve()
    resource.setrlimit(resource.RLIMIT_FSIZE, (250_000, hard))
    try:
        with pytest.raises(OutputError, match=r"data\.tar\.gz\.part: cannot be written: .*space"):
            fetch(server)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert fetch.part.read_bytes() == CONTENT[:250_000]
    assert len(server.asked) == 1
    fetch(server)
    fetch.check()


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a folder")
    with pytest.raises(OutputError, match="data: cannot be written"):
        download(ENTRY, tmp_path / "data", mirrors=[])


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), InterruptedRunError("stopped", 15)])
def test_an_interrupted_download_passes_the_interruption_on_and_is_resumed(
    serve: Callable[..., Server], fetch: Client, stop: BaseException
) -> None:
    def interrupt(done: int) -> None:
        if done > 100_000:
            raise stop

    fetch.on_step = interrupt
    with pytest.raises(type(stop)):
        fetch(serve())
    kept = fetch.part.stat().st_size
    assert 100_000 < kept == fetch.steps[-1]
    assert fetch.part.read_bytes() == CONTENT[:kept]
    fetch.on_step = lambda done: None
    server = serve()
    fetch(server)
    fetch.check()
    assert server.asked == [f"bytes={kept}-"]


def test_a_second_process_is_told_to_wait(serve: Callable[..., Server], fetch: Client) -> None:
    fetch.final.parent.mkdir()
    lock = fetch.final.with_name("data.tar.gz.lock")
    server = serve()
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(DataError, match="another process at it; wait"):
            download(ENTRY, fetch.final.parent, mirrors=[server.address])
        assert server.asked == []
        assert lock.exists()
    fetch(server)  # a lock file that was left behind by a killed process is no obstacle
    fetch.check()


def test_the_second_of_two_downloads_at_once_is_refused_and_the_first_completes(
    serve: Callable[..., Server], fetch: Client
) -> None:
    server = serve()
    refused: list[str] = []

    def try_another(_done: int) -> None:
        if not refused:
            with pytest.raises(DataError, match="another process") as caught:
                download(ENTRY, fetch.final.parent, mirrors=[server.address])
            refused.append(str(caught.value))

    fetch.on_step = try_another
    fetch(server)
    fetch.check()
    assert refused


def test_a_file_that_another_process_completed_meanwhile_is_taken(
    fetch: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held_late(path: Path, busy: DataError) -> object:
        fetch.final.write_bytes(CONTENT)
        return held(path, busy)

    monkeypatch.setattr("softmaxclf.datasets.download.held", held_late)
    assert fetch.of([]) == fetch.final
    assert any("there already" in line for line in fetch.lines)


@pytest.mark.parametrize("length", [-1, None])
def test_a_server_that_sends_too_much_is_cut_and_refused(
    serve: Callable[..., Server], fetch: Client, length: int | None
) -> None:
    with pytest.raises(DataError, match=r"sends more than|offers 600,001 bytes where 600,000"):
        fetch(serve(reply(200, CONTENT + b"x", length=length)))
    assert max(fetch.steps, default=0) < len(CONTENT)
    assert list(fetch.final.parent.iterdir()) == []


def test_another_file_of_another_size_does_not_cost_the_part(
    serve: Callable[..., Server], fetch: Client
) -> None:
    fetch.part.parent.mkdir()
    fetch.part.write_bytes(THIRD)
    with pytest.raises(DataError, match="offers 21 bytes where 600,000 were expected"):
        fetch(serve(reply(200, b"<html>log in</html>\r\n")))
    assert fetch.part.read_bytes() == THIRD


def test_an_answer_that_only_lacks_its_end_is_not_fetched_again(
    serve: Callable[..., Server], fetch: Client
) -> None:
    server = serve(chunked(b"%x" % len(CONTENT)))
    fetch(server)
    fetch.check()
    assert server.asked == [None]


def test_the_right_file_is_not_fetched_again(serve: Callable[..., Server], fetch: Client) -> None:
    fetch.final.parent.mkdir()
    fetch.final.write_bytes(CONTENT)
    server = serve()
    assert fetch(server) == fetch.final
    assert server.asked == []
    assert any("there already" in line for line in fetch.lines)


@pytest.mark.parametrize("content", [b"", CONTENT[:-1], CONTENT + b"x", bytes(len(CONTENT))])
def test_another_file_in_its_place_is_never_overwritten(
    serve: Callable[..., Server], tmp_path: Path, content: bytes
) -> None:
    (tmp_path / ENTRY.name).write_bytes(content)
    server = serve()
    with pytest.raises(DataError, match=f"sha256 {ENTRY.digest}, found [0-9a-f]{{64}}; move it away"):
        download(ENTRY, tmp_path, mirrors=[server.address])
    assert (tmp_path / ENTRY.name).read_bytes() == content
    assert server.asked == []


def test_a_folder_or_a_dead_link_in_its_place_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "one" / ENTRY.name).mkdir(parents=True)
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / ENTRY.name).symlink_to("nowhere")
    for folder in ("one", "two"):
        with pytest.raises(DataError, match=r"found none: .*; move it away"):
            download(ENTRY, tmp_path / folder, mirrors=[])


@pytest.mark.parametrize(
    "mirror",
    ["", "file:///etc/", "ftp://host/", "host/folder", "http://", "http://[::1", "http://me:pw@host/",
     "http://host/ä", "http://host/a b", "http://host/?q=", "http://host/#f", "http://host/\n"],
)  # fmt: skip
def test_a_mirror_that_is_no_folder_on_the_web_is_refused_before_any_work(
    tmp_path: Path, mirror: str
) -> None:
    with pytest.raises(ConfigError, match="mirror: expected a folder's address such as https:") as caught:
        download(ENTRY, tmp_path / "data", mirrors=[mirror])
    assert str(caught.value).isprintable()
    assert not (tmp_path / "data").exists()


def test_a_source_is_fetched_by_its_name_and_asks_for_citation(
    serve: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(LAYOUTS[3], size=ENTRY.size, sha256=ENTRY.digest)
    monkeypatch.setattr("softmaxclf.datasets.download.LAYOUTS", (small,))
    server, lines = serve(), list[str]()
    path = download_source("cifar100", tmp_path, form="binary", log=lines.append, mirrors=[server.address])
    assert path == tmp_path / "cifar-100-binary.tar.gz"
    assert path.read_bytes() == CONTENT
    assert lines[-1] == CITATION
    assert server.paths == ["/files/cifar-100-binary.tar.gz"]


def test_a_source_without_an_archive_is_refused_with_those_that_have_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"sample \(python\): .*cifar10 \(python\), cifar10 \(binary\)"):
        download_source("sample", tmp_path)


def test_mnist_is_four_files_in_a_folder_of_its_name_resumed_and_verified(
    serve: Callable[..., Server], fetch: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = [CONTENT[:1000], CONTENT[1000:1500], CONTENT[2000:2900], CONTENT[3000:3100]]
    files = tuple(
        replace(file, size=len(content), digest=hashlib.md5(content, usedforsecurity=False).hexdigest())
        for file, content in zip(MNISTS[0].files, contents, strict=True)
    )
    for module in ("download", "mnist"):
        monkeypatch.setattr(f"softmaxclf.datasets.{module}.MNISTS", (replace(MNISTS[0], files=files),))
    folder, directory = fetch.final.parent / "mnist", fetch.final.parent
    rest = reply(206, contents[1][100:], headers={"Content-Range": "bytes 100-499/500"})
    server = serve(reply(200, contents[0]), reply(200, contents[1][:100], length=500), rest, reply(404))
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte\.gz: expected 900 bytes .* status 404"):
        download_source("mnist", directory, mirrors=[server.address], log=fetch.lines.append)
    found = {Path(each.file).name: each.status for each in verify_mnist(directory)}
    assert found == {file.name: "official" for file in files[:2]}
    server = serve(reply(200, contents[2]), reply(200, contents[3]))
    assert download_source("mnist", directory, mirrors=[server.address], log=fetch.lines.append) == folder
    assert [(folder / file.name).read_bytes() for file in files] == contents
    assert server.paths == [f"/files/{file.name}" for file in files[2:]]
    assert fetch.lines[-1] == MNISTS[0].citation and "md5 verified" in fetch.lines[-2]
    (folder / files[3].name).write_bytes(contents[3][::-1])
    (folder / f"{files[2].name}.part").write_bytes(contents[2][:450])
    assert {each.status for each in verify_mnist(directory)} == {"official", "incomplete", DIFFERS}


def test_mnist_has_no_binary_form(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"mnist \(binary\): .*, mnist, fashion-mnist; choose"):
        download_source("mnist", tmp_path, form="binary")
