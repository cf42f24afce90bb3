"""A real headless Chromium, driven through its debugging pipe with nothing but the standard library.

The DevTools protocol (https://chromedevtools.github.io/devtools-protocol/) is JSON, one message after another,
each ended by a zero byte; with --remote-debugging-pipe Chromium reads them from file 3 and writes to file 4.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

LIMIT = 30.0  # seconds that an answer may take
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-pipe", "--hide-scrollbars",
    "--disable-breakpad", "--disable-crash-reporter",
)  # fmt: skip


class Browser:
    """One page of a Chromium; `events` are all that it told."""

    def __init__(self, program: str, profile: Path) -> None:
        own_reader, its_writer = os.pipe()
        its_reader, own_writer = os.pipe()
        # The shell moves the two ends to the numbers 3 and 4, then becomes Chromium.
        command = f'exec "$@" 3<&{its_reader} 4>&{its_writer}'
        self.process = subprocess.Popen(
            ["bash", "-c", command, "bash", program, *QUIET, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(its_reader, its_writer), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, env={**os.environ, "HOME": str(profile)},
        )  # fmt: skip
        os.close(its_reader)
        os.close(its_writer)
        self.reader, self.writer = own_reader, own_writer
        self.buffer, self.number, self.session = b"", 0, ""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of one method of the protocol."""
        self.number += 1
        message: dict[str, Any] = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.writer, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self.number:
            self.events.append(answer)
        assert "error" not in answer, (method, answer)
        result: dict[str, Any] = answer["result"]
        return result

    def _next(self) -> dict[str, Any]:
        until = time.monotonic() + LIMIT
        while b"\0" not in self.buffer:
            ready = select.select([self.reader], [], [], max(0.0, until - time.monotonic()))[0]
            piece = os.read(self.reader, 1 << 20) if ready else b""
            assert piece, "Chromium gave no answer"
            self.buffer += piece
        message, _, self.buffer = self.buffer.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer

    def open(self, path: Path, *, width: int = 1280, height: int = 900, scheme: str = "light") -> None:
        """Load a file and wait until it is loaded; the events before it are forgotten."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        for url in (
            "about:blank",
            path.as_uri(),
        ):  # the first one's end must not be taken for the second one's
            self.events.clear()
            self.call("Page.navigate", url=url)
            self.wait(lambda: any(event.get("method") == "Page.loadEventFired" for event in self.events))
        self.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def wait(self, true: Callable[[], bool]) -> None:
        """Take in events until the condition holds."""
        while not true():
            self.events.append(self._next())

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str, code: int, text: str = "") -> None:
        """Press and release a key."""
        shared = {"key": key, "windowsVirtualKeyCode": code, **({"text": text} if text else {})}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **shared)
        self.call("Input.dispatchKeyEvent", type="keyUp", **shared)

    def click(self, selector: str) -> None:
        """Click into the middle of an element, as a mouse does."""
        place = f"document.querySelector({json.dumps(selector)})"
        self.evaluate(f"{place}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
        box = self.evaluate(
            f"(() => {{ const b = {place}.getBoundingClientRect(); return [b.x + b.width/2, b.y + b.height/2]; }})()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def requests(self) -> list[str]:
        """The addresses that the page asked for since it was opened."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]

    def complaints(self) -> list[str]:
        """What the browser wrote into its console: errors, refusals of the content security policy."""
        entries = [
            event["params"]["entry"]["text"]
            for event in self.events
            if event.get("method") == "Log.entryAdded"
        ]
        thrown = [event for event in self.events if event.get("method") == "Runtime.exceptionThrown"]
        return entries + [str(event["params"]["exceptionDetails"].get("exception", "")) for event in thrown]

    def pdf(self) -> bytes:
        """The page as it would be printed."""
        return base64.b64decode(
            self.call("Page.printToPDF", printBackground=False, preferCSSPageSize=True)["data"]
        )

    def close(self) -> None:
        """End the browser that was started here."""
        self.session = ""
        try:
            self.call("Browser.close")
            self.process.wait(LIMIT)
        except (AssertionError, OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        os.close(self.reader)
        os.close(self.writer)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A Chromium; skips where there is none, or fails where SOFTMAXCLF_REQUIRE_CHROMIUM is set."""
    program = shutil.which("chromium")
    if program is None:
        reason = "chromium is not on the PATH: install Debian's package `chromium` for the browser tests"
        if os.environ.get("SOFTMAXCLF_REQUIRE_CHROMIUM"):
            pytest.fail(reason)
        pytest.skip(reason)
    started = Browser(program, tmp_path_factory.mktemp("chromium"))
    yield started
    started.close()
