"""A headless Chromium spoken to over its debugging pipe: real clicks and drags, the console, and every request."""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
QUIET = ("--disable-gpu", "--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-sync")
DEVICES = {"desktop": (1200, 900, False), "phone": (375, 740, True)}  # CSS pixels; whether it is touched


class Tab:
    """One page: what it said, what it asked for, and hands to use it."""

    def __init__(self, into: int, out: int) -> None:
        self._into, self._out, self._number, self._rest = into, out, 0, b""
        self._session: dict[str, str] = {}
        self._events: list[dict[str, Any]] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one command and wait for its answer; events met on the way are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params, **self._session}
        os.write(self._into, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            self._events.append(answer)

    def open(self, path: Path, device: str = "desktop", dark: bool = False) -> None:
        width, height, touch = DEVICES[device]
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=touch)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self._events.clear()
        self.ask("Page.navigate", url=path.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self._events):
            self._events.append(self._next())

    def run(self, script: str) -> Any:
        """Value of a script; a promise is awaited."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, script: str) -> None:
        """Wait, a frame at a time and 5 s at most, until a condition holds."""
        waiting = f"new Promise((done, fail) => {{ const end = Date.now() + 5000; const look = () => ({script}) ? "
        waiting += "done(true) : Date.now() > end ? done(false) : requestAnimationFrame(look); look(); })"
        assert self.run(waiting), f"never held: {script}"

    def box(self, selector: str) -> tuple[float, float, float, float]:
        """Scroll an element into the middle of the screen; its left, top, width and height there."""
        found = f"document.querySelector({json.dumps(selector)})"
        self.run(f"{found}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
        left, top, width, height = self.run(
            f"(b => [b.left, b.top, b.width, b.height])({found}.getBoundingClientRect())"
        )
        return left, top, width, height

    def click(self, selector: str) -> None:
        left, top, width, height = self.box(selector)
        self.drag((left + width / 2, top + height / 2), (left + width / 2, top + height / 2))

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self._mouse("mouseMoved", start)
        self._mouse("mousePressed", start, button="left", clickCount=1)
        self._mouse("mouseMoved", end, button="left")
        self._mouse("mouseReleased", end, button="left", clickCount=1)

    def wheel(self, place: tuple[float, float], delta: float) -> None:
        self._mouse("mouseWheel", place, deltaX=0, deltaY=delta)

    def key(self, key: str) -> None:
        text = {"text": key} if len(key) == 1 else {}
        self.ask("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, **text)
        self.ask("Input.dispatchKeyEvent", type="keyUp", key=key, code=key)

    def complaints(self) -> list[str]:
        """Console messages, uncaught errors and policy violations since the page was opened."""
        self.run("0")  # whatever was on its way has come
        said = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [json.dumps(event["params"]) for event in self._events if event.get("method") in said]

    def requests(self) -> list[str]:
        """Addresses asked for since the page was opened, but for data that stand in the page itself."""
        sent = [event for event in self._events if event.get("method") == "Network.requestWillBeSent"]
        asked = [event["params"]["request"]["url"] for event in sent]
        return [url for url in asked if not url.startswith("data:")]

    def picture(self, path: Path, whole: bool = True) -> None:
        shot = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _mouse(self, kind: str, place: tuple[float, float], **params: Any) -> None:
        self.ask("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], **params)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            part = os.read(self._out, 1 << 20)
            assert part, "the browser is gone"
            self._rest += part
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)


@contextmanager
def browser(profile: Path) -> Iterator[Tab]:
    """Start a Chromium of its own; skips where there is none and RACIFLUX_REQUIRE_BROWSER is not 1."""
    if CHROMIUM is None:
        assert os.environ.get("RACIFLUX_REQUIRE_BROWSER") != "1", "no Chromium on this machine; apt install chromium"
        pytest.skip("no Chromium on this machine")
    their_in, our_in = os.pipe()
    our_out, their_out = os.pipe()
    # the browser reads descriptor 3 and writes descriptor 4
    launch = ["bash", "-c", f'exec "$@" 3<&{their_in} 4>&{their_out}', "browser", CHROMIUM, *QUIET]
    launch += ["--headless", "--remote-debugging-pipe", f"--user-data-dir={profile}"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(launch, pass_fds=(their_in, their_out), **quiet) as process:
        os.close(their_in)
        os.close(their_out)
        try:
            yield Tab(our_in, our_out)
        finally:
            os.close(our_in)  # a closed pipe ends the browser
            process.wait(timeout=30)
            os.close(our_out)
