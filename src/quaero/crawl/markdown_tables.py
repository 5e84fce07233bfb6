"""A table's rows as a GitHub Flavored Markdown table, if that is what they are.

A data table becomes one line a row: a cell that spans columns is followed by empty ones, one that
spans rows leaves the cells below it empty, so that every text stands in its column and once.
Blocks within a cell are joined by `<br>`. A table without a heading row gets an empty one, because
the syntax asks for it. A table used for layout is told apart, and its cells become ordinary blocks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from quaero.crawl.markdown_blocks import Block, BlockKind
from quaero.crawl.markdown_inline import code_span

_MAX_SPAN = 50
_MAX_SPREAD = 20
_FEW_BLOCKS = 2
_FEW_COLUMNS = 2
_BLOCKS_OF_LAYOUT = frozenset({BlockKind.TABLE, BlockKind.HEADING, BlockKind.RULE})
_PIPE = re.compile(r"\|")


@dataclass(slots=True)
class Cell:
    """One cell with what it contains."""

    blocks: list[Block]
    is_header: bool = False
    columns: int = 1
    rows: int = 1


@dataclass(slots=True)
class Row:
    """One row; `in_head` says that it stands in `<thead>`."""

    cells: list[Cell] = field(default_factory=list)
    in_head: bool = False


def is_layout(rows: Sequence[Row]) -> bool:
    """Say whether the table only arranges blocks: one column, or blocks that no cell can hold."""
    if max((len(row.cells) for row in rows), default=0) <= 1:
        return True
    cells = [cell for row in rows for cell in row.cells]
    if any(block.kind in _BLOCKS_OF_LAYOUT for cell in cells for block in cell.blocks):
        return True
    headed = any(cell.is_header for cell in cells)
    return not headed and any(
        block.kind is BlockKind.CODE and block.text.count("\n") > 2
        for cell in cells
        for block in cell.blocks
    )


def sections(rows: Sequence[Row]) -> list[Sequence[Row]]:
    """Part a table at the rows that are a heading over those below, as Doxygen lists members.

    A table that holds more than a few words in a cell is not parted: it only arranges.
    """
    starts = [place for place, row in enumerate(rows) if _is_heading(row)]
    others = (cell for row in rows if not _is_heading(row) for cell in row.cells)
    if not starts or any(len(cell.blocks) > _FEW_BLOCKS for cell in others):
        return [rows]
    ends = sorted({0, *starts, *(place + 1 for place in starts), len(rows)})
    return [rows[start:end] for start, end in pairwise(ends)]


def _is_heading(row: Row) -> bool:
    blocks = row.cells[0].blocks
    return len(row.cells) == 1 and bool(blocks) and blocks[0].kind is BlockKind.HEADING


def to_table(rows: Sequence[Row]) -> str:
    """Return the rows, at least one of two cells, as a Markdown table."""
    grid = _without_spacers(_grid(rows))
    headed = rows[0].in_head or _is_head(rows[0])
    width = max(len(line) for line in grid)
    head = grid.pop(0) if headed else []
    lines = [_line(head + [""] * (width - len(head))), "|" + " --- |" * width]
    full = width if width * len(grid) <= _MAX_SPREAD * sum(map(len, grid)) else 0
    lines.extend(_line(line + [""] * (full - len(line))) for line in grid if any(line))
    return "\n".join(lines)


def _without_spacers(grid: list[list[str]]) -> list[list[str]]:
    """Leave out columns without any text, by which older pages keep the others apart."""
    used = sorted({column for line in grid for column, text in enumerate(line) if text})
    if len(used) < _FEW_COLUMNS or used[-1] == len(used) - 1:
        return grid
    return [[line[column] for column in used if column < len(line)] for line in grid]


def _is_head(row: Row) -> bool:
    """Say whether a row is headings, but for an empty corner: over names or numbers of rows."""
    corner = 0 if row.cells[0].blocks else 1
    return all(cell.is_header for cell in row.cells[corner:])


def _grid(rows: Sequence[Row]) -> list[list[str]]:
    """Place each cell's text in its column, leaving room for what spans from above.

    Spans that would make the table many times larger than what is in it are not believed.
    """
    spans = not _is_mostly_span(rows)
    reaching: dict[int, int] = {}  # column: rows that a cell above still covers
    grid = []
    for row in rows:
        line: list[str] = []
        below: dict[int, int] = {}
        for cell in row.cells:
            while reaching.get(len(line)):
                line.append("")
            columns = min(max(cell.columns, 1), _MAX_SPAN) if spans else 1
            for column in range(len(line), len(line) + columns):
                below[column] = max(cell.rows, 1) if spans else 1
            line += [_cell_text(cell.blocks), *[""] * (columns - 1)]
        grid.append(line)
        for column, count in below.items():
            reaching[column] = max(count, reaching.get(column, 0))
        reaching = {column: count - 1 for column, count in reaching.items() if count > 1}
    return grid


def _is_mostly_span(rows: Sequence[Row]) -> bool:
    area = cells = 0
    for place, row in enumerate(rows):
        for cell in row.cells:
            cells += 1
            area += min(cell.columns, _MAX_SPAN) * min(cell.rows, len(rows) - place)
    return area > _MAX_SPREAD * cells + _MAX_SPREAD**2


def _line(cells: Sequence[str]) -> str:
    return "".join(f"| {cell} " if cell else "| " for cell in cells) + "|"


def _cell_text(blocks: Sequence[Block]) -> str:
    if not blocks:
        return ""
    text = "<br>".join(_one_line(block) for block in blocks)
    return _PIPE.sub(r"\\|", text) if "|" in text else text


def _one_line(block: Block) -> str:
    if block.kind is BlockKind.CODE:
        lines = block.text.split("\n")[1:-1]
        return "<br>".join(code_span(line.rstrip()) for line in lines if line.strip())
    if "\n" not in block.text:
        return block.text
    lines = [line.removesuffix("\\").strip() for line in block.text.split("\n")]
    return "<br>".join(line for line in lines if line)
