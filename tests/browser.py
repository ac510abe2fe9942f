"""A real Chromium without a window, driven by the DevTools protocol.

Nothing but a web socket is needed for that, and `aiohttp`, which Ray brings, has one.
"""

import asyncio
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome", "chrome")
        if (found := shutil.which(name)) is not None
    ),
    None,
)


class Browser:
    """One page after another; what each asked for and complained about."""

    def __init__(self) -> None:
        assert CHROMIUM is not None
        self._home = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [
                CHROMIUM,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--disable-dev-shm-usage",
                "--remote-debugging-port=0",
                f"--user-data-dir={self._home.name}",
                "about:blank",
            ],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stderr is not None
        found = (re.search(r"ws://127\.0\.0\.1:(\d+)/", line) for line in self._process.stderr)
        port = next(match[1] for match in found if match)
        self._runner = asyncio.Runner()
        self._number = 0
        self.events: list[dict[str, Any]] = []
        self._runner.run(self._attach(port))
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    async def _attach(self, port: str) -> None:
        self._session = aiohttp.ClientSession()
        async with self._session.get(f"http://127.0.0.1:{port}/json") as answer:
            pages = [page for page in await answer.json() if page["type"] == "page"]
        self._socket = await self._session.ws_connect(
            pages[0]["webSocketDebuggerUrl"], max_msg_size=0
        )

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask the browser for something; events that come meanwhile are kept."""
        return self._runner.run(asyncio.wait_for(self._call(method, params), 120))

    async def _call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        number = self._number
        await self._socket.send_json({"id": number, "method": method, "params": params})
        while True:
            message = await self._socket.receive_json()
            if message.get("id") == number:
                assert "error" not in message, message
                return dict(message["result"])
            self.events.append(message)

    def open(self, path: Path, *, width: int = 1280, dark: bool = False, anchor: str = "") -> None:
        """Open a file and wait until it stands."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.call("Emulation.setEmulatedMedia", features=[scheme, still])
        self.call("Page.navigate", url="about:blank")
        self.events.clear()
        self.call("Page.navigate", url=path.as_uri() + anchor)
        while self.js("document.readyState") != "complete":
            time.sleep(0.02)

    def js(self, expression: str) -> Any:
        """What an expression gives in the page."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key, as a hand does."""
        code = {"Enter": 13, "Tab": 9, " ": 32}[key]
        for kind, text in (("keyDown", {"Enter": "\r", " ": " "}.get(key, "")), ("keyUp", "")):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, text=text, windowsVirtualKeyCode=code
            )

    def click(self, selector: str) -> None:
        """Click in the middle of the first such element, as a hand does."""
        x, y = self.js(
            f"(() => {{ const e = document.querySelector({selector!r}); e.scrollIntoView("
            "{block: 'center'}); const r = e.getBoundingClientRect(); "
            "return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    @property
    def requests(self) -> list[str]:
        """Addresses that the page asked for."""
        sent = [e for e in self.events if e["method"] == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in sent]

    @property
    def complaints(self) -> list[str]:
        """What stands in the console, violations of the page's policy and errors among it."""
        kinds = (
            "Log.entryAdded",
            "Runtime.consoleAPICalled",
            "Runtime.exceptionThrown",
            "Page.javascriptDialogOpening",
        )
        return [str(event) for event in self.events if event["method"] in kinds]

    def close(self) -> None:
        """End the browser."""
        self._process.kill()
        self._process.wait()
        self._runner.run(self._session.close())
        self._runner.close()
        assert self._process.stderr is not None
        self._process.stderr.close()
        self._home.cleanup()
