"""A small web page, served to this machine only, on which the landmarks of a puppet are placed.

The address holds a secret, so that no other page and no other user of the machine can read or write through
it. Nothing is loaded from elsewhere.
"""

import json
import logging
import os
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np

from silvertalk.face import make_backend
from silvertalk.makeittalk.cartoon.cartoon import CartoonFace
from silvertalk.makeittalk.cartoon.puppet import (
    LOWER_INNER,
    LOWER_OUTER,
    UPPER_INNER,
    UPPER_OUTER,
    Puppet,
    find_landmarks,
    make_puppet,
    mean_depth,
    mean_landmarks,
    read_drawing,
    read_points,
)

PAGE = Path(__file__).parent / "puppet_page"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".png": "image/png"}
MOST_BYTES = 100_000  # of a request; 68 points need 3000
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob:; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
UPPER_LIDS, LOWER_LIDS = [37, 38, 43, 44], [41, 40, 47, 46]
WIDEST = 0.45  # opening of the preview's mouth, of its width


class PuppetEditor:
    """Serves the page until its user finishes.

    Args:
        name: Of the puppet.
        picture: uint8 BGRA (H, W, 4).
        points: Landmarks to start from, (68, 2) pixels.
        depth: z (68,) of a face 1.6 wide.
        folder: Where the puppet is saved.
        inner_lip: See ``make_puppet``.
        hint: Said at the top of the page.
        port: 0 for any that is free.

    Attributes:
        url: Address of the page.
        saved: The puppet as last saved, or None.
    """

    def __init__(self, name, picture, points, depth, folder, inner_lip=False, hint="", port=0):
        self.name, self.picture, self.points, self.depth = name, picture, np.asarray(points), depth
        self.folder, self.inner_lip, self.hint = Path(folder), inner_lip, hint
        self.saved: Puppet | None = None
        self._secret = secrets.token_urlsafe(16)
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/{self._secret}/"

    def serve(self) -> Puppet | None:
        """Serve until the user finishes (or Ctrl-C); returns what was saved."""
        try:
            self._server.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt:
            logging.info("stopped")
        finally:
            self._server.server_close()
        return self.saved

    def inner_path(self, path: str) -> str | None:
        """What of an address follows the secret; None where that is wrong."""
        _, secret, *rest = f"{path.partition('?')[0]}/".split("/")
        return "/".join(rest).strip("/") if secrets.compare_digest(secret.encode(), self._secret.encode()) else None

    def get(self, path: str) -> tuple[str, bytes] | None:
        """Answer a request to read: media type and content, None for what there is not."""
        if path == "start.json":
            height, width = self.picture.shape[:2]
            begun = {"points": self.points[:, :2].tolist(), "width": width, "height": height, "hint": self.hint}
            return "application/json", json.dumps(begun | {"inner_lip": self.inner_lip}).encode()
        if path == "drawing.png":
            return "image/png", cv2.imencode(".png", self.picture)[1].tobytes()
        file = PAGE / (path or "index.html")
        if file.name != (path or "index.html") or not file.is_file():
            return None
        return f"{TYPES[file.suffix]}; charset=utf-8", file.read_bytes()

    def post(self, path: str, content: dict) -> tuple[str, bytes] | None:
        """Answer a request to do something.

        Raises:
            ValueError: Landmarks that cannot be those of a face; the page shows it.
        """
        if path == "finish":
            # From a thread of its own, for it waits for the answers under way.
            threading.Thread(target=self._server.shutdown).start()
            return "application/json", b"{}"
        if path not in ("preview", "save"):
            return None
        puppet = self._puppet(content)
        if path == "preview":
            points = posed(puppet, _share(content, "opening"), _share(content, "blink"))
            return "image/png", cv2.imencode(".png", CartoonFace(puppet).draw(points))[1].tobytes()
        puppet.save(self.folder)
        self.saved = puppet
        logging.info("saved %s", self.folder)
        return "application/json", json.dumps({"folder": str(self.folder)}).encode()

    def _puppet(self, content: dict) -> Puppet:
        try:
            points = np.array(content["points"], np.float64).reshape(68, 2)
        except (KeyError, TypeError, ValueError):
            raise ValueError("the page sent no 68 points; load it again") from None
        return make_puppet(self.name, self.picture, points, self.depth, content.get("inner_lip") is True)


def make_puppet_folder(
    image: str | os.PathLike,
    out: str | os.PathLike,
    landmarks: str | os.PathLike | None = None,
    serve: bool = False,
    inner_lip: bool = False,
    face_backend: str = "auto",
    port: int = 0,
) -> Puppet:
    """Make a puppet of a drawing; its landmarks are given, detected, or placed by hand.

    Args:
        image: The drawing.
        out: Folder to write.
        landmarks: Text file of 68 lines, x y.
        serve: Let them be placed or corrected on the page, which is also done where no face is found.
        inner_lip: See ``make_puppet``.
        face_backend: See ``make_backend``.
        port: Of the page; 0 for any that is free.

    Raises:
        RuntimeError: The page was left without saving.
        ValueError: The landmarks cannot be those of a face.
    """
    picture, name, hint = read_drawing(image), Path(image).stem, ""
    points = read_points(landmarks) if landmarks else find_landmarks(picture, make_backend(face_backend))
    if points is None:
        logging.warning("%s: no face was found; place its landmarks by hand", image)
        points, serve, hint = mean_landmarks(*picture.shape[:2]), True, "No face was found in the drawing."
    if not serve:
        puppet = make_puppet(name, picture, points, mean_depth(), inner_lip)
        puppet.save(out)
        return puppet
    editor = PuppetEditor(name, picture, points, mean_depth(), out, inner_lip, hint, port)
    logging.info("open %s in a browser on this machine", editor.url)
    puppet = editor.serve()
    if puppet is None:
        raise RuntimeError(f"{image}: the page was left without saving; nothing was written")
    return puppet


def posed(puppet: Puppet, opening: float, blink: float) -> np.ndarray:
    """Open the mouth and close the eyes of a puppet.

    Args:
        puppet: The puppet.
        opening: 0, closed, to 1.
        blink: 0, open, to 1.

    Returns:
        Landmarks (68, 2), pixels.
    """
    points = puppet.to_pixels(puppet.closed)
    drop = opening * WIDEST * np.hypot(*(points[54] - points[48]))
    for rows, share in ((UPPER_INNER, -0.15), (UPPER_OUTER, -0.15), (LOWER_INNER, 0.85), (LOWER_OUTER, 0.85)):
        points[rows, 1] += share * drop * np.hanning(len(rows) + 2)[1:-1] ** 0.5
    points[5:12, 1] += 0.5 * drop * np.hanning(9)[1:-1]
    upper, lower = points[UPPER_LIDS], points[LOWER_LIDS]
    shut = 0.25 * upper + 0.75 * lower
    points[UPPER_LIDS], points[LOWER_LIDS] = upper + blink * (shut - upper), lower + blink * (shut - lower)
    return points


def _share(content: dict, key: str) -> float:
    value = content.get(key, 0)
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"{key} has to be from 0 to 1, not {value!r}")
    return float(value)


def _handler(editor: PuppetEditor) -> type[BaseHTTPRequestHandler]:
    """Make the class that http.server wants."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 30  # seconds without a word

        def do_GET(self):  # noqa: N802
            path = editor.inner_path(self.path)
            self._answer(None if path is None else editor.get(path))

        def do_POST(self):  # noqa: N802
            path, length = editor.inner_path(self.path), self.headers.get("Content-Length", "")
            if path is None or not length.isdecimal() or int(length) > MOST_BYTES:
                self.close_connection = True
                self._answer(None)
                return
            try:
                content = json.loads(self.rfile.read(int(length)))
                if not isinstance(content, dict):
                    raise ValueError("the page sent no points; load it again")
                self._answer(editor.post(path, content))
            except (ValueError, OSError) as error:
                self._answer(("application/json", json.dumps({"error": str(error)}).encode()), 422)

        def _answer(self, answer: tuple[str, bytes] | None, status: int = 200):
            kind, body = answer or ("text/plain", b"not here\n")
            self.send_response(status if answer else 404)
            for name, value in {**HEADERS, "Content-Type": kind, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format, *arguments):
            logging.debug(format, *arguments)

    return Handler
