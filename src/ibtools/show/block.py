"""The HTML of a figure: one self-contained block, with or without sliders."""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from .style import THEME
from .svg import ID_PREFIX, theme_variables

WIDE = 6.5 * 72
"""Figures wider than this, in points, scroll sideways on a narrow screen and do not shrink."""

_PIXELS_PER_POINT = 1.45
_LEAST_PIXELS_PER_POINT = 0.9


@dataclass(frozen=True)
class Preset:
    """One button: its name, and the place on its grid where it puts each slider."""

    name: str
    at: tuple[int, ...]


@dataclass(frozen=True)
class Control:
    """One slider: an id, a label, and how each of its values is written and read aloud."""

    name: str
    label: str
    texts: tuple[str, ...]
    spoken: tuple[str, ...]
    start: int


def picture_block(svg: str) -> str:
    """Return the block of a picture that does not move.

    Examples
    --------
    >>> block = picture_block('<svg viewBox="0 0 9 9"></svg>')
    >>> block.startswith('<figure class="ib-figure')
    True
    """
    prefix = _prefix([svg])
    return _block(prefix, svg, _picture(svg))


def explore_block(
    frames: Sequence[str],
    controls: Sequence[Control],
    *,
    note: str,
    presets: Sequence[Preset] = (),
) -> str:
    """Return the block of an interactive figure.

    Parameters
    ----------
    frames
        One ``<svg>`` for every combination of values, the last control's running fastest.
    controls
        The sliders.
    note
        What a reader without scripts is told in place of the sliders.
    presets
        The buttons that set the sliders.

    Returns
    -------
    str
        HTML. What frames have in common is stored once: equal lines are found, lines that always
        follow each other are joined, and a frame is a list of indices into these chunks.
    """
    start = 0
    for control in controls:
        start = start * len(control.texts) + control.start
    chunks, indices = deduplicated(frames)
    prefix = _prefix([*frames, *(control.label for control in controls)])
    data = json.dumps(
        {
            "start": start,
            "texts": [control.texts for control in controls],
            "spoken": [control.spoken for control in controls],
            "presets": [preset.at for preset in presets],
            "frames": indices,
            "chunks": chunks,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )
    rows = "".join(_control(prefix, control) for control in controls)
    inside = (
        f'<p class="ib-note">{html.escape(note)}</p>\n'
        f'<div class="ib-controls" role="group" aria-label="Sliders of the figure" hidden>\n'
        f"{rows}</div>\n"
        f"{_presets(presets)}{_picture(frames[start])}"
        '<p class="ib-live" aria-live="polite"></p>\n'
        f'<script type="application/json">{_in_script(data)}</script>\n'
    )
    return _block(prefix, "".join(frames), inside, script=True)


def computed_block(
    svg: str, *, name: str, start: Mapping[str, float], note: str, data: str = "{}"
) -> str:
    """Return the block of a figure that is computed in the page.

    Parameters
    ----------
    svg
        The still: what is seen without scripts and on paper.
    name
        The figure's name, by which the page's script knows it.
    start
        Where its parameters are at first, by name; where one is not given, as the script says.
    note
        What a reader without scripts is told.
    data
        What the script computes with, as JSON. Default: nothing.

    Returns
    -------
    str
        HTML, with the colours of the book as CSS variables. The script is the page's affair.

    Examples
    --------
    >>> svg = '<svg viewBox="0 0 9 9"></svg>'
    >>> block = computed_block(svg, name="plane", start={"scale": 0.1}, note="A still.")
    >>> 'data-ib-figure="plane"' in block
    True
    """
    prefix = _prefix(["computed", name, svg])
    palette = "".join(f"var({variable})" for variable, _, _ in THEME.values())
    inside = f'<p class="ib-note">{html.escape(note)}</p>\n{_picture(svg)}'
    values = html.escape(json.dumps(dict(start), separators=(",", ":")))
    return (
        f'<div class="ib-live-figure" data-ib-figure="{html.escape(name)}" '
        f'data-ib-start="{values}">\n{_block(prefix, svg + palette, inside)}\n'
        f'<script type="application/json" class="ib-data">{_in_script(data)}</script>\n</div>'
    )


def thumbnail(svg: str) -> str:
    """Return a picture of a block once more, small, as an ornament beside its title.

    Parameters
    ----------
    svg
        The picture as it stands in a block of :func:`picture_block` or :func:`explore_block`.

    Returns
    -------
    str
        HTML that screen readers pass over; its ids are others than the picture's.

    Examples
    --------
    >>> 'aria-hidden="true"' in thumbnail('<svg viewBox="0 0 9 9"></svg>')
    True
    """
    name = _prefix(["thumbnail", svg]).rstrip("-")
    drawn = re.sub(r"\bib[0-9a-f]{8}(?:x\d+)?-", f"{name}-", svg)
    drawn = re.sub(r' (?:role|aria-label)="[^"]*"', "", drawn, count=2)
    return (
        f'<div class="ib-thumbnail" id="{name}" aria-hidden="true">\n'
        f"<style>{_theme(name, drawn)}</style>\n{drawn}\n</div>"
    )


def deduplicated(frames: Sequence[str]) -> tuple[list[str], list[list[int]]]:
    r"""Store what texts have in common once.

    Parameters
    ----------
    frames
        Texts of several lines.

    Returns
    -------
    chunks : list of str
    indices : list of list of int
        ``"".join(chunks[i] for i in indices[k])`` is ``frames[k]``.

    Examples
    --------
    >>> deduplicated(["a\nb\n1\nc\n", "a\nb\n2\nc\n"])
    (['a\nb\n', '1\n', 'c\n', '2\n'], [[0, 1, 2], [0, 3, 2]])
    """
    number: dict[str, int] = {}
    lined = [
        [number.setdefault(line, len(number)) for line in frame.splitlines(keepends=True)]
        for frame in frames
    ]
    # Two lines are one chunk where each always stands beside the other.
    after: dict[int, set[int]] = {}
    before: dict[int, set[int]] = {}
    for lines in lined:
        for one, two in zip([-1, *lines], [*lines, -1], strict=True):
            after.setdefault(one, set()).add(two)
            before.setdefault(two, set()).add(one)
    text = list(number)

    def joined(one: int, two: int) -> bool:
        return one != two and after[one] == {two} and before[two] == {one}

    chunk_of: dict[tuple[int, ...], int] = {}
    indices: list[list[int]] = []
    for lines in lined:
        row: list[int] = []
        run: list[int] = []
        for line in lines:
            if run and not joined(run[-1], line):
                row.append(chunk_of.setdefault(tuple(run), len(chunk_of)))
                run = []
            run.append(line)
        if run:
            row.append(chunk_of.setdefault(tuple(run), len(chunk_of)))
        indices.append(row)
    return ["".join(text[line] for line in run) for run in chunk_of], indices


def _in_script(data: str) -> str:
    # Inside a script element only "</" and "<!" could end or change the text.
    return data.replace("<", chr(92) + "u003c")


def _control(prefix: str, control: Control) -> str:
    name = f"{ID_PREFIX}{control.name}"
    return (
        f'<div class="ib-control"><label for="{name}">{html.escape(control.label)}</label>'
        f'<input type="range" id="{name}" name="{html.escape(control.name)}" min="0" '
        f'max="{len(control.texts) - 1}" step="1" value="{control.start}" autocomplete="off" '
        f'aria-valuetext="{html.escape(control.spoken[control.start])}">'
        f'<output for="{name}" aria-live="off">{html.escape(control.texts[control.start])}</output>'
        "</div>\n"
    )


def _presets(presets: Sequence[Preset]) -> str:
    if not presets:
        return ""
    buttons = "".join(
        f'<button type="button">{html.escape(preset.name)}</button>\n' for preset in presets
    )
    return (
        '<div class="ib-presets" role="group" aria-label="Settings of the sliders" hidden>'
        f"<span>Try this:</span>\n{buttons}</div>\n"
    )


def _picture(svg: str) -> str:
    width = _width(svg)
    scrolls = ""
    if width > WIDE:
        # A group and not a region: a page of figures would be a page of landmarks.
        scrolls = ' tabindex="0" role="group" aria-label="Picture, scrolls sideways"'
    return f'<div class="ib-picture"{scrolls}>\n{svg}\n</div>\n'


def _width(svg: str) -> float:
    found = re.search(r'viewBox="0 0 ([\d.]+) ', svg)
    if found is None:
        raise ValueError(f"svg must have a viewBox that starts at 0 0, got {svg[:200]!r}")
    return float(found[1])


def _prefix(parts: Sequence[str]) -> str:
    digest = hashlib.sha256("\0".join(parts).encode())
    return f"ib{digest.hexdigest()[:8]}-"


def _block(prefix: str, drawn: str, inside: str, *, script: bool = False) -> str:
    width = _width(drawn)
    name = prefix.rstrip("-")
    most = round(width * _PIXELS_PER_POINT)
    least = round(width * _LEAST_PIXELS_PER_POINT) if width > WIDE else 0
    sizes = (
        f"#{name} .ib-picture>svg{{max-width:{most}px;min-width:{least}px}}"
        f"#{name} .ib-controls,#{name} .ib-presets{{max-width:{most}px}}"
    )
    code = f"<script>{_asset('figure.js')}</script>\n" if script else ""
    # Math renderers of the page must leave the labels alone.
    return (
        f'<figure class="ib-figure tex2jax_ignore mathjax_ignore" id="{name}">\n'
        f"<style>{_asset('figure.css')}{_theme(name, drawn)}{sizes}</style>\n"
        f"{inside.replace(ID_PREFIX, prefix)}{code}</figure>"
    )


def _theme(name: str, drawn: str) -> str:
    """Give the variables their values: in the light theme, the dark one, and where neither is set.

    ``light-dark()`` follows the colour scheme the page declares, which is what its background
    follows too; a media query would not know a page that stays light.
    """
    variables = {
        "--ib-blue": theme_variables("var(--ib-blue")["--ib-blue"],
        **theme_variables(drawn),
    }
    light = "".join(f"{key}:{value[0]};" for key, value in variables.items())
    dark = "".join(f"{key}:{value[1]};" for key, value in variables.items())
    both = "".join(f"{key}:light-dark({a},{b});" for key, (a, b) in variables.items())
    page = "--ib-background:var(--pst-color-background,var(--jp-layout-color0,Canvas));"
    return (
        f"#{name}{{{light}{page}}}"
        f"@supports(color:light-dark(red,red)){{#{name}{{{both}}}}}"
        f"[data-theme=light] #{name},[data-jp-theme-light=true] #{name}{{{light}}}"
        f"[data-theme=dark] #{name},[data-jp-theme-light=false] #{name},"
        f".vscode-dark #{name}{{{dark}}}"
    )


@cache
def _asset(name: str) -> str:
    text = resources.files("ibtools.show").joinpath(name).read_text(encoding="utf-8")
    return "".join(line.strip() + "\n" for line in text.splitlines() if line.strip())
