"""Downloads, against a host on this machine that misbehaves on request."""

import errno
import hashlib
import re
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from backblaze_assets.drive_stats.archive import archive_name, quarters_of
from backblaze_assets.drive_stats.demo import write_zips
from backblaze_assets.drive_stats.download import (
    KnownArchive,
    NotPublishedError,
    Patience,
    download,
    known_archives,
    published_since,
)
from backblaze_assets.drive_stats.quarters import (
    days_of,
    next_quarter,
    quarter_name,
    quarter_of,
)
from backblaze_assets.errors import DataError
from backblaze_assets.work import progress

NAME = "data_2013.zip"
PATIENCE = Patience(attempts=3, first_delay_s=0.01)


@dataclass
class Host:
    """What the host has, how it behaves, and what it was asked."""

    files: dict[str, bytes]
    url: str = ""
    version: str = '"one"'
    version_header: str = "ETag"
    ranges: bool = True
    wrong_ranges: bool = False
    tell_size: bool = True
    answers: list[int] = field(default_factory=list)
    """Status of the next answers to GET, 200 for a good one; then all are good."""
    cuts: list[int] = field(default_factory=list)
    """Bytes after which the next bodies break off; then none does."""
    get_versions: list[str] = field(default_factory=list)
    """Versions that the next answers to GET name instead of `version`."""
    requests: list[str] = field(default_factory=list)
    content_type: str = ""
    redirect: str = ""
    """Where every question is sent on to."""
    told_size: int | None = None
    """The size told, when it is not the right one."""
    endless: bool = False


def first_byte(host: Host, asked: str) -> int:
    start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and host.ranges else 0
    return start - 1 if start and host.wrong_ranges else start


class Handler(BaseHTTPRequestHandler):
    host: Host

    def log_message(self, *_args):
        pass

    def do_HEAD(self):
        self.answer(with_body=False)

    def do_GET(self):
        self.answer(with_body=True)

    def answer(self, *, with_body):
        asked = self.headers.get("Range", "")
        self.host.requests.append(f"{self.command} {asked}".strip())
        content = self.host.files.get(self.path.lstrip("/"))
        if self.host.redirect:
            self.send_response(302)
            self.send_header("Location", self.host.redirect)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        status = self.host.answers.pop(0) if with_body and self.host.answers else 200
        if content is None or status != 200:
            self.send_response(404 if content is None else status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_file(content, first_byte(self.host, asked), with_body=with_body)

    def send_file(self, content, start, *, with_body):
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if self.host.content_type:
            self.send_header("Content-Type", self.host.content_type)
        size = len(content) if self.host.told_size is None else self.host.told_size
        if self.host.tell_size and not (with_body and self.host.endless):
            self.send_header("Content-Length", str(size - start))
        version = self.host.version
        if with_body and self.host.get_versions:
            version = self.host.get_versions.pop(0)
        if version:
            self.send_header(self.host.version_header, version)
        self.end_headers()
        if with_body:
            end = self.host.cuts.pop(0) if self.host.cuts else len(content)
            self.wfile.write(content[start:end])
            with suppress(OSError):
                while self.host.endless:
                    self.wfile.write(b"x" * 65536)


@contextmanager
def serving(host: Host, context: ssl.SSLContext | None = None) -> Iterator[Host]:
    with ThreadingHTTPServer(("127.0.0.1", 0), type("", (Handler,), {"host": host})) as server:
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
            server.handle_error = lambda *_: None  # type: ignore[method-assign]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        host.url = f"http{'s' if context else ''}://127.0.0.1:{server.server_port}"
        yield host
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    return write_zips(tmp_path_factory.mktemp("zips"), drives=50, last=date(2013, 4, 14))[
        0
    ].read_bytes()


@pytest.fixture
def host(content):
    with serving(Host({NAME: content})) as host:
        yield host


def fetch(host, folder, names=(NAME,)):
    return download(names, folder, base_url=host.url, patience=PATIENCE)


def gets(host):
    return [request for request in host.requests if request.startswith("GET")]


def test_a_zip_is_fetched_whole_and_nothing_else_is_left(host, tmp_path, content):
    [done] = fetch(host, tmp_path / "new folder")
    assert done.path == tmp_path / "new folder" / NAME
    assert done.path.read_bytes() == content
    assert done.fetched
    assert done.size == len(content)
    assert [path.name for path in done.path.parent.iterdir()] == [NAME]


def test_what_is_there_already_is_not_fetched_and_this_is_said(host, tmp_path, content):
    (tmp_path / NAME).write_bytes(content)
    [done] = fetch(host, tmp_path)
    assert not done.fetched
    assert "there already" in str(done)
    assert gets(host) == []


def test_a_file_of_another_size_is_replaced(host, tmp_path, content):
    (tmp_path / NAME).write_bytes(content[:-1])
    [done] = fetch(host, tmp_path)
    assert done.fetched
    assert done.path.read_bytes() == content


@pytest.mark.parametrize("version_header", ["ETag", "X-Bz-File-Id"])
def test_a_cut_transfer_goes_on_where_it_was_cut(host, tmp_path, content, version_header):
    host.version_header = version_header
    host.cuts = [1000, 3000]
    [done] = fetch(host, tmp_path)
    assert done.path.read_bytes() == content
    assert gets(host) == ["GET", "GET bytes=1000-", "GET bytes=3000-"]


def test_as_long_as_bytes_arrive_it_does_not_give_up(host, tmp_path, content):
    host.cuts = list(range(1000, 11_000, 1000))
    assert fetch(host, tmp_path)[0].path.read_bytes() == content
    assert len(gets(host)) == 11


def test_the_next_call_goes_on_where_the_last_gave_up(host, tmp_path, content):
    host.cuts = [1000, 1000, 1000]
    with pytest.raises(DataError, match="what has arrived is kept"):
        fetch(host, tmp_path)
    assert not (tmp_path / NAME).exists()
    [done] = fetch(host, tmp_path)
    assert done.path.read_bytes() == content
    assert gets(host)[-1] == "GET bytes=1000-"


def test_an_interrupt_leaves_the_part_for_the_next_call(host, tmp_path, content):
    class Impatient:
        def start(self, what, total, unit):
            pass

        def advance(self, count):
            if count:
                raise KeyboardInterrupt

        def finish(self):
            pass

    with pytest.raises(KeyboardInterrupt), progress.listening(Impatient()):
        fetch(host, tmp_path)
    assert not (tmp_path / NAME).exists()
    assert (tmp_path / f".{NAME}.part").stat().st_size > 0
    assert fetch(host, tmp_path)[0].path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [tmp_path / NAME]


def test_two_versions_are_never_glued_together(host, tmp_path, content):
    host.cuts = [1000, 1000, 1000]
    host.files[NAME] = b"x" * len(content)
    with pytest.raises(DataError):
        fetch(host, tmp_path)
    host.files[NAME], host.version = content, '"two"'
    [done] = fetch(host, tmp_path)
    assert done.path.read_bytes() == content
    assert gets(host)[-1] == "GET"


def test_a_version_that_changes_between_question_and_answer_is_not_glued(host, tmp_path, content):
    host.cuts = [1000]
    host.get_versions = ['"one"', '"newer"']
    assert fetch(host, tmp_path)[0].path.read_bytes() == content
    assert gets(host) == ["GET", "GET bytes=1000-", "GET bytes=1000-"]


@pytest.mark.parametrize("version", ["", 'W/"weak"'])
def test_without_a_dependable_version_every_attempt_starts_anew(host, tmp_path, content, version):
    host.version = version
    host.cuts = [1000]
    assert fetch(host, tmp_path)[0].path.read_bytes() == content
    assert gets(host) == ["GET", "GET"]


def test_a_host_that_knows_no_ranges_sends_all_again(host, tmp_path, content):
    host.ranges = False
    host.cuts = [1000]
    assert fetch(host, tmp_path)[0].path.read_bytes() == content
    assert gets(host) == ["GET", "GET bytes=1000-"]


def test_a_range_that_was_not_asked_for_is_not_used(host, tmp_path, content):
    host.wrong_ranges = True
    host.cuts = [1000]
    assert fetch(host, tmp_path)[0].path.read_bytes() == content


def test_a_body_shorter_than_the_size_told_is_noticed(host, tmp_path, content):
    host.cuts = [len(content) - 1]
    assert fetch(host, tmp_path)[0].path.read_bytes() == content


def test_a_host_that_tells_no_size_is_believed_when_the_zip_is_whole(host, tmp_path, content):
    host.tell_size = False
    assert fetch(host, tmp_path)[0].path.read_bytes() == content


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_host_is_asked_again(host, tmp_path, content, status):
    host.answers = [status, status]
    assert fetch(host, tmp_path)[0].path.read_bytes() == content
    assert len(gets(host)) == 3


def test_a_host_that_stays_busy_is_given_up(host, tmp_path):
    host.answers = [503] * 99
    with pytest.raises(DataError, match=r"HTTP 503.*after 3 attempts"):
        fetch(host, tmp_path)
    assert len(gets(host)) == 3


@pytest.mark.parametrize("status", [401, 416])
def test_other_answers_are_final(host, tmp_path, status):
    host.answers = [status]
    with pytest.raises(DataError, match=f"HTTP {status}"):
        fetch(host, tmp_path)
    assert len(gets(host)) == 1


def test_an_unpublished_quarter_is_named_and_nothing_is_fetched(host, tmp_path):
    with pytest.raises(NotPublishedError, match=r"2021-Q2 is not published.*data_Q2_2021\.zip"):
        fetch(host, tmp_path, [NAME, "data_Q2_2021.zip"])
    assert host.requests == ["HEAD", "HEAD"]


def test_a_quarter_that_has_not_ended_is_called_that_before_any_request(host, tmp_path):
    quarter = quarter_of(datetime.now(UTC).date())
    for later in (quarter, next_quarter(quarter), date(2031, 4, 1)):
        with pytest.raises(NotPublishedError, match=f"{quarter_name(later)} has not ended yet"):
            fetch(host, tmp_path / "new", [NAME, archive_name(later)])
    assert host.requests == []
    assert not (tmp_path / "new").exists()


def test_no_more_than_the_declared_size_is_fetched(host, tmp_path, content):
    host.endless = True
    assert fetch(host, tmp_path)[0].path.read_bytes() == content


def test_without_a_declared_size_there_is_a_limit(host, tmp_path, content, monkeypatch):
    monkeypatch.setattr("backblaze_assets.drive_stats.download.MOST_ZIP_BYTES", len(content) + 100)
    host.endless, host.tell_size = True, False
    with pytest.raises(DataError, match=r"more than .* nothing of it was kept"):
        fetch(host, tmp_path)
    assert not list(tmp_path.glob("*.part"))


def test_a_size_beyond_the_limit_is_refused_before_anything_is_fetched(host, tmp_path):
    host.told_size = 9 * 10**9
    with pytest.raises(DataError, match="is said to have 9,000,000,000 bytes"):
        fetch(host, tmp_path)
    assert gets(host) == []


def test_a_web_page_is_called_that_and_not_fetched(host, tmp_path):
    host.content_type = "text/html; charset=utf-8"
    with pytest.raises(DataError, match="gives a web page, not a zip"):
        fetch(host, tmp_path)
    assert gets(host) == []
    assert list(tmp_path.iterdir()) == []


def test_no_other_host_is_followed_to(host, tmp_path):
    elsewhere = f"http://localhost:{httpx.URL(host.url).port}/{NAME}"
    host.redirect = elsewhere
    with pytest.raises(DataError, match="another host") as error:
        fetch(host, tmp_path)
    assert elsewhere in str(error.value)
    assert len(host.requests) == 1


def test_the_same_host_is_followed(host, tmp_path, content):
    with serving(Host({NAME: b""}, redirect=f"{host.url}/{NAME}")) as first:
        assert fetch(first, tmp_path)[0].path.read_bytes() == content


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for this machine that nobody has signed but itself."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -keyout"
    try:
        subprocess.run(
            [*command.split(), path, "-out", f"{path}.crt"], check=True, stderr=subprocess.DEVNULL
        )
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    path.write_bytes(path.read_bytes() + Path(f"{path}.crt").read_bytes())
    return path


def test_a_certificate_that_is_not_trusted_is_final(content, tmp_path, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serving(Host({NAME: content}), context) as host:
        started = time.monotonic()
        with pytest.raises(DataError, match=r"certificate is not trusted \(self.signed"):
            download([NAME], tmp_path, base_url=host.url)
        assert time.monotonic() - started < 5


def test_a_full_disk_is_called_full(host, tmp_path, monkeypatch):
    def fsync(_handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", fsync)
    with pytest.raises(DataError, match=r"is full\. Make room"):
        fetch(host, tmp_path)


def test_a_published_zip_that_cannot_be_imported_is_refused(host, tmp_path, content):
    damaged = bytearray(content)
    for found in re.finditer(b"PK\1\2", content):
        damaged[found.start() + 8] |= 1  # encrypted
    host.files[NAME] = bytes(damaged)
    with pytest.raises(DataError, match=r"gave something else.*encrypted"):
        fetch(host, tmp_path)


def test_no_host_at_all_is_a_clear_error(tmp_path):
    with serving(Host({})) as gone:
        pass
    with pytest.raises(DataError, match=r"data_2013\.zip cannot be fetched: .*refused"):
        fetch(gone, tmp_path)


def test_something_else_under_the_name_of_a_zip_is_refused_and_not_kept(host, tmp_path):
    host.files[NAME] = b"<html>Please sign in to this network</html>"
    with pytest.raises(DataError, match="gave something else"):
        fetch(host, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_size_other_than_the_known_one_is_a_warning_and_no_more(host, tmp_path):
    [done] = fetch(host, tmp_path)
    assert re.search(r"has [\d,]+ bytes, 80,983,520 were known", done.warning)
    assert done.warning in str(done)


def test_the_known_size_with_other_content_is_a_warning(host, tmp_path, content, monkeypatch):
    known = {NAME: KnownArchive(len(content), "0" * 64)}
    monkeypatch.setattr("backblaze_assets.drive_stats.download.known_archives", lambda: known)
    [done] = fetch(host, tmp_path)
    assert "not the SHA-256 known in 2026" in done.warning
    assert done.as_known is False


def test_a_zip_as_it_is_known_has_no_warning(host, tmp_path, content, monkeypatch):
    known = {NAME: KnownArchive(len(content), hashlib.sha256(content).hexdigest())}
    monkeypatch.setattr("backblaze_assets.drive_stats.download.known_archives", lambda: known)
    [done] = fetch(host, tmp_path)
    assert done.warning is None
    assert "SHA-256 as known in 2026" in str(done)
    [again] = fetch(host, tmp_path)
    assert (again.fetched, again.as_known) == (False, None)


def test_a_zip_of_which_nothing_is_known_has_no_warning(host, tmp_path, monkeypatch):
    monkeypatch.setattr("backblaze_assets.drive_stats.download.known_archives", dict)
    [done] = fetch(host, tmp_path)
    assert (done.warning, done.as_known) == (None, None)


def test_too_little_room_is_noticed_before_anything_is_fetched(host, tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 100})
    monkeypatch.setattr("shutil.disk_usage", lambda _folder: usage)
    with pytest.raises(DataError, match=r"GB free, and data_2013\.zip need"):
        fetch(host, tmp_path)
    assert gets(host) == []


def test_progress_counts_bytes_from_where_it_goes_on(host, tmp_path, content):
    class Counting:
        def __init__(self):
            self.totals, self.done = [], []

        def start(self, what, total, unit):
            assert (NAME in what, unit) == (True, "bytes")
            self.totals.append(total)
            self.done.append(0)

        def advance(self, count):
            self.done[-1] += count

        def finish(self):
            pass

    host.cuts = [1000]
    listener = Counting()
    with progress.listening(listener):
        fetch(host, tmp_path)
    assert listener.totals == [len(content)] * 2
    assert listener.done == [1000, len(content)]


def test_a_client_of_ones_own_is_used_and_left_open(host, tmp_path):
    with httpx.Client(headers={"User-Agent": "mine"}) as client:
        download([NAME], tmp_path, base_url=host.url, client=client, patience=PATIENCE)
        assert not client.is_closed


def test_published_quarters_are_found_up_to_the_first_gap(content):
    names = ["data_2015.zip", "data_Q1_2016.zip", "data_Q2_2016.zip", "data_Q4_2016.zip"]
    with serving(Host(dict.fromkeys(names, content))) as host:
        found = published_since(date(2015, 4, 1), base_url=host.url, patience=PATIENCE)
        assert found == names[:3]
        assert published_since(date(2016, 7, 1), base_url=host.url, patience=PATIENCE) == []
        assert gets(host) == []


def test_quarters_that_have_not_ended_are_not_asked_for():
    with serving(Host({})) as host:
        assert published_since(date(2999, 1, 1), base_url=host.url) == []
        assert host.requests == []


def test_a_host_out_of_reach_does_not_count_as_nothing_published():
    with serving(Host({})) as gone:
        pass
    with pytest.raises(DataError, match="cannot be fetched"):
        published_since(date(2016, 1, 1), base_url=gone.url, patience=PATIENCE)


def test_known_archives_are_all_those_of_2013_to_2026():
    known = known_archives()
    assert len(known) == 45
    assert sum(archive.zip_bytes for archive in known.values()) == 35_127_263_696
    days = [day for name in known for quarter in quarters_of(name) for day in days_of(quarter)]
    assert days == sorted(set(days))
    assert len(days) == 4830
    assert all(archive_name(quarter) == name for name in known for quarter in quarters_of(name))
    assert all(re.fullmatch("[0-9a-f]{64}", archive.sha256) for archive in known.values())
