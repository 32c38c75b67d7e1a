"""A page in headless Chromium, driven by the DevTools protocol over two pipes: no port, no other package."""

import base64
import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading


class ScriptError(AssertionError):
    """A script in the page threw, or a condition could not be evaluated."""


class Browser:
    """One page; use it in a with statement."""

    # Nothing here takes this long. It turns a hang into a failure.
    WATCHDOG_SECONDS = 120

    def __init__(self, *flags, width=1280, height=1100):
        self._folder = tempfile.mkdtemp(prefix="browser")
        to_browser, self._commands = os.pipe()
        self._events, from_browser = os.pipe()

        def place_pipes():
            # The browser reads commands from 3 and writes to 4. Copies first: either number may be taken already.
            reads, writes = os.dup(to_browser), os.dup(from_browser)
            os.dup2(reads, 3)
            os.dup2(writes, 4)

        self.process = subprocess.Popen(
            [
                "chromium-headless-shell",
                "--no-sandbox",  # which root may not use
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--allow-pre-commit-input",
                "--remote-debugging-pipe",
                f"--user-data-dir={self._folder}",
                f"--window-size={width},{height}",
                *flags,
                "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": self._folder},
            close_fds=False,
            preexec_fn=place_pipes,
            start_new_session=True,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._watchdog = threading.Timer(self.WATCHDOG_SECONDS, self._kill)
        self._watchdog.start()
        self._unread = b""
        self._ids = itertools.count(1)
        self._session = None
        self._loaded = False
        # Exceptions, errors of the console and what a policy has blocked, since the start.
        self.complaints = []
        (target,) = [t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page"]
        attached = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._kill()
        self.process.wait()
        self._watchdog.cancel()
        os.close(self._commands)
        os.close(self._events)
        shutil.rmtree(self._folder, ignore_errors=True)

    def call(self, method, **parameters):
        """A command of the protocol and its result; events that come meanwhile are looked at."""
        number = next(self._ids)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            received = self._receive()
            if received.get("id") == number:
                if "error" in received:
                    raise ScriptError(f"{method}: {received['error']}")
                return received["result"]
            self._note(received)

    def open(self, url):
        """Returns once the page is loaded; its scripts may still ask for things."""
        self._loaded = False
        self.call("Page.navigate", url=url)
        while not self._loaded:
            self._note(self._receive())
        # Chromium drops clicks on a page that was never painted.
        self.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def evaluate(self, script):
        """The value of an expression in the page, or of what it promises."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise ScriptError(json.dumps(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def wait_for(self, condition):
        """The first value of an expression that is true, looked at whenever the document changes."""
        script = f"""new Promise((resolve) => {{
            const look = () => {{
                let value = null;
                try {{ value = ({condition}); }} catch (error) {{ /* not there yet */ }}
                if (!value) return false;
                resolve(value);
                return true;
            }};
            if (look()) return;
            const observer = new MutationObserver(() => {{ if (look()) observer.disconnect(); }});
            observer.observe(document, {{subtree: true, childList: true, characterData: true, attributes: true}});
        }})"""
        try:
            return self.evaluate(script)
        except AssertionError as error:
            raise AssertionError(f"while waiting for {condition}, with complaints {self.complaints}") from error

    def text(self, element):
        return self.evaluate(f"document.getElementById({json.dumps(element)}).textContent")

    def click(self, element):
        x, y = self._middle(element)
        self._mouse("mousePressed", x, y)
        self._mouse("mouseReleased", x, y)

    def draw(self, element, points):
        """Moves the pressed mouse along points, given as shares of the element's width and height."""
        box = self._box(element)
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
        self._mouse("mousePressed", *places[0])
        for place in places[1:]:
            self._mouse("mouseMoved", *place)
        self._mouse("mouseReleased", *places[-1])

    def type(self, element, text):
        self.evaluate(f"document.getElementById({json.dumps(element)}).focus()")
        self.call("Input.insertText", text=text)

    def choose_file(self, element, path):
        document = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=document, selector=f"#{element}")["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def screenshot(self, path):
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def _kill(self):
        """The browser and its children, which hold its pipes."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def _box(self, element):
        return self.evaluate(
            f"""(() => {{
                const element = document.getElementById({json.dumps(element)});
                element.scrollIntoView({{block: 'center'}});
                return element.getBoundingClientRect().toJSON();
            }})()"""
        )

    def _middle(self, element):
        box = self._box(element)
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def _mouse(self, kind, x, y):
        buttons = 0 if kind == "mouseReleased" else 1
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=buttons, clickCount=1)

    def _receive(self):
        while b"\0" not in self._unread:
            read = os.read(self._events, 1 << 16)
            if not read:
                raise AssertionError(f"the browser ended with {self.process.wait()}")
            self._unread += read
        message, self._unread = self._unread.split(b"\0", 1)
        return json.loads(message)

    def _note(self, event):
        parameters = event.get("params", {})
        self._loaded |= event.get("method") == "Page.loadEventFired"
        if event.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(parameters["exceptionDetails"]))
        elif event.get("method") == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.complaints.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")
        elif event.get("method") == "Runtime.consoleAPICalled" and parameters["type"] == "error":
            self.complaints.append(json.dumps(parameters["args"]))
