"""A copy of the server's page that opens from the disk, with recorded answers in place of a server.

`files` makes it of the page's own files whenever the site is built, so it cannot drift. Only the
answers are stored, in docs/assets/page_answers.json. After a change of the bundled model, or of
what the page sends, record them again (needs Chromium):

    python -m docs.website.page_copy
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "tfclf" / "server" / "page" / "files"
ANSWERS = ROOT / "docs" / "assets" / "page_answers.json"
PICTURE = ROOT / "docs" / "assets" / "page.png"
FOLDER = "try"

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export ", re.MULTILINE)
_NO_SERVER = (
    "This copy has no server behind it, so it knows the examples only. Run `tfclf serve` to try "
    "texts of your own."
)
_FETCH = """\
const recorded = %s;
/** Answers as the server did when the answers were recorded. */
async function fetch(path, { body = "" } = {}) {
  const text = recorded[`${path}\\n${body}`];
  const unknown = JSON.stringify({ error: %s });
  return new Response(text ?? unknown, { status: text === undefined ? 400 : 200 });
}
"""


def files() -> dict[str, str]:
    """Return the copy's files, by their place on the site."""
    html = (PAGE / "index.html").read_text(encoding="utf-8")
    for old, new in (
        ('href="page/page.css"', 'href="page.css"'),
        ('type="module" src="page/page.js"', 'defer src="page.js"'),
        ('    <a href="docs">API</a>\n', ""),
    ):
        if old not in html:
            raise ValueError(f"{PAGE}/index.html lacks {old}. Change page_copy.py with it.")
        html = html.replace(old, new)
    return {
        f"{FOLDER}/index.html": html,
        f"{FOLDER}/page.css": (PAGE / "page.css").read_text(encoding="utf-8"),
        f"{FOLDER}/page.js": _bundle(),
    }


def _bundle() -> str:
    """Join the modules into one script: a page on the disk may not load modules."""
    answers = ANSWERS.read_text(encoding="utf-8")
    fetch = _FETCH % (answers.strip(), json.dumps(_NO_SERVER))
    bodies = [_EXPORT.sub("", _IMPORT.sub("", text)) for text in _in_order("page.js", set())]
    return "(() => {\n" + "\n".join([fetch, *bodies]) + "})();\n"


def _in_order(name: str, seen: set[str]) -> Iterator[str]:
    """Yield the modules, each after those that it imports."""
    if name in seen:
        return
    seen.add(name)
    text = (PAGE / name).read_text(encoding="utf-8")
    for imported in _IMPORT.findall(text):
        yield from _in_order(imported, seen)
    yield text


def read_answers() -> dict[str, str]:
    """Return the recorded answers by path and body."""
    answers: dict[str, str] = json.loads(ANSWERS.read_text(encoding="utf-8"))
    return answers


def record(page: Any, url: str) -> dict[str, str]:
    """Return the answers to what the page sends when each example is chosen.

    Args:
      page: of Playwright.
    """
    answers: dict[str, str] = {}

    def keep(response: Any) -> None:
        request = response.request
        if request.resource_type == "fetch":
            path = request.url.removeprefix(f"{url}/")
            answers[f"{path}\n{request.post_data or ''}"] = response.text()

    page.on("response", keep)
    page.goto(url)
    examples = page.locator("#examples button")
    examples.first.wait_for()
    for index in range(examples.count()):
        page.evaluate("document.querySelector('#tokens').replaceChildren()")
        examples.nth(index).click()
        page.locator(".tokens li").first.wait_for()
        if page.locator("#why").is_visible():
            page.click("#why")
            page.locator("#effects").wait_for()
    models = json.loads(answers["page/models.json\n"])
    models |= {"origin": "http://localhost:8501", "grpc_port": 8500}
    answers["page/models.json\n"] = json.dumps(models)
    return answers


def main() -> None:
    """Record the answers of the bundled model, and the picture in docs/page.md."""
    from playwright.sync_api import sync_playwright

    from docs.website.pictures import shrink
    from tests.server.own_process import DEMO
    from tests.server.page.conftest import CHROMIUM, FLAGS
    from tfclf.cli.page_examples import find_page_examples
    from tfclf.server import serve
    from tfclf.server.page.options import Page

    with (
        serve(
            DEMO, model_name="news", port=0, rest_port=0, page=Page(find_page_examples)
        ) as server,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS) as browser,
    ):
        page = browser.new_page(viewport={"width": 1000, "height": 900})
        answers = record(page, server.rest_url or "")
        page.screenshot(path=PICTURE, full_page=True)
    shrink(PICTURE)
    ANSWERS.write_text(json.dumps(answers, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
