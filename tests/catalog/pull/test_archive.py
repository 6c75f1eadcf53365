"""An archive over HTTP, from servers that fail in every way that they know."""

import datetime
import email.utils
import hashlib
import json
import os
import stat
import sys
import threading
from pathlib import Path

import filelock
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.catalog.conftest import Fetch
from tests.catalog.pull.server import Answer, FileServer, etag_of, zip_of
from tfclf.catalog import pull as download
from tfclf.catalog.pull import Settings, disk_space
from tfclf.catalog.pull.address import apply_mirror, hide_secrets
from tfclf.catalog.pull.archive import find_zip_flaw
from tfclf.catalog.pull.http import parse_retry_after
from tfclf.catalog.pull.part import Head, Part
from tfclf.errors import CardError, DownloadError, InputError, MissingExtraError

CONTENT = zip_of()
OTHER = zip_of(seed=3)


def _files(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()} - {
        "x.zip.lock"
    }


def test_what_came_is_what_the_server_has(fetch: Fetch) -> None:
    path, _ = fetch()
    assert path.read_bytes() == CONTENT


def test_a_record_lies_beside_it(fetch: Fetch, server: FileServer, tmp_path: Path) -> None:
    path, record = fetch()
    assert json.loads(path.with_name("x.zip.json").read_text(encoding="utf-8")) == {
        "format_version": 1,
        "url": f"{server.url}/models/x.zip",
        "address": f"{server.url}/models/x.zip",
        "size": len(CONTENT),
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "etag": etag_of(CONTENT),
        "fetched": record.fetched,
    }
    assert _files(tmp_path) == {"x.zip", "x.zip.json"}


def test_it_is_fetched_once(fetch: Fetch, server: FileServer) -> None:
    assert fetch() == fetch()
    assert len(server.asked) == 1


def test_a_file_cut_on_the_disk_is_fetched_again(fetch: Fetch) -> None:
    path, _ = fetch()
    path.write_bytes(CONTENT[:1000])
    assert fetch()[0].read_bytes() == CONTENT


def test_another_address_is_another_file(fetch: Fetch, server: FileServer) -> None:
    fetch("/one/x.zip")
    server.content = OTHER
    assert fetch("/other/x.zip")[0].read_bytes() == OTHER


def test_a_dropped_connection_is_gone_on_with(
    fetch: Fetch, server: FileServer, waits: list[float]
) -> None:
    server.answers = [Answer(cut=70_000), Answer(cut=60_000)]
    assert fetch()[0].read_bytes() == CONTENT
    assert [asked.range for asked in server.asked] == [None, "bytes=70000-", "bytes=130000-"]
    assert [asked.headers.get("If-Range") for asked in server.asked] == [
        None,
        etag_of(CONTENT),
        etag_of(CONTENT),
    ]
    assert waits == [1, 1]  # each brought something new


def test_breaks_that_bring_nothing_new_end_it(
    fetch: Fetch, server: FileServer, waits: list[float]
) -> None:
    server.always = Answer(cut=0)
    with pytest.raises(DownloadError, match=r"4 times in a row. Try again later"):
        fetch()
    assert waits == [1, 2, 4]


def test_what_had_come_is_kept_for_the_next_command(fetch: Fetch, server: FileServer) -> None:
    server.answers = [Answer(cut=70_000), *[Answer(status=503)] * 9]
    with pytest.raises(DownloadError, match=r"503.*The 70,000 bytes so far are kept"):
        fetch()
    server.answers, server.asked = [], []
    assert fetch()[0].read_bytes() == CONTENT
    assert [asked.range for asked in server.asked] == ["bytes=70000-"]


def test_a_server_without_ranges_begins_again(fetch: Fetch, server: FileServer) -> None:
    server.answers = [Answer(cut=70_000), Answer(ranges=False)]
    assert fetch()[0].read_bytes() == CONTENT
    assert len(server.asked) == 2


def test_a_server_without_ranges_that_always_drops_ends_it(
    fetch: Fetch, server: FileServer
) -> None:
    server.always = Answer(cut=70_000, ranges=False)
    with pytest.raises(DownloadError, match="times in a row"):
        fetch()
    assert len(server.asked) == 4


def test_a_file_changed_in_between_begins_again(fetch: Fetch, server: FileServer) -> None:
    server.answers = [Answer(cut=70_000)]
    server.answers.append(Answer(content=OTHER))
    server.content = OTHER
    path, record = fetch()
    assert path.read_bytes() == OTHER
    assert record.etag == etag_of(OTHER)


def test_a_changed_file_is_noticed_where_the_server_does_not_hear_if_range(
    fetch: Fetch, server: FileServer
) -> None:
    changed = Answer(
        headers={"ETag": etag_of(OTHER)}
    )  # a range, of what is said to be another file
    server.answers = [Answer(cut=70_000), changed]
    assert fetch()[0].read_bytes() == CONTENT
    assert [asked.range for asked in server.asked] == [None, "bytes=70000-", None]


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_without_a_strong_etag_the_date_will_do(
    fetch: Fetch, server: FileServer, etag: str | None
) -> None:
    server.answers = [Answer(cut=70_000, headers={"ETag": etag}), Answer(headers={"ETag": etag})]
    assert fetch()[0].read_bytes() == CONTENT
    assert server.asked[1].headers["If-Range"].endswith("GMT")


def test_without_etag_and_date_it_begins_again(fetch: Fetch, server: FileServer) -> None:
    server.answers = [Answer(cut=70_000, headers={"ETag": None, "Last-Modified": None})]
    assert fetch()[0].read_bytes() == CONTENT
    assert [asked.range for asked in server.asked] == [None, None]


@pytest.mark.parametrize(
    "stated",
    ["bytes 70001-199999/200000", "bytes 70000-1/1", "lines 1-2/3", f"bytes 0-1/{len(CONTENT)}"],
)
def test_a_range_that_was_not_asked_for_is_not_taken(
    fetch: Fetch, server: FileServer, stated: str
) -> None:
    server.answers = [Answer(cut=70_000), Answer(headers={"Content-Range": stated})]
    assert fetch()[0].read_bytes() == CONTENT
    assert [asked.range for asked in server.asked] == [None, "bytes=70000-", None]


def test_a_length_that_is_too_long_is_told(
    fetch: Fetch, server: FileServer, tmp_path: Path
) -> None:
    server.always = Answer(headers={"Content-Length": str(len(CONTENT) + 100)}, ranges=False)
    with pytest.raises(DownloadError, match="the connection broke"):
        fetch()
    assert "x.zip" not in _files(tmp_path)


def test_a_length_that_was_too_long_is_put_right_by_a_server_that_knows_ranges(
    fetch: Fetch, server: FileServer
) -> None:
    server.answers = [Answer(headers={"Content-Length": str(len(CONTENT) + 100)})]
    path, record = fetch()
    assert (path.read_bytes(), record.size) == (CONTENT, len(CONTENT))
    assert len(server.asked) == 2


def test_a_length_that_is_too_short_is_told(
    fetch: Fetch, server: FileServer, tmp_path: Path
) -> None:
    server.always = Answer(headers={"Content-Length": str(len(CONTENT) - 100)})
    with pytest.raises(DownloadError, match=r"is no whole zip file.*Nothing of it is kept"):
        fetch()
    assert _files(tmp_path) == set()


def test_a_page_in_place_of_the_file_is_told_with_its_beginning(
    fetch: Fetch, server: FileServer
) -> None:
    server.content = b"<html>Sign in to this network" + b" " * 100
    with pytest.raises(DownloadError, match=r"is no whole zip file.*<html>Sign in"):
        fetch()


def test_a_server_that_says_no_length_is_heard_to_its_end(fetch: Fetch, server: FileServer) -> None:
    server.always = Answer(headers={"Content-Length": None})
    assert fetch()[0].read_bytes() == CONTENT


def test_a_compressed_body_is_refused(fetch: Fetch, server: FileServer) -> None:
    server.always = Answer(headers={"Content-Encoding": "gzip"})
    with pytest.raises(DownloadError, match="Content-Encoding gzip, which was not asked for"):
        fetch()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
def test_a_refusal_is_told_at_once_with_address_code_and_what_to_do(
    fetch: Fetch, server: FileServer, tmp_path: Path, status: int
) -> None:
    server.always = Answer(status=status)
    with pytest.raises(DownloadError) as caught:
        fetch()
    assert f"{server.url}/models/x.zip answers HTTP {status}" in str(caught.value)
    assert "mirror" in str(caught.value)
    assert len(server.asked) == 1
    assert _files(tmp_path) == set()


@pytest.mark.parametrize("status", [404, 403])
def test_a_refusal_says_how_to_load_the_file_by_hand(
    fetch: Fetch, server: FileServer, status: int
) -> None:
    server.always = Answer(status=status)
    with pytest.raises(DownloadError, match=r'tfclf\.load\("x\.zip"\)'):
        fetch()


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(fetch: Fetch, server: FileServer, status: int) -> None:
    server.answers = [Answer(status=status)]
    assert fetch()[0].read_bytes() == CONTENT


def test_a_server_that_always_fails_is_given_up(
    fetch: Fetch, server: FileServer, waits: list[float]
) -> None:
    server.always = Answer(status=500)
    with pytest.raises(DownloadError, match=r"/models/x\.zip answers HTTP 500 .*4 times in a row"):
        fetch()
    assert waits == [1, 2, 4]


def test_retry_after_is_heard(fetch: Fetch, server: FileServer, waits: list[float]) -> None:
    server.answers = [Answer(status=429, headers={"Retry-After": "17"})]
    fetch()
    assert waits == [17]


def test_a_server_that_asks_to_wait_for_hours_is_told(
    fetch: Fetch, server: FileServer, waits: list[float]
) -> None:
    server.always = Answer(status=429, headers={"Retry-After": "7200"})
    with pytest.raises(DownloadError, match="asks to wait 7,200 seconds"):
        fetch()
    assert waits == []


def test_retry_after_may_be_a_date() -> None:
    then = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    assert 0 < (parse_retry_after(email.utils.format_datetime(then, usegmt=True)) or 0) <= 3600
    assert parse_retry_after("Mon, 01 Jan 2001 00:00:00 GMT") == 0


@settings(deadline=None)
@given(st.text())
def test_any_retry_after_is_seconds_or_nothing(value: str) -> None:
    assert (parse_retry_after(value) or 0) >= 0


def test_redirects_are_followed(fetch: Fetch, server: FileServer) -> None:
    server.answers = [Answer(status=302, headers={"Location": "/elsewhere/x.zip"})]
    assert fetch()[0].read_bytes() == CONTENT
    assert [asked.path for asked in server.asked] == ["/models/x.zip", "/elsewhere/x.zip"]


def test_a_redirected_download_is_gone_on_with(fetch: Fetch, server: FileServer) -> None:
    there = Answer(status=307, headers={"Location": "/elsewhere/x.zip"})
    server.answers = [there, Answer(cut=70_000), there]
    assert fetch()[0].read_bytes() == CONTENT
    assert server.asked[-1].range == "bytes=70000-"


def test_redirects_without_end_are_told(fetch: Fetch, server: FileServer) -> None:
    server.always = Answer(status=302, headers={"Location": "/models/x.zip"})
    with pytest.raises(DownloadError, match="redirected more than 10 times"):
        fetch()


def test_a_redirect_out_of_https_is_refused(server: FileServer) -> None:
    import httpx

    from tfclf.catalog.pull.http import _refuse_downgrade

    with pytest.raises(DownloadError, match="which is not https"):
        _refuse_downgrade("https://models.example/x.zip")(
            httpx.Request("GET", "http://models.example/x.zip")
        )
    _refuse_downgrade("http://models.example/x.zip")(
        httpx.Request("GET", "http://models.example/y.zip")
    )


def test_a_server_that_is_not_there_is_told(fetch: Fetch, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"no connection .*4 times in a row"):
        fetch(settings=Settings(tmp_path / "cache", mirror="http://127.0.0.1:9"))


def test_the_digest_of_the_card_is_asked_for(fetch: Fetch, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"has the SHA-256 .*expected aaaa.*another file"):
        fetch(sha256="a" * 64)
    assert _files(tmp_path) == set()


def test_the_right_digest_is_taken_in_any_case(fetch: Fetch) -> None:
    assert fetch(sha256=hashlib.sha256(CONTENT).hexdigest().upper())[0].read_bytes() == CONTENT


def test_a_digest_is_asked_of_what_is_there_too(fetch: Fetch) -> None:
    fetch()
    with pytest.raises(DownloadError, match="expected aaaa"):
        fetch(sha256="a" * 64)


def test_a_digest_that_is_none_is_told(fetch: Fetch) -> None:
    with pytest.raises(InputError, match="64 hexadecimal digits"):
        fetch(sha256="abc")


def test_offline_touches_no_network(fetch: Fetch, server: FileServer, tmp_path: Path) -> None:
    offline = Settings(tmp_path / "cache", offline=True)
    with pytest.raises(DownloadError, match="--offline"):
        fetch(settings=offline)
    assert server.asked == []
    assert fetch() == fetch(settings=offline)


def test_a_mirror_stands_in_place_of_the_host(server: FileServer, tmp_path: Path) -> None:
    from tfclf.catalog.pull import archive

    mirrored = Settings(tmp_path / "cache", mirror=f"{server.url}/kept")
    _, record = archive.fetch("model", "https://gone.example/models/x.zip", settings=mirrored)
    assert [asked.path for asked in server.asked] == ["/kept/models/x.zip"]
    assert (record.url, record.address) == (
        "https://gone.example/models/x.zip",
        f"{server.url}/kept/models/x.zip",
    )


@pytest.mark.parametrize(
    ("mirror", "expected"),
    [
        (None, "https://a.example/m/x.zip"),
        ("https://b.example", "https://b.example/m/x.zip"),
        ("https://b.example/", "https://b.example/m/x.zip"),
        ("https://b.example/kept/{file}", "https://b.example/kept/x.zip"),
        ("https://b.example/get?name={file}", "https://b.example/get?name=x.zip"),
    ],
)
def test_addresses_of_a_mirror(mirror: str | None, expected: str) -> None:
    assert apply_mirror("https://a.example/m/x.zip", mirror) == expected


@pytest.mark.parametrize(
    "mirror", ["b.example", "ftp://b.example", "file:///etc", "https://", "https://b.example/ "]
)
def test_a_mirror_that_is_no_address_is_told(mirror: str) -> None:
    with pytest.raises(InputError, match="expected an address such as"):
        apply_mirror("https://a.example/m/x.zip", mirror)


@settings(deadline=None)
@given(st.text())
def test_any_mirror_gives_an_address_or_an_error(mirror: str) -> None:
    try:
        found = apply_mirror("https://a.example/m/x.zip", mirror)
    except InputError:
        return
    assert found.lower().startswith(("http://", "https://"))


def test_secrets_of_an_address_are_not_shown() -> None:
    assert (
        hide_secrets("https://user:secret@b.example/m/x.zip?signature=secret")
        == "https://b.example/m/x.zip"
    )


def test_a_proxy_of_the_environment_is_asked(
    fetch: Fetch, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FileServer(OTHER) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert fetch()[0].read_bytes() == OTHER
        assert [asked.path for asked in proxy.asked] == [f"{server.url}/models/x.zip"]
    assert server.asked == []


def test_no_proxy_is_asked_for_hosts_that_it_is_not_for(
    fetch: Fetch, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FileServer(OTHER) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert fetch()[0].read_bytes() == CONTENT
        assert proxy.asked == []


def test_a_slow_server_is_waited_for(fetch: Fetch, server: FileServer) -> None:
    """The second half comes only when the first has been seen on the disk."""
    seen = threading.Event()

    def wait() -> None:
        seen.wait(60)

    server.answers = [Answer(before=wait, after=100_000)]

    def first_half(done: int, total: int | None) -> None:
        if done >= 50_000:
            seen.set()

    from tfclf.catalog.pull import Watch

    watch = Watch()
    watch.at = first_half  # type: ignore[method-assign]
    assert fetch(watch=watch)[0].read_bytes() == CONTENT
    assert seen.is_set()
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("size", "count"),
    [
        ("44.9 MB", 44_900_000),
        ("1 GB", 10**9),
        ("12 kB", 12_000),
        ("7 B", 7),
        ("big", None),
        (None, None),
    ],
)
def test_a_published_size_is_read(size: str | None, count: int | None) -> None:
    assert disk_space.parse_size(size) == count


def test_a_disk_too_small_for_the_published_size_is_told_before(
    fetch: Fetch, server: FileServer
) -> None:
    with pytest.raises(DownloadError, match=r"needs 900,000\.00 GB, and the disk of .* left"):
        fetch(size="900000 GB")
    assert server.asked == []


def test_a_disk_too_small_for_the_announced_length_is_told(
    fetch: Fetch, server: FileServer, tmp_path: Path
) -> None:
    server.always = Answer(headers={"Content-Length": str(10**18)})
    with pytest.raises(DownloadError, match=r"the disk of .* left"):
        fetch()
    assert "x.zip" not in _files(tmp_path)


def test_a_full_disk_is_told(fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Part, "start", full)
    with pytest.raises(
        DownloadError, match=r"cannot be written: No space left on device.*TFCLF_CACHE"
    ):
        fetch()


def test_a_cache_that_is_a_file_is_told(fetch: Fetch, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("no folder", encoding="utf-8")
    with pytest.raises(DownloadError, match="cannot be written: Not a directory"):
        fetch()


def test_a_cache_that_may_not_be_written_is_told(fetch: Fetch, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    (tmp_path / "cache").mkdir(mode=stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(DownloadError, match="cannot be written: Permission denied"):
        fetch()


@pytest.mark.parametrize("package", ["httpx", "tenacity", "filelock"])
def test_a_missing_package_names_the_extra(
    fetch: Fetch, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        MissingExtraError, match=rf"{package} is not installed.*pip install 'tfclf\[pull\]'"
    ):
        fetch()


def test_without_platformdirs_a_cache_has_to_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    monkeypatch.setenv("TFCLF_CACHE", "named")
    assert download.read_settings().cache == Path("named")
    monkeypatch.delenv("TFCLF_CACHE")
    with pytest.raises(MissingExtraError, match="platformdirs"):
        download.read_settings()


def test_a_file_system_without_locks_is_told(fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object, **__: object) -> None:
        raise NotImplementedError("no flock")

    monkeypatch.setattr(filelock.FileLock, "acquire", no_locks)
    with pytest.raises(DownloadError, match="has no locks"):
        fetch()


def test_an_archive_without_a_zip_s_name_is_refused(fetch: Fetch) -> None:
    with pytest.raises(CardError, match=r"ends in \.zip"):
        fetch("/models/x.tar")


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that each example of a property writes anew."""
    return tmp_path_factory.mktemp("scratch") / "x.zip"


SMALL = zip_of(size=400)


@settings(max_examples=30, deadline=None)
@given(cut=st.integers(0, len(SMALL) - 1))
def test_a_zip_cut_anywhere_is_no_whole_zip(scratch: Path, cut: int) -> None:
    scratch.write_bytes(SMALL[:cut])
    assert find_zip_flaw(scratch) is not None


@settings(max_examples=30, deadline=None)
@given(first=st.integers(0, len(SMALL) - 2), length=st.integers(1, 500))
def test_a_zip_with_a_hole_is_no_whole_zip(scratch: Path, first: int, length: int) -> None:
    scratch.write_bytes(SMALL[:first] + SMALL[first + length :])
    assert find_zip_flaw(scratch) is not None


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_zip_or_have_afind_zip_flaw(scratch: Path, content: bytes) -> None:
    scratch.write_bytes(content)
    assert isinstance(find_zip_flaw(scratch), str)


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=100))
def test_whatever_lies_beside_a_part_it_is_gone_on_with_or_dropped(
    scratch: Path, content: bytes
) -> None:
    part = Part(scratch.with_name("x.part"))
    part.path.write_bytes(b"abc")
    part.path.with_name("x.part.json").write_bytes(content)
    assert part.read_head("http://a.example/x.zip") is None
    assert part.size == 0


def test_a_part_longer_than_its_file_is_dropped(tmp_path: Path) -> None:
    part = Part(tmp_path / "x.part")
    part.start(Head("u", size=2, etag='"e"'))
    part.path.write_bytes(b"abc")
    assert part.read_head("u") is None
