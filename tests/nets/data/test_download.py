"""Downloads: nothing without being asked, nothing without its checksum, from a server on this machine."""

import os
import re
import threading
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from filelock import FileLock

import nets
from nets.data.download import DownloadError, download
from nets.data.published import CIFAR10, CIFAR100, PUBLISHED
from tests.nets.data_files import archive, cifar_files, published, small, write

NAME = "cifar-10-binary.tar.gz"


class Server(BaseHTTPRequestHandler):
    """Gives the contents of `files`, from the byte that is asked for, up to the byte `ends`."""

    def __init__(self, state, *arguments):
        self.state = state
        super().__init__(*arguments)

    def do_GET(self):
        self.state["requests"].append((self.path, self.headers.get("Range")))
        content = self.state["files"].get(self.path.lstrip("/"))
        if content is None:
            self.send_error(404)
            return
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked and self.state["ranges"] else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start : self.state["ends"]])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A small CIFAR-10 as its publisher would serve it; the address is state["url"]."""
    files, parts = cifar_files()
    content = archive(files)
    known = small(CIFAR10, downloads=(published(NAME, content),), mirrors=("https://localhost:1/",), checksums={})
    monkeypatch.setitem(PUBLISHED, "cifar-10", known)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MGNET_DATA", raising=False)
    state = {"files": {NAME: content}, "requests": [], "ranges": True, "ends": None, "parts": parts}
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Server, state)) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        state["url"] = f"http://127.0.0.1:{http.server_port}"
        yield state
        http.shutdown()
        thread.join()


def load(server, **settings):
    return nets.data.load("cifar-10", base_url=server["url"], progress=False, **{"download": True, **settings})


def test_nothing_is_fetched_without_being_asked(server, tmp_path):
    with pytest.raises(FileNotFoundError, match="Add --download"):
        load(server, download=False)
    assert server["requests"] == []
    assert list(tmp_path.iterdir()) == []


def test_a_set_is_fetched_once_and_verified(server, tmp_path):
    data = load(server)
    assert (data.train_images.numpy() == server["parts"]["train"][0]).all()
    assert all(file.as_published for file in data.source)
    assert [p.name for p in (tmp_path / "cache" / "mgnet" / "cifar-10").iterdir()] == [NAME]
    load(server)
    load(server, download=False)
    assert len(server["requests"]) == 1
    load(server, data_dir=tmp_path / "here")
    assert (tmp_path / "here" / "cifar-10" / NAME).exists()


def test_processes_fetch_a_set_one_after_the_other(server, tmp_path):
    folder = tmp_path / "cache" / "mgnet" / "cifar-10"
    folder.mkdir(parents=True)
    lock = FileLock(folder / "download.lock", thread_local=False)
    with lock:
        other = threading.Thread(target=load, args=(server,))
        other.start()
        other.join(0.2)
        assert other.is_alive()
        assert server["requests"] == []
    other.join(60)
    assert len(server["requests"]) == 1
    assert os.listdir(folder) == [NAME]


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_transfer_is_continued(server, tmp_path, ranges):
    """Or begun again where the server cannot continue."""
    content = server["files"][NAME]
    server |= {"ends": 1000, "ranges": ranges}
    with pytest.raises(DownloadError, match=rf"ended after 1,000 of {len(content):,} bytes"):
        load(server)
    folder = tmp_path / "cache" / "mgnet" / "cifar-10"
    assert [(p.name, p.stat().st_size) for p in folder.iterdir()] == [(NAME + ".part", 1000)]
    server["ends"] = None
    load(server)
    assert [p.name for p in folder.iterdir()] == [NAME]
    assert (folder / NAME).read_bytes() == content
    assert server["requests"] == [(f"/{NAME}", None), (f"/{NAME}", "bytes=1000-")]


@pytest.mark.parametrize("change", ["bits", "longer", "other part"])
def test_what_was_not_published_is_not_kept(server, tmp_path, change):
    content = server["files"][NAME]
    folder = tmp_path / "cache" / "mgnet" / "cifar-10"
    if change == "other part":
        folder.mkdir(parents=True)
        (folder / (NAME + ".part")).write_bytes(b"x" * 100)
    else:
        server["files"][NAME] = content + b"x" if change == "longer" else b"x" + content[1:]
    with pytest.raises(DownloadError, match=rf"{NAME}: [\d,]+ bytes with checksum \w+; published are"):
        load(server)
    assert list(folder.iterdir()) == []


def test_a_file_in_the_way_is_not_overwritten(server, tmp_path):
    folder = tmp_path / "there"
    folder.mkdir()
    (folder / NAME).write_bytes(b"mine")
    with pytest.raises(DownloadError, match=r"not the published file .* nothing is overwritten"):
        download(PUBLISHED["cifar-10"], folder, server["url"], progress=False)
    assert (folder / NAME).read_bytes() == b"mine"
    assert server["requests"] == []


def test_failures_name_the_addresses(server):
    del server["files"][NAME]
    with pytest.raises(DownloadError, match=rf"{server['url']}/{NAME}: HTTP Error 404"):
        load(server)
    with pytest.raises(DownloadError, match=rf"https://localhost:1/{NAME}: .*refused"):
        nets.data.load("cifar-10", download=True, progress=False)


def test_a_mirror_that_leads_away_from_https_is_refused(server, tmp_path):
    known = replace(PUBLISHED["cifar-10"], mirrors=(server["url"] + "/",))
    with pytest.raises(DownloadError, match=rf"led to {server['url']}/{NAME}, which is not https"):
        download(known, tmp_path / "there", progress=False)
    assert list((tmp_path / "there").iterdir()) == []


def test_mirrors_are_https_and_checksums_are_known():
    for known in (CIFAR10, *PUBLISHED.values()):
        assert all(mirror.startswith("https://") and mirror.endswith("/") for mirror in known.mirrors)
        assert all(re.fullmatch("[0-9a-f]{32}", file.md5) for file in (*known.downloads, *known.archives))


def test_a_set_of_which_files_are_missing_is_completed(server, tmp_path, monkeypatch):
    files, parts = cifar_files(100)
    downloads = tuple(published(name, content) for name, content in files.items())
    known = small(CIFAR100, downloads=downloads, checksums={file.name: file.md5 for file in downloads})
    monkeypatch.setitem(PUBLISHED, "cifar-100", known)
    server["files"] |= files
    write(tmp_path / "cache" / "mgnet" / "cifar-100", {"train.bin": files["train.bin"]})
    with pytest.raises(FileNotFoundError, match=r"lacks test\.bin"):
        nets.data.load("cifar-100")
    data = nets.data.load("cifar-100", download=True, base_url=server["url"], progress=False)
    assert (data.test_images.numpy() == parts["test"][0]).all()
    assert [path for path, _ in server["requests"]] == ["/test.bin"]


def test_two_processes_do_not_download_at_once(server, tmp_path):
    """The second waits, and finds the file of the first."""
    barrier = threading.Barrier(2)

    def fetch():
        barrier.wait()
        download(PUBLISHED["cifar-10"], tmp_path / "both", server["url"], progress=False)

    threads = [threading.Thread(target=fetch) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server["requests"]) == 1
    assert [path.name for path in (tmp_path / "both").iterdir()] == [NAME]
