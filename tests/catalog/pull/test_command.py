"""`tfclf pull` as a process: its output, its exit codes, and a kill in the middle."""

import hashlib
import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.catalog.pull.server import Answer, FileServer
from tests.forks import fork_python
from tfclf.catalog import cards

CARD = "en.classify.albert.ag_news"
Run = Callable[..., subprocess.CompletedProcess[str]]


def _command(*arguments: object) -> list[str]:
    return ["-m", "tfclf", "pull", *map(str, arguments)]


@pytest.fixture
def run() -> Run:
    def pull(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [fork_python(), *_command(*arguments)],
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    return pull


@contextmanager
def _started(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, *_command(*arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _archive(tmp_path: Path) -> Path:
    archive = cards.find(CARD).archive
    assert archive is not None
    return tmp_path / "cache" / "archives" / cards.find(CARD).name / archive.url.rpartition("/")[2]


def test_a_card_s_archive_is_pulled_from_a_mirror(
    run: Run, server: FileServer, tmp_path: Path
) -> None:
    done = run(CARD, "--mirror", server.url)
    assert (done.returncode, done.stdout) == (0, f"{_archive(tmp_path)}  (0.2 MB)\n")
    assert "albert_base_sequence_classifier_ag_news" in done.stderr
    assert f": 44.9 MB, from {server.url}/auxdata.johnsnowlabs.com/" in done.stderr
    assert f"Next: tfclf predict {CARD} TEXT" in done.stderr
    assert _archive(tmp_path).read_bytes() == server.content


def test_it_prints_json(run: Run, server: FileServer, tmp_path: Path) -> None:
    done = run(CARD, "en.classify.distilbert_mini.ag_news", "--mirror", server.url, "--json")
    archive, bundled = map(json.loads, done.stdout.splitlines())
    assert archive == {
        "name": CARD,
        "kind": "archive",
        "path": str(_archive(tmp_path)),
        "size": len(server.content),
        "sha256": hashlib.sha256(server.content).hexdigest(),
        "address": f"{server.url}{server.asked[0].path}",
    }
    assert bundled["kind"] == "bundled"
    assert len(done.stderr.splitlines()) == 1


def test_the_bundled_model_needs_no_download(run: Run) -> None:
    done = run("en.classify.distilbert_mini.ag_news", "--offline")
    assert "saved_models/distilbert_mini_sequence_classifier_ag_news  (bundled" in done.stdout
    assert done.returncode == 0


def test_the_settings_may_stand_in_the_environment(
    run: Run, server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFCLF_MIRROR", server.url)
    assert run(CARD).returncode == 0
    monkeypatch.setenv("TFCLF_OFFLINE", "1")
    assert run(CARD).stdout.startswith(str(_archive(tmp_path)))
    monkeypatch.setenv("TFCLF_CACHE", str(tmp_path / "other"))
    assert "forbids to fetch it" in run(CARD).stderr


def test_the_cache_is_listed(run: Run, server: FileServer, tmp_path: Path) -> None:
    assert run("--list").stdout == f"{tmp_path / 'cache'} holds no archive.\n"
    run(CARD, "--mirror", server.url)
    listed = run("--list")
    assert listed.stdout.startswith("albert_base_sequence_classifier_ag_news  0.2 MB  20")
    assert f"rm -r {tmp_path / 'cache' / 'archives'}/NAME" in listed.stderr
    assert json.loads(run("--list", "--json").stdout)["path"] == str(_archive(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "there is nothing to pull. Name a card"),
        (["en.classify.alber.ag_news"], "Nearest: en.classify.albert.ag_news"),
        ([CARD, "no such card"], "'no such card'"),
        ([CARD, "--offline"], "albert_base_sequence_classifier_ag_news (https://s3.amazonaws.com/"),
        ([CARD, "--mirror", "nowhere"], "the mirror is 'nowhere'; expected an address"),
        ([CARD, "--revision", "main"], "--revision main is for a model of the hub"),
        ([CARD, CARD, "--sha256", "0" * 64], "are for one model; found 2"),
        (["org/name", "--sha256", "0" * 64], "--sha256 is for a card's archive"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_an_error_ends_with_2_and_no_traceback(
    run: Run, arguments: list[str], message: str, tmp_path: Path
) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("command", ["serve", "show"])
@pytest.mark.parametrize("name", [CARD, "org/name"])
def test_what_needs_an_export_says_how_to_make_one(command: str, name: str) -> None:
    words = [fork_python(), "-m", "tfclf", command, name]
    done = subprocess.run(words, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 2
    assert (
        f"`tfclf pull {name}` gets it, `tfclf export {name} saved_models/NAME` makes one"
        in done.stderr
    )


def test_a_bundled_model_is_shown_by_its_card() -> None:
    words = [fork_python(), "-m", "tfclf", "show", "en.classify.distilbert_mini.ag_news", "--json"]
    done = subprocess.run(words, capture_output=True, encoding="utf-8", check=True)
    assert json.loads(done.stdout)["name"] == "distilbert_mini_sequence_classifier_ag_news"


def test_two_processes_share_one_download(server: FileServer) -> None:
    other_waits = threading.Event()
    server.answers = [Answer(before=lambda: other_waits.wait(), after=100_000)]
    with _started(CARD, "--mirror", server.url) as first:
        assert first.stderr is not None
        assert "44.9 MB, from" in first.stderr.readline()  # it holds the lock
        with _started(CARD, "--mirror", server.url) as second:
            assert second.stderr is not None
            assert "another process is fetching" in second.stderr.readline()
            other_waits.set()
            outputs = [process.communicate()[0] for process in (first, second)]
            assert [first.returncode, second.returncode] == [0, 0]
    assert outputs[0] == outputs[1]
    assert len(server.asked) == 1


def test_what_a_killed_process_fetched_is_not_fetched_again(
    server: FileServer, run: Run, tmp_path: Path
) -> None:
    over = threading.Event()
    server.answers = [Answer(before=lambda: over.wait(), after=100_000)]
    part = _archive(tmp_path).with_name(f"{_archive(tmp_path).name}.part")
    with _started(CARD, "--mirror", server.url) as process:
        while not (part.exists() and part.stat().st_size):
            assert process.poll() is None
            over.wait(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    there = part.stat().st_size
    over.set()
    assert run(CARD, "--mirror", server.url).returncode == 0
    assert server.asked[-1].range == f"bytes={there}-"
    assert _archive(tmp_path).read_bytes() == server.content
    assert not part.exists()


def test_a_terminal_gets_a_bar(server: FileServer) -> None:
    ours, its = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        [fork_python(), *_command(CARD, "--mirror", server.url)],
        stdout=subprocess.DEVNULL,
        stderr=its,
        env=environment,
    ) as process:
        os.close(its)
        shown = b""
        while True:
            try:
                read = os.read(ours, 65536)
            except OSError:  # Linux says so when the last writer is gone
                break
            if not read:
                break
            shown += read
        assert process.wait() == 0
    os.close(ours)
    assert "━".encode() in shown
    assert b"kB" in shown
