"""Hold a release's tag against the changelog, CITATION.cff and what was built.

``python packaging/check_release.py 0.2.0`` prints the notes of that release, the part
of CHANGELOG.md below its heading; or says all that is wrong and ends with 1.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADING = re.compile(r"^## (\d+\.\d+\.\d+) - (\d{4}-\d\d-\d\d)$", re.MULTILINE)


def notes_of(version: str, changelog: str) -> str:
    """Find the text below a release's heading; empty where there is none."""
    parts = HEADING.split(changelog)  # what is before, then version, date, text ...
    releases = dict(zip(parts[1::3], parts[3::3], strict=True))
    return releases.get(version, "").strip()


def problems(version: str, root: Path = ROOT) -> list[str]:
    """Name everything that does not say `version`."""
    found = []
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    if not notes_of(version, changelog):
        found.append(f"CHANGELOG.md: no text below '## {version} - YYYY-MM-DD'")
    citation = (root / "CITATION.cff").read_text(encoding="utf-8")
    if f"\nversion: {version}\n" not in citation:
        found.append(f"CITATION.cff: no line 'version: {version}'")
    for ending in (".tar.gz", "-py3-none-any.whl"):
        name = f"xstefaland-{version}{ending}"
        if not (root / "dist" / name).is_file():
            found.append(f"dist/{name} is not there: is the tag 'v{version}'?")
    return found


def main(version: str) -> int:
    """Print the notes, or the problems."""
    found = problems(version)
    sys.stderr.writelines(f"{each}\n" for each in found)
    if not found:
        print(notes_of(version, (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
