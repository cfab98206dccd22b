import functools
import hashlib
import http.server
import io
import json
import threading
import zipfile

import pytest

from silvertalk.data import read_data_dir
from silvertalk.data.corpora import grid
from silvertalk.data.download import RemoteFile, download, fetch_list, fetch_zip, md5_of, zenodo_files
from silvertalk.data.prepare import prepare


class RangeHandler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, honours ``Range``, and can break off."""

    def do_GET(self):
        server = self.server
        path = server.folder / self.path.lstrip("/")
        if not path.is_file():
            return self.send_error(404)
        data = path.read_bytes()
        first = 0
        if "Range" in self.headers and server.knows_ranges:
            first = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
        server.requests.append((self.path, first))
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(data) - first))
        self.end_headers()
        if server.break_after and len(data) - first > server.break_after:
            self.wfile.write(data[first : first + server.break_after])
            self.close_connection = True
        else:
            self.wfile.write(data[first:])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def site(tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), RangeHandler)
    server.folder, server.requests, server.break_after, server.knows_ranges = folder, [], 0, True
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=functools.partial(server.serve_forever, 0.02), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def offer(site, name, data):
    (site.folder / name).write_bytes(data)
    return RemoteFile(name, f"{site.url}/{name}", len(data), hashlib.md5(data).hexdigest())


def make_zip(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


DATA = bytes(range(256)) * 400


def test_download(site, tmp_path):
    remote = offer(site, "a.zip", DATA)
    download(remote, tmp_path / "here/a.zip")
    assert md5_of(tmp_path / "here/a.zip") == remote.md5
    assert [p.name for p in (tmp_path / "here").iterdir()] == ["a.zip"]


def test_broken_connections_are_continued(site, tmp_path):
    remote = offer(site, "a.zip", DATA)
    site.break_after = 40000
    download(remote, tmp_path / "a.zip", pause=0)
    assert (tmp_path / "a.zip").read_bytes() == DATA
    assert site.requests == [("/a.zip", 0), ("/a.zip", 40000), ("/a.zip", 80000)]


def test_a_killed_download_is_continued(site, tmp_path):
    remote = offer(site, "a.zip", DATA)
    (tmp_path / "a.zip.part").write_bytes(DATA[:1000])
    download(remote, tmp_path / "a.zip")
    assert site.requests == [("/a.zip", 1000)] and (tmp_path / "a.zip").read_bytes() == DATA


def test_a_site_without_ranges_sends_it_again(site, tmp_path):
    remote = offer(site, "a.zip", DATA)
    site.knows_ranges = False
    (tmp_path / "a.zip.part").write_bytes(DATA[:1000])
    download(remote, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == DATA


def test_wrong_hash_is_refused_and_removed(site, tmp_path):
    remote = offer(site, "a.zip", DATA)
    (site.folder / "a.zip").write_bytes(DATA[::-1])
    with pytest.raises(RuntimeError, match="md5"):
        download(remote, tmp_path / "a.zip")
    assert not list(tmp_path.glob("a.zip*"))


def test_a_part_of_something_else_is_replaced(site, tmp_path):
    remote = offer(site, "a.zip", DATA)
    (tmp_path / "a.zip.part").write_bytes(b"x" * (len(DATA) + 5))
    download(remote, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == DATA


def test_missing_file_fails_at_once(site, tmp_path):
    with pytest.raises(RuntimeError, match="404"):
        download(RemoteFile("b.zip", f"{site.url}/b.zip", 5, ""), tmp_path / "b.zip")


def test_archive_is_unpacked_once(site, tmp_path):
    remote = offer(site, "a.zip", make_zip({"s1/x.txt": b"hello"}))
    for _ in range(2):
        fetch_zip(remote, tmp_path / "out")
    assert len(site.requests) == 1
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [".a.zip.done", "s1"]
    broken = offer(site, "b.zip", b"no archive")
    with pytest.raises(RuntimeError, match="not a zip"):
        fetch_zip(broken, tmp_path / "out")


def test_offline_and_strange_answers(site):
    with pytest.raises(RuntimeError, match="does not answer.*--db_root"):
        zenodo_files("http://127.0.0.1:9/api/records/1")
    (site.folder / "page").write_text("<html>")
    with pytest.raises(RuntimeError, match="no Zenodo record"):
        zenodo_files(f"{site.url}/page")


def test_grid_is_downloaded_and_prepared(site, tmp_path, grid_clip):
    clip = grid_clip(tmp_path / "bbaf2n.mpg", num_frames=5).read_bytes()
    codes = [f"bba{letter}{digit}n" for letter in "abcdef" for digit in "12"]
    archives = {
        "s1.zip": make_zip({f"s1/{code}.mpg": clip for code in codes}),
        "s2.zip": make_zip({"s2/bbaf2n.mpg": clip}),
        "alignments.zip": make_zip({"alignments/s1/bbaf2n.align": b"0 1000 sil\n"}),
        "audio_25k.zip": b"not wanted",
    }
    files = [offer(site, name, data) for name, data in archives.items()]
    entries = [{"key": f.name, "size": f.size, "checksum": f"md5:{f.md5}", "links": {"self": f.url}} for f in files]
    (site.folder / "record").write_text(json.dumps({"files": entries}))
    root = tmp_path / "grid"
    with pytest.raises(ValueError, match="no speaker 's9'.*s1 s2"):
        grid.download(str(root), "s9", f"{site.url}/record")
    options = {"spk": "s1", "num_frames": 5, "dev_share": 0.1, "record_url": f"{site.url}/record"}
    prepare(grid, str(tmp_path / "data"), download=True, db_root=str(root), **options)
    assert {path for path, _ in site.requests} == {"/record", "/alignments.zip", "/s1.zip"}
    assert len(read_data_dir(tmp_path / "data/tr_no_dev")) == 10
    assert (root / "alignments/s1/bbaf2n.align").is_file() and not (root / "s2").exists()


def test_lists_are_fetched_once_and_are_no_web_pages(site, tmp_path, caplog):
    offer(site, "a.txt", b"Radio1 http://x\n")
    for _ in range(2):
        fetch_list(f"{site.url}/a.txt", tmp_path / "lists/a.txt", pause=0)
    assert (tmp_path / "lists/a.txt").read_text() == "Radio1 http://x\n" and len(site.requests) == 1
    for name, data, message in (("b", b" <html>", "a web page"), ("c", b"\n", "empty"), ("d", None, "404")):
        if data is not None:
            offer(site, name, data)
        with pytest.raises(RuntimeError, match=message):
            fetch_list(f"{site.url}/{name}", tmp_path / "lists" / name, pause=0)
    assert "try 2 of" not in caplog.text  # what will always fail fails at once
    offer(site, "e", DATA)
    site.break_after = 40000
    with pytest.raises(RuntimeError, match="run again"):
        fetch_list(f"{site.url}/e", tmp_path / "lists/e", pause=0)
    assert [path.name for path in (tmp_path / "lists").iterdir()] == ["a.txt"]
