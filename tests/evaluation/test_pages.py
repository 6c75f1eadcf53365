"""The content of the HTML and Markdown pages, in which texts and labels stay plain text."""

import json
import re
import struct
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.evaluation.answers import LABELS, gives, report_on, rows, says
from tfclf.catalog.cards import find
from tfclf.data import Row
from tfclf.errors import MissingExtraError
from tfclf.evaluation import Report, Subject, compare, evaluate
from tfclf.evaluation.calibration import Bin, Calibration
from tfclf.evaluation.mistakes import make_readable
from tfclf.evaluation.pages import comparison_page, format_metric, report_page
from tfclf.evaluation.plot import confusion_matrix_svg, plot_confusion_matrix, reliability_svg
from tfclf.evaluation.provenance import describe
from tfclf.evaluation.published import Published, compare_with_card
from tfclf.explanation import Explanation, Word
from tfclf.prediction import Prediction

HOSTILE = (
    "<script>alert(1)</script> <img src=x onerror=alert(2)> "
    "\"'&amp; {{ 7*7 }} ${x} ]]> --> </p></main>"
)


class Page(HTMLParser):
    """The elements of a page, their attributes, and the words in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attributes]
        if tag not in ("meta", "!doctype"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "meta":
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def report() -> Report:
    answers = [("neg", 0.9), ("pos", 0.8), ("neg", 0.7), ("pos", 0.6)]
    return evaluate(
        gives(answers), rows(["neg", "pos", "pos", "pos"]), LABELS, batch_size=2, mistakes=3
    )


@pytest.fixture(scope="module")
def published(report: Report) -> Published:
    return compare_with_card(report, find("roberta_base_sequence_classifier_imdb"))


def page_of(
    report: Report, suffix: str = "html", published: Published | None = None, title: str = "A title"
) -> str:
    about = describe(
        ({"name": "m", "source": "folder/m"},), data="rows.csv", rows=4, tensorflow=False
    )
    return report_page(suffix, report, title=title, about=about, published=published)


@pytest.fixture(scope="module")
def pages(report: Report, published: Published) -> dict[str, str]:
    """Render once: a report beside a card, one with hostile texts and labels, a comparison."""
    first, second = (
        Subject("a <b>", says(["neg", "pos"]), LABELS),
        Subject("b", says(["neg", "neg"]), LABELS),
    )
    compared = compare(first, second, rows(["neg", "neg"]), mistakes=2)
    return {
        "card": page_of(report, published=published),
        "hostile": page_of(report_on([HOSTILE, ""], labels=(HOSTILE, "b")), title=HOSTILE),
        "comparison": comparison_page("html", compared, title="Two", about=None),
    }


@pytest.fixture
def without_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip drawing, which takes most of the time and has tests of its own."""
    monkeypatch.setattr(
        "tfclf.evaluation.pages._draw_plots", lambda *_: {"matrix": "", "reliability": ""}
    )


EVERY_PAGE = pytest.mark.parametrize("name", ["card", "hostile", "comparison"])


@EVERY_PAGE
def test_every_element_is_closed(pages: dict[str, str], name: str) -> None:
    assert Page(pages[name]).open == []


@EVERY_PAGE
def test_a_page_needs_nothing_beside_it(pages: dict[str, str], name: str) -> None:
    page = Page(pages[name])
    assert not {"script", "link", "img", "iframe", "object", "image"} & set(page.tags)
    references = [
        value
        for name, value in page.attributes
        if name in ("src", "href", "xlink:href", "srcset", "data")
    ]
    assert references
    assert all(value.startswith("#") for value in references)
    addresses = [
        address for _, value in page.attributes for address in re.findall(r"url\(([^)]*)\)", value)
    ]
    assert addresses
    assert all(address.startswith("#") for address in addresses)


@EVERY_PAGE
def test_references_within_a_page_lead_to_one_place_each(pages: dict[str, str], name: str) -> None:
    page = Page(pages[name])
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    named = {
        value.lstrip("#") for name, value in page.attributes if name in ("href", "aria-labelledby")
    }
    named |= {
        address for _, value in page.attributes for address in re.findall(r"url\(#([^)]*)\)", value)
    }
    assert named <= set(ids)


def test_plots_are_described_in_words(pages: dict[str, str]) -> None:
    said = [value for name, value in Page(pages["card"]).attributes if name == "aria-label"]
    assert any("3 of 4 rows on the diagonal" in words for words in said)
    assert any("expected calibration error" in words for words in said)


@EVERY_PAGE
def test_tables_have_headers_of_rows_and_columns(pages: dict[str, str], name: str) -> None:
    page = Page(pages[name])
    scopes = [value for name, value in page.attributes if name == "scope"]
    assert page.tags.count("th") == len(scopes)
    assert set(scopes) == {"row", "col"}


@EVERY_PAGE
def test_plots_take_the_colours_of_the_page(pages: dict[str, str], name: str) -> None:
    inside = "".join(re.findall(r"<svg.*?</svg>", pages[name], re.DOTALL))
    assert "var(--ink)" in inside
    assert "var(--accent)" in inside
    assert not re.search(r"#0[1-5]0[1-5]0[1-5]", inside)
    assert "prefers-color-scheme: dark" in pages[name]


def test_the_reliability_diagram_has_a_legend(pages: dict[str, str]) -> None:
    assert "gap to the mean confidence</text>" in pages["card"]


def test_a_bin_of_few_rows_is_visible_by_its_number() -> None:
    few, many = Bin(0.0, 0.5, 1, 0.4, 1.0), Bin(0.5, 1.0, 99_999, 0.9, 0.9)
    drawn = reliability_svg(Calibration(0.01, 0.6, 0.9, (few, many)), name="x")
    assert ">1</text>" in drawn
    assert ">99,999</text>" in drawn


@pytest.mark.parametrize(
    ("suffix", "shown"),
    [("html", "run <code>make x</code> &lt;b&gt;"), ("md", "run `make x` &lt;b&gt;")],
)
def test_code_in_a_remark_is_shown_as_code(
    without_plots: None, report: Report, published: Published, suffix: str, shown: str
) -> None:
    assert shown in page_of(report, suffix, replace(published, remarks=("run `make x` <b>",)))


def test_a_text_has_its_own_direction_and_the_cards_language(pages: dict[str, str]) -> None:
    attributes = Page(pages["card"]).attributes
    assert ("dir", "auto") in attributes
    assert ("lang", "en") in attributes


@pytest.mark.parametrize("suffix", ["html", "md"])
def test_a_cards_figures_stand_beside_ours(
    without_plots: None, report: Report, published: Published, suffix: str
) -> None:
    page = page_of(report, suffix, published)
    for words in ("0.7500", "0.9546", "−0.2046", "25,000 rows"):
        assert words in page


@pytest.mark.parametrize("suffix", ["html", "md"])
def test_what_was_evaluated_is_said(without_plots: None, report: Report, suffix: str) -> None:
    for words in ("folder/m", "rows.csv", "tfclf"):
        assert words in page_of(report, suffix)


@pytest.mark.parametrize("suffix", ["html", "md"])
def test_texts_that_were_not_kept_are_said_to_be_left_out(without_plots: None, suffix: str) -> None:
    assert "Texts were left out." in page_of(evaluate(says(["neg"]), rows(["pos"]), LABELS), suffix)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    text=st.text(st.characters(), min_size=1),
    label=st.text(st.characters(), min_size=1, max_size=30),
)
def test_any_text_and_any_label_stay_text(without_plots: None, text: str, label: str) -> None:
    plain = Page(page_of(report_on(["plain"], labels=("a label", "another label"))))
    page = Page(page_of(report_on([text], labels=(label, "another label"))))
    if make_readable(text):
        assert page.tags == plain.tags
    assert " ".join(make_readable(text).split()) in " ".join("".join(page.words).split())


@settings(max_examples=50, deadline=None)
@given(text=st.text(st.characters(), min_size=1))
def test_no_text_becomes_markdown(text: str) -> None:
    (line,) = [
        line for line in page_of(report_on([text]), "md").splitlines() if line.startswith("  > ")
    ]
    bare = re.sub(r"\\[\\`*_{}\[\]#|~$]", "", line.removeprefix("  > ").strip("\u2068\u2069"))
    assert not re.search(r"[\\`*_{}\[\]#|~$<>]", bare)


@pytest.mark.parametrize("label", ["$x$", "$\\frac{", "<b>&", "経済", "اقتصاد", "\x01\uffff"])
def test_any_label_can_be_drawn(label: str, tmp_path: Path) -> None:
    path = tmp_path / "matrix.png"
    plot_confusion_matrix([[1, 0], [2, 3]], [label, "other"], path, title=label)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert confusion_matrix_svg([[1, 0], [2, 3]], [label, "other"], name="x").endswith("</svg>")


def test_many_labels_make_no_huge_picture(tmp_path: Path) -> None:
    count = 70
    counts = [[1] * count] * count
    plot_confusion_matrix(
        counts, [f"label {number}" for number in range(count)], tmp_path / "matrix.png", title=""
    )
    assert max(_size(tmp_path / "matrix.png")) < 5_000


def test_too_many_labels_are_not_drawn_in_a_page() -> None:
    labels = tuple(f"label {number}" for number in range(61))
    assert "too many to draw" in page_of(report_on(["text"], labels=labels))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    folder = tmp_path_factory.mktemp("written") / "report"
    report = report_on(["Un film très réussi, à voir !"], labels=("négatif", "positif"))
    report.write(folder, title="Un titre")
    return folder, report


@pytest.mark.parametrize("name", ["metrics.json", "report.md", "report.html"])
def test_french_labels_and_texts_are_readable_in_every_file(
    written: tuple[Path, Report], name: str
) -> None:
    content = (written[0] / name).read_text(encoding="utf-8")
    assert "Un film très réussi" in content
    assert "négatif" in content


@pytest.mark.parametrize("name", ["confusion_matrix.png", "reliability.png"])
def test_the_plots_are_pictures(written: tuple[Path, Report], name: str) -> None:
    size = _size(written[0] / name)
    assert 400 < min(size) <= max(size) < 2_000


def test_metrics_json_is_the_report_with_a_format_version(written: tuple[Path, Report]) -> None:
    content = json.loads((written[0] / "metrics.json").read_text(encoding="utf-8"))
    assert content["format_version"] == 1
    assert content == written[1].to_dict()


def test_the_confusion_matrix_is_written_as_json(written: tuple[Path, Report]) -> None:
    content = json.loads((written[0] / "confusion_matrix.json").read_text(encoding="utf-8"))
    assert (content["title"], content["labels"]) == ("Un titre", ["négatif", "positif"])
    assert content["counts"] == [[0, 0], [1, 0]]


def _size(picture: Path) -> tuple[int, int]:
    header = picture.read_bytes()[:24]
    assert header.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", header[16:])
    return width, height


@pytest.mark.parametrize("package", ["matplotlib.figure", "jinja2"])
def test_a_missing_package_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, report: Report, tmp_path: Path, package: str
) -> None:
    from tfclf.evaluation import pages

    pages._environment.cache_clear()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"tfclf\[evaluate\]"):
        report.write(tmp_path / "report")
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize(
    ("name", "value", "options", "shown"),
    [
        ("eval_loss", 0.123456, {}, "0.1235"),
        ("eval_loss", -0.00001, {"signed": True}, "±0.0000"),
        ("eval_accuracy", -0.02, {"signed": True}, "−0.0200"),
        ("eval_accuracy", 0.02, {"signed": True}, "+0.0200"),
        ("eval_accuracy", 0.93, {"published": True}, "0.93"),
        ("eval_accuracy", 0.9472368421052632, {"published": True}, "0.9472"),
        ("eval_runtime", 1234.56, {}, "1,234.6"),
        ("eval_samples", 7600, {}, "7,600"),
    ],
)
def test_a_metric_is_shown_with_the_digits_that_matter(
    name: str, value: float, options: dict[str, bool], shown: str
) -> None:
    assert format_metric(name, value, **options) == shown


@pytest.fixture(scope="module")
def explained() -> Report:
    """A report whose only mistake is explained: `<b>` speaks for the wrong label, `good` not."""

    def explain(texts: list[str]) -> list[Explanation]:
        return [
            Explanation(
                text,
                None,
                Prediction("neg", 0.9, {"neg": 0.9, "pos": 0.1}),
                (Word("<b>", 0, 3, 2.0, {}), Word("good", 5, 9, -1.0, {})),
            )
            for text in texts
        ]

    row = Row("<b>  good", "pos")
    predict = gives([("neg", 0.9)])
    return evaluate(predict, [row], LABELS, mistakes=1, explain=explain)


@pytest.mark.usefixtures("without_plots")
def test_explained_mistakes_are_shaded_and_escaped(explained: Report) -> None:
    page = page_of(explained)
    assert re.search(r'<span title="[+]2" style="[^"]*solid[^"]*">&lt;b&gt;</span> <span', page)
    assert re.search(r'<span title="-1" style="[^"]*dotted[^"]*">good</span>', page)


def test_markdown_lists_the_words_of_a_mistake(explained: Report) -> None:
    page = page_of(explained, "md")
    assert re.search(r"words that support the wrong label: [*][*].*&lt;b&gt;.*[*][*] [+]2.00", page)


def test_json_has_the_words_of_a_mistake(explained: Report) -> None:
    (mistake,) = explained.to_dict()["worst_mistakes"]
    assert mistake["strongest_words"] == [{"text": "<b>", "effect": 2.0}]
