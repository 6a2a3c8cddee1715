"""Bring into the site what lies outside docs/: the README as its first page, and every file that a page links to.

A link that leads out of docs/ leads to a page below source/ in the site: Markdown as it is, other text as a listing, a
folder as the list of its files. Read by mkdocs (`hooks` in mkdocs.yml); `make docs` builds the site.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
RENAMED = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
PICTURES = (".png", ".jpg", ".svg")
LINK = re.compile(r"(?<=\]\()([^)\s#]+)(?=[)#])")
CODE = re.compile(r"^```.*?^```", flags=re.DOTALL | re.MULTILINE)

origins: dict[str, str] = {}
"""The path in the repository of each page that was brought in, by its path in the site."""


def uri(path: str) -> str:
    """Where a file or folder of the repository is in the site."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    if path in RENAMED:
        return RENAMED[path]
    if (ROOT / path).is_dir():
        return f"source/{path}/index.md"
    return f"source/{path}" if path.endswith((".md", *PICTURES)) else f"source/{path}.md"


def linked(path: str, link: str) -> str | None:
    """The path in the repository that a relative link on a page leads to; None for other links."""
    if re.match(r"[a-z]+:", link):
        return None
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), link))
    return target if (ROOT / target).exists() else None


def outside_code(text: str, change: Any) -> str:
    """`text` with every link outside of blocks of code replaced by `change(match)`."""
    parts, end = [], 0
    for block in CODE.finditer(text):
        parts += [LINK.sub(change, text[end : block.start()]), block[0]]
        end = block.end()
    return "".join([*parts, LINK.sub(change, text[end:])])


def page(path: str) -> str:
    """The Markdown of a page for a file or folder of the repository."""
    full = ROOT / path
    if full.is_dir():
        names = sorted(p.name for p in full.iterdir() if p.is_file() and not p.name.startswith("."))
        return f"# {path}/\n\n" + "\n".join(f"- [{name}]({posixpath.basename(path)}/{name})" for name in names)
    text = full.read_text(encoding="utf-8")
    language = {".py": "python", ".toml": "toml"}.get(full.suffix, "text")
    return text if full.suffix == ".md" else f"# {path}\n\n````{language}\n{text}````\n"


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that stand outside docs/, and then what they link to."""
    origins.clear()
    todo = [*RENAMED, *(f"docs/{file.src_uri}" for file in files.documentation_pages())]
    while todo:
        path = todo.pop()
        here = uri(path)
        if path.endswith(PICTURES):
            if files.get_file_from_path(here) is None:
                files.append(File.generated(config, here, abs_src_path=str(ROOT / path)))
            continue
        text = page(path)
        if not path.startswith("docs/"):
            if here in origins:
                continue
            files.append(File.generated(config, here, content=text))
            origins[here] = path
        if path.endswith(".md") or (ROOT / path).is_dir():
            targets = (linked(path, match[1]) for match in LINK.finditer(CODE.sub("", text)))
            todo += [t for t in targets if t is not None and not t.startswith("docs/")]
    return files


def on_page_markdown(markdown: str, page: Any, **others: Any) -> str:
    """Let links that lead out of docs/ lead to the pages that were brought in."""
    here = page.file.src_uri
    path = origins.get(here, f"docs/{here}")

    def change(match: re.Match[str]) -> str:
        target = linked(path, match[1])
        return match[1] if target is None else posixpath.relpath(uri(target), posixpath.dirname(here) or ".")

    return outside_code(markdown, change)
