"""A recording's messages as a drawing: SVG, and a page of HTML around it. Text in, text out; see `show.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sim.show import Row

WIDTH: Final = 1_000
LEFT, RIGHT, TOP, STEP = 210, 970, 40, 30
SHORT: Final = 100  # characters on an arrow
_COLOURS: Final = {"call": "#1f5fa8", "result": "#2b7a3d", "error": "#c0262d", "other": "#8a6d00"}
_STYLE: Final = (
    "text{font:12px ui-monospace,Menlo,Consolas,monospace;fill:#222}.head{font-weight:bold;font-size:14px}"
    ".at{fill:#666}.life{stroke:#999;stroke-dasharray:4 3}.error{font-weight:bold;fill:#c0262d}"
)
_PAGE_STYLE: Final = (
    "body{font-family:system-ui,sans-serif;margin:1.5rem;background:#fff;color:#222}svg{max-width:100%;height:auto}"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere;font-size:12px}.error{color:#c0262d}"
)


def svg(rows: Sequence[Row]) -> str:
    """The diagram. Hovering over an arrow shows the whole message."""
    names = list(dict.fromkeys(row.station for row in rows))
    height = TOP + STEP * (len(rows) + 1)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
        f"<title>{escape(', '.join(names[:5]))} and CSMS: {len(rows)} messages</title><style>{_STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for x, name in ((LEFT, names[0] if len(names) == 1 else f"{len(names)} stations"), (RIGHT, "CSMS")):
        anchor = "end" if x == RIGHT else "start"
        parts.append(f'<text class="head" x="{x}" y="20" text-anchor="{anchor}">{escape(name)}</text>')
        parts.append(f'<line class="life" x1="{x}" y1="28" x2="{x}" y2="{height - 8}"/>')
    parts += [_arrow(row, TOP + STEP * (number + 1), len(names) > 1) for number, row in enumerate(rows)]
    return "\n".join([*parts, "</svg>", ""])


def _arrow(row: Row, y: int, named: bool) -> str:
    """One message: time on the left, label above the line, head at its end."""
    colour = _COLOURS[row.kind]
    begin, end, back = (LEFT, RIGHT, -9) if row.out else (RIGHT, LEFT, 9)
    label = row.label if len(row.label) <= SHORT else f"{row.label[: SHORT - 1]}…"
    mark = ' class="error"' if row.kind == "error" else ""
    dash = ' stroke-dasharray="6 3"' if row.kind in ("result", "error") else ""
    name = f'<text x="8" y="{y + 6}">{escape(row.station[:26])}</text>' if named else ""
    return (
        f"<g><title>{escape(row.whole)}</title>"
        f'<text class="at" x="8" y="{y - 8}">{escape(row.at[:23].replace("T", " "))}</text>{name}'
        f'<text{mark} x="{LEFT + 10}" y="{y - 5}">{escape(label)}</text>'
        f'<line x1="{begin}" y1="{y}" x2="{end}" y2="{y}" stroke="{colour}" stroke-width="1.5"{dash}/>'
        f'<path d="M{end} {y}l{back} -4v8z" fill="{colour}"/></g>'
    )


def page(rows: Sequence[Row]) -> str:
    """A page that needs nothing else: the diagram, and below it every message as it was."""
    messages = "\n".join(map(_message, rows))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>OCPP messages</title>'
        f"<style>{_PAGE_STYLE}</style></head><body>\n{svg(rows)}"
        f"<details><summary>{len(rows)} messages in full</summary><pre>{messages}</pre></details>\n</body></html>\n"
    )


def _message(row: Row) -> str:
    mark = ' class="error"' if row.kind == "error" else ""
    arrow = "->" if row.out else "<-"
    return f"<span{mark}>{escape(f'{row.at} {row.station} {arrow} {row.whole}')}</span>"


FORMS: Final[dict[str, Callable[[Sequence[Row]], str]]] = {".svg": svg, ".html": page, ".htm": page}
