"""The page in a real browser: what a person sees, types and hears."""

import io
import re
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_ports
from tests.server.page.models import save_guess
from tfclf.server import serve
from tfclf.server.page.options import Page
from tfclf.server.process import Server

Open = Callable[..., Any]
SCRIPT = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
NASTY = 'Late goal\'s "cup"\n\\n $HOME `id` 👩‍👩‍👧 </script>'


@pytest.fixture
def ask(open_page: Open, url: str) -> Callable[..., Any]:
    """Return ask(model, text): the page with the answer."""

    def ask_page(model: str, text: str, **options: Any) -> Any:
        page = open_page(f"{url}/#model={model}", **options)
        page.wait_for_selector("#facts dt")
        page.fill("#text", text)
        page.wait_for_selector(".winner")
        return page

    return ask_page


def test_typing_gets_a_bar_for_each_label(ask: Callable[..., Any]) -> None:
    page = ask("news", "Late goal wins the cup")
    names = page.locator("#bars .name > :first-child").all_inner_texts()
    assert names == ["World", "Sports", "Business", "Sci/Tech"]
    assert page.inner_text(".winner") == "Sports"
    assert re.fullmatch(r"✓ \d\d\.\d %", page.inner_text(".chosen .share"))


def test_the_answer_is_said_to_screen_readers(ask: Callable[..., Any]) -> None:
    page = ask("news", "Late goal wins the cup")
    assert re.fullmatch(r"Sports, \d\d\.\d %", page.inner_text("#status"))
    assert page.get_attribute("#status", "role") == "status"


def test_the_time_taken_is_shown(ask: Callable[..., Any]) -> None:
    assert re.match(r"\d+ ms", ask("news", "Late goal").inner_text("#time"))


def test_of_equal_labels_the_model_s_own_is_marked(ask: Callable[..., Any]) -> None:
    page = ask("reasons", "neither")
    assert page.locator(".chosen .name > :first-child").all_inner_texts() == ["good"]


def test_independent_labels_are_said_to_be_so(ask: Callable[..., Any]) -> None:
    page = ask("moods", "joy joy and الفرح")
    assert "a probability of its own" in page.inner_text("#answer")
    assert page.locator(".chosen .name > :first-child").all_inner_texts() == ["joy", "الفرح"]


def test_a_regression_shows_a_value_and_no_bars(ask: Callable[..., Any]) -> None:
    page = ask("value", "ten signs.")
    assert page.inner_text(".winner") == "similarity: 1.0000"
    assert page.locator(".track").count() == 0


def test_of_200_labels_the_highest_ten_are_shown(ask: Callable[..., Any]) -> None:
    page = ask("topics", "topic117")
    assert page.locator("#bars li").count() == 10
    assert "topic117" in page.locator("#bars li").all_inner_texts()[0]


def test_all_of_200_labels_are_shown_on_demand(ask: Callable[..., Any]) -> None:
    page = ask("topics", "topic117")
    page.click("#show-all")
    assert page.locator("#bars li").count() == 200
    assert page.evaluate("document.activeElement.id") == "show-all"


def test_ids_without_pieces_stand_under_their_words(ask: Callable[..., Any]) -> None:
    page = ask("older", "Late goal, unaffable")
    page.wait_for_selector(".tokens li")
    tokens = [re.sub(r"\s+", " ", each) for each in page.locator(".tokens li").all_inner_texts()]
    assert tokens[1:4] == ["Late 2397", "goal 3125", ", 1010"]
    assert re.fullmatch(r"unaffable \d+ \d+ \d+", tokens[4])
    special = page.locator(".tokens .special").all_inner_texts()
    assert [each.split() for each in special] == [
        ["special", "token", "101"],
        ["special", "token", "102"],
    ]


def test_tokens_are_shown_as_pieces_where_the_export_names_them(ask: Callable[..., Any]) -> None:
    page = ask("inference", "ab é")
    page.wait_for_selector(".tokens li")
    tokens = [re.sub(r"\s+", " ", each) for each in page.locator(".tokens li").all_inner_texts()]
    assert tokens == [
        "special token [CLS] 1",
        "ab ##a 97 ##b 98",
        "é 233",  # this id has no piece
        "special token [SEP] 2",
    ]


def test_a_piece_that_is_a_whole_word_is_shown_once(ask: Callable[..., Any]) -> None:
    page = ask("inference", "A")
    page.wait_for_selector(".tokens li")
    assert page.locator(".tokens li").all_inner_texts()[1].split() == ["##A", "65"]


def test_tokens_of_a_pair_are_shown_for_each_text(open_page: Open, url: str) -> None:
    page = open_page(f"{url}/#model=inference")
    page.wait_for_selector("#facts dt")
    page.click("#pair-switch")
    page.fill("#text", "ab")
    page.fill("#pair", "c")
    page.locator(".tokens:nth-of-type(2) .pieces:has-text('##c')").wait_for()
    texts = [each.split() for each in page.locator(".tokens").all_inner_texts()]
    assert [[each for each in text if each.startswith("##")] for text in texts] == [
        ["##a", "##b"],
        ["##c"],
    ]


def test_a_truncated_text_is_said_to_be_so(ask: Callable[..., Any]) -> None:
    page = ask("news", "goal kick " * 1000)  # 10 kB
    assert page.inner_text("#truncated").startswith("Truncated: the model reads 512 tokens")
    page.wait_for_selector(".tokens li")
    assert page.inner_text("#tokens p").startswith("512 tokens of at most 512")


def test_a_text_that_is_script_stays_text(ask: Callable[..., Any]) -> None:
    page = ask("reasons", SCRIPT)
    page.click("#why")
    page.wait_for_selector("#effects")
    assert page.inner_text(".heat") == SCRIPT
    assert page.evaluate("window.hacked") is None
    assert page.locator("main img, main script").count() == 0


def test_a_label_that_is_script_stays_text(
    open_page: Open, tmp_path: Path, half_plus_two_base: Path
) -> None:
    save_guess(tmp_path / "m" / "1", [SCRIPT, "b"])
    with serve(tmp_path / "m", port=0, rest_port=0, page=Page()) as server:
        page = open_page(server.rest_url)
        page.wait_for_selector("#facts dt")
        page.fill("#text", "a")
        page.wait_for_selector("#bars")
        assert SCRIPT in page.inner_text("#bars")
        assert page.evaluate("window.hacked") is None


def test_why_marks_words_by_characters_of_unicode(ask: Callable[..., Any]) -> None:
    page = ask("reasons", "👩‍👩‍👧 good café bad")
    page.click("#why")
    page.wait_for_selector("#effects")
    assert page.locator(".heat span").all_inner_texts() == ["👩‍👩‍👧", "good", "café", "bad"]


def test_why_tells_for_from_against_without_colour(ask: Callable[..., Any]) -> None:
    page = ask("reasons", "good film")
    page.click("#why")
    page.wait_for_selector("#effects")
    page.select_option("#why-label", label="bad")
    assert page.locator(".heat .against").count() == 2
    assert "against" in page.inner_text("#effects")


def test_why_of_a_pair_marks_the_words_of_both_texts(open_page: Open, url: str) -> None:
    page = open_page(f"{url}/#model=inference")
    page.wait_for_selector("#facts dt")
    page.fill("#text", "one two")
    page.click("#pair-switch")
    page.fill("#pair", "three")
    page.wait_for_selector(".winner")
    page.click("#why")
    page.wait_for_selector("#effects")
    assert page.locator(".heat").all_inner_texts() == ["one two", "three"]
    assert page.locator(".heat span").all_inner_texts() == ["one", "two", "three"]


def test_reasons_asked_for_while_the_text_waits_come_with_its_answer(
    ask: Callable[..., Any],
) -> None:
    page = ask("reasons", "bad")
    page.evaluate(
        """() => {
            document.getElementById("text").value = "good film";
            document.getElementById("text").dispatchEvent(new Event("input"));
            document.getElementById("why").click();
        }"""
    )
    page.wait_for_selector("#effects")
    page.wait_for_timeout(1000)  # as long as a text that waits could take them away again
    assert page.inner_text(".heat") == "good film"
    assert page.inner_text("#why-label option:checked") == "good"
    assert page.inner_text(".winner") == "good"


def test_reasons_vanish_when_the_text_changes(ask: Callable[..., Any]) -> None:
    page = ask("reasons", "good film")
    page.click("#why")
    page.wait_for_selector("#effects")
    page.fill("#text", "bad film")
    assert page.locator("#effects").count() == 0


def test_a_model_without_the_signature_has_no_why(ask: Callable[..., Any]) -> None:
    assert not ask("moods", "joy").is_visible("#why")


def test_facts_name_precision_and_certificate(ask: Callable[..., Any]) -> None:
    facts = ask("news", "a").inner_text("#facts")
    assert "float32, stored as float16" in facts
    assert "equal to the original on 7,600 rows and 960 pairs" in facts


def test_a_model_that_takes_pairs_has_a_second_box(open_page: Open, url: str) -> None:
    page = open_page(f"{url}/#model=inference")
    page.click("#examples button >> nth=0")
    page.wait_for_selector(".winner")
    assert page.input_value("#pair") == "Children are outdoors."
    assert "text_pair" in page.inner_text("#request")


def test_a_model_without_pairs_offers_no_second_box(ask: Callable[..., Any]) -> None:
    assert not ask("moods", "joy").is_visible("#pair-switch")


def test_the_model_chosen_is_in_the_address(ask: Callable[..., Any]) -> None:
    page = ask("moods", "topic003")
    page.select_option("#model", "topics")
    page.wait_for_selector("#show-all")
    assert page.url.endswith("/#model=topics")
    assert page.input_value("#text") == "topic003"


def test_an_older_version_can_be_chosen(ask: Callable[..., Any]) -> None:
    page = ask("reasons", "good")
    page.select_option("#version", "1")
    page.wait_for_selector("#request:text('versions/1')")
    assert page.url.endswith("/#model=reasons&version=1")


@pytest.mark.parametrize("address", ["#model=nothing", "?model=nothing", "#model=%3Cb%3E"])
def test_an_unknown_model_gets_a_message_with_those_that_exist(
    open_page: Open, url: str, address: str
) -> None:
    page = open_page(f"{url}/{address}")
    page.wait_for_selector("#notice a")
    assert page.inner_text("#notice").startswith("There is no model")
    page.click("#notice a >> text=moods")
    page.wait_for_selector("#facts:has-text('moods')")
    assert not page.is_visible("#notice")


def test_an_unknown_version_gets_a_message_with_those_that_exist(open_page: Open, url: str) -> None:
    page = open_page(f"{url}/#model=reasons&version=7")
    page.wait_for_selector("#notice a")
    links = page.locator("#notice a").all_inner_texts()
    assert links == ["reasons", "reasons, version 2", "reasons, version 1"]


def test_a_model_without_text_is_named(open_page: Open, url: str) -> None:
    page = open_page(f"{url}/#model=numbers")
    page.wait_for_selector("#notice strong")
    assert page.inner_text("#notice strong") == "Model numbers takes no text."


def test_a_megabyte_is_sent_only_when_asked_for(ask: Callable[..., Any]) -> None:
    page = ask("news", "Late goal")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    page.evaluate(
        """() => {
          const text = document.querySelector('#text');
          text.value = 'goal kick '.repeat(100_000);
          text.dispatchEvent(new Event('input'));
        }"""
    )
    page.wait_for_selector("#anyway")
    assert "1,000,000 bytes" in page.inner_text("#answer")
    assert not any("predict" in each for each in sent)
    page.click("#anyway")
    page.wait_for_selector("#truncated")


def test_one_request_is_in_flight_however_fast_one_types(ask: Callable[..., Any]) -> None:
    page = ask("news", "Late")
    page.wait_for_selector(".tokens li")
    page.evaluate(
        """() => {
          const send = window.fetch;
          window.flying = window.most = window.sent = 0;
          window.fetch = async (path, options) => {
            window.sent += 1;
            window.most = Math.max(window.most, ++window.flying);
            const land = () => { window.flying -= 1; };
            options.signal?.addEventListener('abort', land, { once: true });
            const answer = await send(path, options);
            await new Promise((done) => setTimeout(done, 300));
            if (!options.signal?.aborted) window.flying -= 1;
            return answer;
          };
        }"""
    )
    page.locator("#text").press_sequentially(" goal wins the cup, and more of it" * 3, delay=20)
    page.evaluate(
        """async () => {
          do await new Promise((done) => setTimeout(done, 500)); while (window.flying);
        }"""
    )
    assert page.evaluate("window.most") == 1
    assert page.evaluate("window.sent") < 20  # of 102 keys


def test_the_newest_text_wins(ask: Callable[..., Any]) -> None:
    page = ask("news", "Late goal")
    page.evaluate(
        """() => {
          const send = window.fetch;
          let first = true;
          window.fetch = async (path, options) => {
            const wait = first ? 1000 : 0;
            first = false;
            const answer = await send(path, { ...options, signal: undefined });
            await new Promise((done) => setTimeout(done, wait));
            return answer;
          };
        }"""
    )
    page.fill("#text", "The team won the match in extra time")
    page.wait_for_timeout(400)
    page.fill("#text", "Shares fall as the bank raises its interest rates")
    page.wait_for_selector(".winner:text('Business')")
    page.wait_for_timeout(1200)
    assert page.inner_text(".winner") == "Business"


def test_a_server_that_went_away_is_found_again_by_itself(open_page: Open, tmp_path: Path) -> None:
    save_guess(tmp_path / "m" / "1", ["good", "bad"])
    (port,) = free_ports(1)
    options = {"port": 0, "rest_port": port, "page": Page()}
    with serve(tmp_path / "m", **options) as server:  # type: ignore[arg-type]
        page = open_page(server.rest_url)
        page.wait_for_selector("#facts dt")
    page.fill("#text", "good")
    page.wait_for_selector("#try-now")
    assert page.inner_text("#notice strong") == "The server does not answer."
    assert page.inner_text("#answer") == "No answer yet."
    with serve(tmp_path / "m", **options):  # type: ignore[arg-type]
        page.wait_for_selector(".winner")
        assert not page.is_visible("#notice")


def test_another_export_of_the_same_number_is_shown_with_its_own_labels(
    open_page: Open, tmp_path: Path
) -> None:
    save_guess(tmp_path / "m" / "1", ["good", "bad"])
    save_guess(tmp_path / "other" / "m" / "1", ["bad", "good"])
    (port,) = free_ports(1)
    options = {"port": 0, "rest_port": port, "page": Page()}
    with serve(tmp_path / "m", **options) as server:  # type: ignore[arg-type]
        page = open_page(server.rest_url)
        page.wait_for_selector("#facts dt")
    with serve(tmp_path / "other" / "m", **options):  # type: ignore[arg-type]
        page.fill("#text", "good film")
        page.wait_for_selector("#bars")
        bars = page.locator("#bars .name > :first-child").all_inner_texts()
        note = page.inner_text("#notice")
    assert bars == ["bad", "good"]
    assert page.locator(".chosen .name > :first-child").all_inner_texts() == ["good"]
    assert note == "Another export has taken the place of version 1."


def test_a_busy_server_is_asked_again_by_itself(ask: Callable[..., Any]) -> None:
    page = ask("moods", "joy")
    page.route("**/*:predict", lambda route: route.fulfill(status=503, body='{"error": "full"}'))
    page.fill("#text", "fear")
    page.wait_for_selector("#notice:has-text('full')")
    page.unroute("**/*:predict")
    page.wait_for_selector(".chosen:has-text('fear')")
    assert not page.is_visible("#notice")


def test_a_version_that_is_swapped_gives_way_to_the_next(open_page: Open, tmp_path: Path) -> None:
    save_guess(tmp_path / "m" / "1", ["good", "bad"])
    save_guess(tmp_path / "next", ["good", "bad"])
    with serve(tmp_path / "m", port=0, rest_port=0, poll_seconds=0.1, page=Page()) as server:
        page = open_page(server.rest_url)
        page.wait_for_selector("#facts dt")
        (tmp_path / "next").rename(tmp_path / "m" / "2")
        _wait_for_version(server, 2)
        page.fill("#text", "good")
        page.wait_for_selector(".winner")
        note = page.inner_text("#notice")
    assert note == "Version 2 has taken the place of version 1."


def _wait_for_version(server: Server, number: int) -> None:
    end = time.monotonic() + 30
    while [each.version for each in server.service.registry] != [number]:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_an_error_of_the_model_is_shown_in_its_words(ask: Callable[..., Any]) -> None:
    page = ask("moods", "joy")
    page.route(
        "**/*:predict", lambda route: route.fulfill(status=400, body='{"error": "<b>no</b>"}')
    )
    page.fill("#text", "fear")
    page.wait_for_selector("#notice p >> nth=1")
    assert page.locator("#notice p").all_inner_texts() == [
        "The server refused this request.",
        "<b>no</b>",
    ]


@pytest.fixture
def request_as(ask: Callable[..., Any]) -> Callable[[str], str]:
    page = ask("news", NASTY)

    def read(language: str) -> str:
        page.check(f"input[value={language}]")
        return str(page.evaluate("document.querySelector('#request').textContent"))

    return read


def test_the_request_as_curl_gets_the_same_answer(request_as: Callable[[str], str]) -> None:
    done = subprocess.run(request_as("curl"), shell=True, capture_output=True, text=True)
    assert '"label": [\n            "Sports"\n' in done.stdout


@pytest.mark.parametrize("language", ["python", "grpc"])
def test_the_request_as_a_program_gets_the_same_answer(
    request_as: Callable[[str], str], language: str
) -> None:
    code = request_as(language)
    assert repr(NASTY)[1:10] in code or "Late goal" in code
    with redirect_stdout(io.StringIO()) as printed:
        _run(code)
    assert "Sports" in printed.getvalue()


def _run(code: str) -> None:
    """Run a program in a thread of its own: Playwright occupies this one's event loop."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            exec(compile(code, "request", "exec"), {})
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert not errors


def test_copy_says_that_it_has_copied(ask: Callable[..., Any]) -> None:
    page = ask("moods", "joy", permissions=["clipboard-read", "clipboard-write"])
    page.click("#copy")
    page.wait_for_selector("#copied:text('Copied')")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.evaluate("document.querySelector('#request').textContent")


def test_nothing_is_stored_in_the_browser(ask: Callable[..., Any]) -> None:
    page = ask("moods", "joy")
    stored = page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]")
    assert stored == [0, 0, ""]
    assert "joy" not in page.url


def test_the_log_has_no_text(ask: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="tfclf")
    ask("moods", "joy in secret")
    assert "Predict" in caplog.text
    assert "secret" not in caplog.text


def test_all_requests_go_to_the_server(open_page: Open, url: str) -> None:
    page = open_page("about:blank")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{url}/#model=news")
    page.wait_for_selector("#facts dt")
    page.fill("#text", "Late goal")
    page.wait_for_selector(".tokens li")
    assert asked
    assert all(each.startswith((url, "data:")) for each in asked)


def test_every_control_has_a_name(ask: Callable[..., Any]) -> None:
    page = ask("reasons", "good")
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('button, select, textarea, input')]
          .filter((each) => !each.hidden && !(each.labels?.length || each.textContent.trim()))
          .map((each) => each.id)"""
    )
    assert nameless == []


def test_an_example_can_be_chosen_by_keyboard_alone(open_page: Open, url: str) -> None:
    page = open_page(f"{url}/#model=news")
    page.wait_for_selector("#examples button")
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('#examples') !== null"):
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    page.keyboard.press("Enter")
    page.wait_for_selector(".winner")
    assert outline == "solid"


@pytest.mark.parametrize("model", ["news", "topics", "reasons"])
def test_no_page_is_wider_than_its_window(ask: Callable[..., Any], model: str) -> None:
    page = ask(model, "unaffable " * 20 + "x" * 500)
    if model == "reasons":
        page.click("#why")
        page.wait_for_selector("#effects")
    for width in (320, 390, 800, 1600):
        page.set_viewport_size({"width": width, "height": 700})
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width


def test_text_from_right_to_left_is_set_so(ask: Callable[..., Any]) -> None:
    page = ask("moods", "الفرح في كل مكان")
    assert page.evaluate("document.querySelector('#text').matches(':dir(rtl)')")
    assert page.evaluate("document.querySelector('.winner').matches(':dir(rtl)')")


def _lightness(colour: str) -> int:
    return sum(map(int, re.findall(r"\d+", colour)[:3]))


@pytest.mark.parametrize(("scheme", "light"), [("light", True), ("dark", False)])
def test_the_page_follows_the_scheme_of_the_reader(
    open_page: Open, url: str, scheme: str, light: bool
) -> None:
    page = open_page(url, color_scheme=scheme)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (_lightness(ground) > 382) is light


def test_motion_is_reduced_for_those_who_ask(ask: Callable[..., Any]) -> None:
    page = ask("moods", "joy", reduced_motion="reduce")
    motion = "getComputedStyle(document.querySelector('.track > span')).transitionProperty"
    assert page.evaluate(motion) == "none"
