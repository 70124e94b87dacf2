"""The frame around a page: head, navigation, styles and scripts, all inside the one file.

The policy in the head forbids every request and every script but the ones of the page, which it knows by their
digest; so nothing that a recording smuggles into a name could run.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from episode_assets.qc.markup import text

_HERE = Path(__file__).parent


def page_around(
    *, title: str, links: Sequence[tuple[str, str]], body: str, styles: Sequence[str], scripts: Sequence[str]
) -> str:
    """Return a whole page.

    Args:
        title: Title of the window.
        links: Ids and names of the sections, for the navigation.
        body: Markup of the sections.
        styles: Names of style sheets beside this module.
        scripts: Names of scripts beside this module.
    """
    style = "".join(_read(name) for name in styles)
    script = "".join(_read(name) for name in scripts)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    named = "".join(f'<a href="#{id_}">{text(name)}</a>' for id_, name in links)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" '
        f'content="light dark"><title>{text(title)}</title><style>{style}</style></head>'
        f'<body><a class="skip" href="#main">to the content</a><nav aria-label="sections">{named}'
        '<button type="button" class="theme" hidden>light or dark</button></nav>'
        f'<main id="main">{body}</main><script>{script}</script></body></html>\n'
    )


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
