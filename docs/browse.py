"""Look at the built manual in a browser: every page, light, dark and on a phone.

``python docs/browse.py`` says which texts have too little contrast, which pages are
wider than the screen, which equations and pictures are not there, and what is asked of
other hosts. It needs `playwright` and a Chromium, see CONTRIBUTING; tests need neither.
"""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

LOOKS = {  # the system's scheme, the theme chosen on the page, width in pixels
    "light": ("light", "auto", 1280),
    "dark": ("dark", "auto", 1280),
    "dark chosen": ("light", "dark", 1280),
    "light chosen": ("dark", "light", 1280),
    "phone": ("light", "auto", 390),
}
CONTRAST = 4.5  # of WCAG 2.2, level AA
LOOK = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
SET = """async () => {  // waits for equations, at most 20 seconds
  const unset = ".math:not(:has(mjx-container))";
  for (let i = 0; i < 200 && document.querySelector(unset); i += 1)
    await new Promise((resolve) => setTimeout(resolve, 100));
}"""


class Quiet(SimpleHTTPRequestHandler):
    """Logs nothing."""

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine alone; yields its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def looked_at(tab: Any, address: str, page: str) -> dict[str, Any]:
    """Open a page and say what was found there, requests to other hosts included."""
    strangers: list[str] = []
    own = (address, "data:", "blob:", "about:")

    def note(request: Any) -> None:
        if not request.url.startswith(own):
            strangers.append(f"asks another host: {request.url}")

    tab.on("request", note)
    tab.goto(f"{address}/{page}", wait_until="load")
    tab.evaluate(SET)
    found: dict[str, Any] = tab.evaluate(LOOK, CONTRAST)
    tab.remove_listener("request", note)
    found["problems"] += strangers
    return found


def main() -> int:
    """Look at all pages, or at those that are named; 1 where there are problems."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", help="such as index.html; default: all")
    parser.add_argument("--built", type=Path, default="docs/_build/html")
    parser.add_argument("--browser", help="path of Chromium; default: playwright's own")
    parser.add_argument("--pictures", type=Path, help="folder for a picture of each")
    given = parser.parse_args()
    files = (file.relative_to(given.built) for file in given.built.rglob("*.html"))
    kept = (file for file in files if not {"_static", "_modules"} & set(file.parts))
    pages = given.pages or sorted(map(str, kept))

    from playwright.sync_api import sync_playwright

    count = 0
    with served(given.built) as address, sync_playwright() as engine:
        browser = engine.chromium.launch(
            executable_path=given.browser, args=["--no-sandbox"]
        )
        for look, (scheme, theme, width) in LOOKS.items():
            screen = {"width": width, "height": 900}
            context = browser.new_context(color_scheme=scheme, viewport=screen)
            context.add_init_script(f"localStorage.setItem('theme', '{theme}')")
            tab, texts, weakest = context.new_page(), 0, 21.0
            for page in pages:
                found = looked_at(tab, address, page)
                texts += found["texts"]
                weakest = min(weakest, found["weakest"])
                count += len(found["problems"])
                for problem in dict.fromkeys(found["problems"]):
                    print(f"{look}, {page}: {problem}")
                if given.pictures:
                    name = f"{page.replace('/', '-')}-{look.replace(' ', '-')}.png"
                    tab.screenshot(path=given.pictures / name, full_page=True)
            what = f"{len(pages)} pages, {texts} texts, contrast >= {weakest:.2f}"
            print(f"{look}: {what}", flush=True)
            context.close()
        browser.close()
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main())
