"""The page on which landmarks are placed: its server, and the page in a real browser."""

import base64
import contextlib
import json
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.request
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from silvertalk.makeittalk.cartoon import puppet_editor
from silvertalk.makeittalk.cartoon.puppet import Puppet, mean_depth, mean_landmarks
from silvertalk.makeittalk.cartoon.puppet_editor import PuppetEditor, make_puppet_folder

SIZE = 200


@pytest.fixture
def editor(tmp_path):
    """An editor at work, with a drawing of nothing."""
    picture = np.full((SIZE, SIZE, 4), (90, 160, 220, 255), np.uint8)
    editor = PuppetEditor("bob", picture, mean_landmarks(SIZE, SIZE), mean_depth(), tmp_path / "bob", hint="No face.")
    thread = threading.Thread(target=editor.serve, daemon=True)
    thread.start()
    yield editor
    with contextlib.suppress(OSError):
        ask(editor.url + "finish", {})
    thread.join(10)
    assert not thread.is_alive()


def ask(url: str, content=None, timeout: float = 20):
    """Send a request; returns status and body."""
    data = None if content is None else content if isinstance(content, bytes) else json.dumps(content).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data), timeout=timeout) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_page_and_its_parts(editor):
    for part, start in (("", b"<!doctype html>"), ("page.js", b'"use strict"'), ("page.css", b"*")):
        status, body = ask(editor.url + part)
        assert status == 200 and body.startswith(start)
        assert b"http://" not in body.replace(b"http://www.w3.org/2000/svg", b"") and b"https://" not in body
    begun = json.loads(ask(editor.url + "start.json")[1])
    assert np.allclose(begun["points"], editor.points) and (begun["width"], begun["hint"]) == (SIZE, "No face.")
    drawing = cv2.imdecode(np.frombuffer(ask(editor.url + "drawing.png")[1], np.uint8), cv2.IMREAD_UNCHANGED)
    assert (drawing == editor.picture).all()


def test_nobody_else_reads_or_writes(editor):
    root = editor.url.rsplit("/", 2)[0]
    points = {"points": editor.points.tolist()}
    for place in ("/", "/start.json", "/wrong/start.json", "//start.json", editor.url[len(root) : -2] + "/start.json"):
        assert ask(root + place)[0] == 404
    assert ask(root + "/save", points)[0] == ask(root + "/wrong/save", points)[0] == 404
    for inside in ("../puppet.py", "..%2fpuppet.py", "puppet.py", ".", "page.js/..", "../puppet_page/page.js"):
        assert ask(editor.url + inside)[0] == 404
    assert ask(editor.url + "save", b" " * 200_000)[0] == 404
    assert editor.saved is None and editor.url.startswith("http://127.0.0.1:")


def test_preview_shows_the_mouth(editor):
    def picture(**options):
        status, body = ask(editor.url + "preview", {"points": editor.points.tolist()} | options)
        assert status == 200
        return cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR).astype(int)

    closed, opened = picture(), picture(opening=1)
    changed = np.argwhere(np.abs(opened - closed).max(axis=2) > 60)[:, ::-1]
    lips = editor.points[48:68]
    assert len(changed) > 50 and (np.abs(changed.mean(axis=0) - lips.mean(axis=0)) < 8).all()


def test_save_checks(editor):
    points = editor.points.tolist()

    def refused(content) -> str:
        status, body = ask(editor.url + "save", content)
        assert status == 422 and editor.saved is None and not editor.folder.exists()
        return json.loads(body)["error"]

    assert "no 68 points" in refused({"points": points[:67]})
    assert "no 68 points" in refused({"points": "all"})
    assert "load it again" in refused([])
    assert "landmark 0 has to be left of 16" in refused({"points": [[SIZE - x, y] for x, y in points]})
    assert "landmarks 3 and 4 lie on one pixel" in refused({"points": points[:4] + points[3:4] + points[5:]})
    assert "landmark 8: (5, 400) lies outside" in refused({"points": points[:8] + [[5, 400]] + points[9:]})
    assert "from 0 to 1" in json.loads(ask(editor.url + "preview", {"points": points, "opening": 2})[1])["error"]
    assert ask(editor.url + "save", {"points": points, "inner_lip": True})[0] == 200
    assert editor.saved.inner_lip and np.allclose(Puppet.load(editor.folder).drawn, points, atol=1e-4)


def test_drawing_without_a_face_is_placed_by_hand(tmp_path, monkeypatch, caplog):
    cv2.imwrite(str(tmp_path / "tree.png"), np.full((SIZE, SIZE, 3), 90, np.uint8))
    opened = []

    def leave(editor):
        opened.append((editor.hint, editor.points.shape, editor.inner_lip))
        editor._server.server_close()
        if len(opened) == 2:
            editor.post("save", {"points": editor.points.tolist()})
        return editor.saved

    blind = SimpleNamespace(view=lambda rgb: rgb, detect=lambda view: np.zeros((0, 4)))
    monkeypatch.setattr(puppet_editor, "make_backend", lambda name: blind)
    monkeypatch.setattr(PuppetEditor, "serve", leave)
    with pytest.raises(RuntimeError, match="tree.png: the page was left without saving"):
        make_puppet_folder(tmp_path / "tree.png", tmp_path / "tree", inner_lip=True)
    assert not (tmp_path / "tree").exists() and "tree.png: no face was found" in caplog.text
    puppet = make_puppet_folder(tmp_path / "tree.png", tmp_path / "tree")
    assert opened == [("No face was found in the drawing.", (68, 2), flag) for flag in (True, False)]
    assert (Puppet.load(tmp_path / "tree").triangles == puppet.triangles).all()


class Browser:
    """Chromium through chromedriver (W3C WebDriver)."""

    FLAGS = (
        "headless=new no-sandbox disable-gpu disable-quic no-first-run disable-background-networking "
        "disable-component-update disable-sync window-size=1300,900"
    )
    ELEMENT = "element-6066-11e4-a52e-4f735466cecf"

    def __init__(self, profile):
        self._driver = subprocess.Popen(
            ["chromedriver", "--port=0", "--allowed-ips="], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        port = (
            next(line for line in self._driver.stdout if "started successfully on port" in line).split()[-1].strip(".")
        )
        self._url = f"http://127.0.0.1:{port}/session"
        flags = [f"--{flag}" for flag in self.FLAGS.split()] + [f"--user-data-dir={profile}"]
        wanted = {"alwaysMatch": {"goog:chromeOptions": {"args": flags}}}
        self._url += "/" + self("", {"capabilities": wanted})["sessionId"]

    def __call__(self, command: str, content=None):
        status, body = ask(f"{self._url}/{command}".rstrip("/"), content, 60)
        value = json.loads(body)["value"]
        assert status == 200, value
        return value

    def close(self):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(urllib.request.Request(self._url, method="DELETE"), timeout=30)
        self._driver.terminate()
        self._driver.wait(10)
        self._driver.stdout.close()

    def script(self, code: str):
        return self("execute/sync", {"script": f"return {code}", "args": []})

    def click(self, selector: str):
        found = self("element", {"using": "css selector", "value": selector})
        self(f"element/{found[self.ELEMENT]}/click", {})

    def keys(self, *keys: str):
        actions = [{"type": "keyDown", "value": key} for key in keys]
        actions += [{"type": "keyUp", "value": key} for key in reversed(keys)]
        self("actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def drag(self, start, by, kind="mouse"):
        """Press at a place of the window, move, release."""
        at, to = [round(v) for v in start], [round(v + d) for v, d in zip(start, by, strict=True)]
        moves = [
            {"type": "pointerMove", "x": at[0], "y": at[1], "duration": 0},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerMove", "x": to[0], "y": to[1], "duration": 50},
            {"type": "pointerUp", "button": 0},
        ]
        source = {"type": "pointer", "id": kind, "parameters": {"pointerType": kind}, "actions": moves}
        self("actions", {"actions": [source]})

    def place(self, landmark: int) -> np.ndarray:
        """Middle of a landmark in the window."""
        box = f"document.querySelector('[data-landmark=\"{landmark}\"]').getBoundingClientRect()"
        x, y, width, height = self.script(f"(b => [b.x, b.y, b.width, b.height])({box})")
        return np.array([x + width / 2, y + height / 2])

    def wait(self, code: str):
        until = time.monotonic() + 20
        while not self.script(code):
            assert time.monotonic() < until, code
            time.sleep(0.05)

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self("screenshot")))


@pytest.fixture
def browser(tmp_path):
    if not (shutil.which("chromedriver") and shutil.which("chromium")):
        pytest.skip("no chromium with chromedriver")
    browser = Browser(tmp_path / "profile")
    yield browser
    browser.close()


@pytest.mark.recipe
def test_placing_landmarks_in_a_browser(editor, browser, tmp_path):
    browser("url", {"url": editor.url})
    browser.wait("document.querySelectorAll('.point').length === 68 && get('preview').naturalWidth > 0")
    assert browser.script("get('hint').textContent").startswith("No face. Drag each point")
    scale = browser.script("view.scale")

    def points():
        return np.array(browser.script("points"))

    # A mouse moves one point, nothing else; undo and redo.
    browser.drag(browser.place(30), (40, -20))
    moved = points() - editor.points
    assert np.allclose(moved[30] * scale, (40, -20), atol=1.5) and not moved[np.arange(68) != 30].any()
    assert browser.script("get('selected').textContent") == "Landmark 30: nose bridge, 4 from above"
    browser.click("#undo")
    assert (points() == editor.points).all()
    browser.keys("\ue009", "y")  # control
    assert (points() - editor.points == moved).all()

    # Keys.
    browser.script("get('canvas').focus()")
    browser.keys("n")
    browser.keys("\ue008", "\ue014")  # shift, right
    browser.keys("\ue013")  # up
    assert (points() - editor.points)[31].tolist() == [10, -1]
    for _ in range(3):
        browser.keys("\ue009", "z")
    assert (points() == editor.points).all()

    # A finger moves a group; shape buttons; zoom keeps points where they are.
    browser.click("input[value=group]")
    browser.drag(browser.place(66), (0, 30), "touch")
    moved = points() - editor.points
    assert np.allclose(moved[60:] * scale, (0, 30), atol=1.5) and not moved[:60].any()
    browser.click("#undo")
    browser.click("input[value=face]")
    browser.click("[data-shape=wider]")
    assert np.ptp(points()[:, 0]) > 1.03 * np.ptp(editor.points[:, 0])
    browser.click("#undo")
    browser.click("#zoom_in")
    assert browser.script("view.scale") > scale and (points() == editor.points).all()
    before = browser.place(8)
    browser.drag((100, 100), (50, 20))
    assert np.allclose(browser.place(8) - before, (50, 20), atol=1.5) and (points() == editor.points).all()
    browser.click("#fit")

    # The preview follows the slider.
    shown = browser.script("get('preview').src")
    browser.script("(s => { s.value = 1; s.dispatchEvent(new Event('input')); })(get('opening'))")
    browser.wait(f"get('preview').src !== '{shown}' && !busy")

    # What cannot be is said; what can be is saved.
    browser.click("input[value=point]")
    browser.drag(browser.place(0), browser.place(16) - browser.place(0) + (9, 0))
    browser.click("#save")
    browser.wait("get('message').className === 'error'")
    assert "landmark 0 has to be left of 16" in browser.script("get('message').textContent")
    browser.click("#undo")
    browser.click("#save")
    browser.wait("get('message').textContent.startsWith('Saved in')")
    browser.screenshot(tmp_path / "page.png")
    assert np.allclose(Puppet.load(editor.folder).drawn, editor.points, atol=1e-4)
    browser.click("#finish")
    browser.wait("get('message').textContent.startsWith('Finished')")
    assert editor.saved is not None
