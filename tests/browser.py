"""A headless Chromium for the tests of pages, driven by WebDriver with nothing but the standard library."""
import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from ports import free_port

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars")
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


def available():
    return bool(shutil.which("chromium") and shutil.which("chromedriver"))


class Browser:
    """with Browser() as b: b.open(path); b.run("return document.title")"""

    def __init__(self, width=1400, height=900, local=False):
        """local: every host name is this machine, whatever certificate it has; otherwise nothing is reached but files."""
        self.profile = tempfile.mkdtemp(prefix="tmgc-browser-")
        port = free_port()
        self.base = "http://127.0.0.1:%d" % port
        # Whatever the page asked for from outside would go through this proxy, where nobody listens.
        args = list(FLAGS) + ["--user-data-dir=" + self.profile, "--window-size=%d,%d" % (width, height),
                               "--host-resolver-rules=MAP * 127.0.0.1" if local else "--proxy-server=127.0.0.1:9"]
        environment = dict(os.environ, HOME=self.profile)
        for name in list(environment):
            if name.lower().endswith("_proxy"):
                del environment[name]
        self.driver = subprocess.Popen([shutil.which("chromedriver"), "--port=%d" % port], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self.session = None
        try:
            self._wait()
            got = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": {
                "browserName": "chrome", "acceptInsecureCerts": local, "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"}, "unhandledPromptBehavior": "ignore",
                "goog:chromeOptions": {"binary": shutil.which("chromium"), "args": args}}}})
            self.session = "/session/" + got["sessionId"]
        except Exception:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            if self.session:
                self._ask("DELETE", self.session)
        except Exception:
            pass
        self.driver.terminate()
        self.driver.wait()
        shutil.rmtree(self.profile, ignore_errors=True)

    def _wait(self):
        for _ in range(200):
            try:
                if self._ask("GET", "/status")["ready"]:
                    return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("chromedriver did not start")

    def _ask(self, method, path, body=None):
        data = json.dumps(body or {}).encode() if method == "POST" else None
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with self.opener.open(request, timeout=120) as r:
                return json.load(r)["value"]
        except urllib.error.HTTPError as e:
            raise RuntimeError(json.load(e)["value"]["message"].split("\n")[0])

    def post(self, path, **body):
        return self._ask("POST", self.session + path, body)

    def open(self, path, fragment=""):
        self.post("/url", url="file://" + os.path.abspath(path) + fragment)

    def go(self, url):
        self.post("/url", url=url)

    def cookies(self):
        return {c["name"]: c for c in self._ask("GET", self.session + "/cookie")}

    def run(self, script, *args):
        return self.post("/execute/sync", script=script, args=list(args))

    def cdp(self, command, **params):
        return self.post("/goog/cdp/execute", cmd=command, params=params)

    def media(self, kind="", **features):
        """media("print"), media(prefers_color_scheme="dark")"""
        self.cdp("Emulation.setEmulatedMedia", media=kind, features=[{"name": n.replace("_", "-"), "value": v} for n, v in features.items()])

    def scripts(self, on):
        self.cdp("Emulation.setScriptExecutionDisabled", value=not on)

    def size(self, width, height):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def find(self, css):
        return self.post("/element", using="css selector", value=css)[ELEMENT]

    def click(self, css):
        self.run("document.querySelector(arguments[0]).scrollIntoView({block: 'center'})", css)
        self.post("/element/%s/click" % self.find(css))

    def submit(self, css):
        """Clicks, and waits for the page that comes of it."""
        self.run("window.before = true")
        self.click(css)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                if self.run("return !window.before && document.readyState == 'complete'"):
                    return
            except RuntimeError:             # between two pages
                pass
            time.sleep(0.02)
        raise RuntimeError("no page came")

    def keys(self, text):
        self.post("/actions", actions=[{"type": "key", "id": "k", "actions": [a for c in text for a in
                  ({"type": "keyDown", "value": c}, {"type": "keyUp", "value": c})]}])

    def hover(self, css):
        self.post("/actions", actions=[{"type": "pointer", "id": "m", "actions": [
            {"type": "pointerMove", "duration": 0, "x": 0, "y": 0, "origin": {ELEMENT: self.find(css)}}]}])

    def requests(self):
        """Addresses that were asked for since the last call."""
        found = []
        for entry in self.post("/se/log", type="performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                found.append(message["params"]["request"]["url"])
        return found

    def console(self):
        return [e["message"] for e in self.post("/se/log", type="browser")]

    def alert(self):
        try:
            return self._ask("GET", self.session + "/alert/text")
        except RuntimeError:
            return None

    def picture(self, file, clip=None, whole=False):
        params = {"format": "png"}
        if clip:
            params.update(clip=dict(zip(("x", "y", "width", "height"), clip), scale=1), captureBeyondViewport=True)
        elif whole:
            params["captureBeyondViewport"] = True
        with open(file, "wb") as f:
            f.write(base64.b64decode(self.cdp("Page.captureScreenshot", **params)["data"]))

    def section(self, file, css, most=1500):
        """A picture of one element."""
        x, y, w, h = self.run("const r=document.querySelector(arguments[0]).getBoundingClientRect();return [r.x+scrollX,r.y+scrollY,r.width,r.height]", css)
        self.picture(file, clip=(x, y, w, min(h, most)))

    def pdf(self, file):
        with open(file, "wb") as f:
            f.write(base64.b64decode(self.cdp("Page.printToPDF", preferCSSPageSize=True, printBackground=True)["data"]))
