"""Small tables, as text and as HTML."""

from collections.abc import Sequence
from html import escape


def as_text(heads: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """Columns side by side: the first ones, which are `words`, to the left, the others to the right."""
    lines = [list(heads), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place < words else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def as_html(heads: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> str:
    """The same for a notebook."""
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
