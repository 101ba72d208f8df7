"""The HTML of a figure: one self-contained block, with or without sliders."""

from __future__ import annotations

import hashlib
import html
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from .style import THEME
from .svg import ID_PREFIX, theme_variables

WIDE = 5.6 * 72
"""Figures wider than this, in points, scroll sideways on a narrow screen and do not shrink."""

_PIXELS_PER_POINT = 1.45
# The least labels have 10 points, and a quarter more on a phone: 11 pixels, whatever the screen.
_LEAST_PIXELS_PER_POINT = 0.885


@dataclass(frozen=True)
class Preset:
    """One button: its name, and the place on its grid where it puts each slider."""

    name: str
    at: tuple[int, ...]


@dataclass(frozen=True)
class Control:
    """What sets one parameter: a slider, or buttons of which one is pressed where values are words.

    Attributes
    ----------
    name, label
        The parameter, and what stands beside the control.
    texts, spoken, keys
        How each value is written, read aloud, and written in an address.
    start
        The place on the grid of the value that is shown first.
    in_words
        Whether the values are names of things, without an order.
    """

    name: str
    label: str
    texts: tuple[str, ...]
    spoken: tuple[str, ...]
    keys: tuple[str, ...]
    start: int
    in_words: bool = False

    @property
    def before(self) -> str:
        """What a caption says before the value."""
        return f"{self.label}{': ' if self.in_words else ' = '}"


@dataclass(frozen=True)
class Caption:
    """What stands under a figure: its anchor, and a sentence or two.

    Where the book is built, an extension of Sphinx puts the figure's number before them.
    """

    anchor: str = ""
    text: str = ""

    def html(self, setting: str | None = None) -> str:
        """Return the caption, with the setting of the controls where there are some."""
        parts = []
        if self.text:
            parts.append(
                f"{NUMBER.format('') if self.anchor else ''}"
                f'<span class="ib-caption">{html.escape(self.text)}</span>'
            )
        if setting is not None:
            parts.append(f'<span class="ib-setting">{html.escape(setting)}</span>')
        return f"<figcaption>{' '.join(parts)}</figcaption>\n" if parts else ""


NUMBER = '<span class="ib-number caption-number">{}</span>'
"""Where a figure's number stands in its block."""

MOST_ON_PAPER = 3
"""So many pictures of a figure that moves are printed."""


def picture_block(svg: str, caption: Caption | None = None, setting: str | None = None) -> str:
    """Return the block of a picture that does not move.

    Examples
    --------
    >>> from ibtools.show.block import picture_block
    >>> block = picture_block('<svg viewBox="0 0 9 9"></svg>')
    >>> block.startswith('<figure class="ib-figure')
    True
    """
    caption = caption or Caption()
    prefix = _prefix([svg, caption.anchor])
    return _block(prefix, svg, _picture(svg), caption=caption.html(setting), anchor=caption.anchor)


def explore_block(
    frames: Sequence[str],
    controls: Sequence[Control],
    *,
    presets: Sequence[Preset] = (),
    caption: Caption | None = None,
) -> str:
    """Return the block of an interactive figure.

    Parameters
    ----------
    frames
        One ``<svg>`` for every combination of values, the last control's running fastest.
    controls
        What sets the parameters.
    presets
        The buttons that set all of them.
    caption
        What stands under the picture, and the name by which it can be linked to.

    Returns
    -------
    str
        HTML. What frames have in common is stored once: equal lines are found, lines that always
        follow each other are joined, and a frame is a list of indices into these chunks.
    """
    caption = caption or Caption()
    sizes = [len(control.texts) for control in controls]
    start = _index(sizes, [control.start for control in controls])
    chunks, indices = deduplicated(frames)
    prefix = _prefix([*frames, *(control.label for control in controls), caption.anchor])
    data = json.dumps(
        {
            "start": [control.start for control in controls],
            "texts": [control.texts for control in controls],
            "spoken": [control.spoken for control in controls],
            "keys": [control.keys for control in controls],
            "before": [control.before for control in controls],
            "presets": [preset.at for preset in presets],
            "paper": _on_paper(sizes, start, [_index(sizes, preset.at) for preset in presets]),
            "frames": indices,
            "chunks": chunks,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )
    rows = "".join(_control(prefix, control) for control in controls)
    setting = ", ".join(control.before + control.texts[control.start] for control in controls)
    inside = (
        '<p class="ib-note">The controls of this figure need JavaScript.</p>\n'
        f'<div class="ib-controls" role="group" aria-label="Controls of the figure" hidden>\n'
        f"{rows}</div>\n"
        f'<div class="ib-bar" hidden>{_presets(presets)}{_tools(caption)}</div>\n'
        f"{_picture(frames[start])}"
        '<p class="ib-live" aria-live="polite"></p>\n'
        f'<script type="application/json">{_in_script(data)}</script>\n'
    )
    return _block(
        prefix,
        "".join(frames),
        inside,
        caption=caption.html(setting),
        anchor=caption.anchor,
        script=True,
    )


def _index(sizes: Sequence[int], at: Sequence[int]) -> int:
    """Return the number of a frame from the place of each control on its grid."""
    index = 0
    for size, place in zip(sizes, at, strict=True):
        index = index * size + place
    return index


def _on_paper(sizes: Sequence[int], start: int, presets: Sequence[int]) -> list[int]:
    """Return the frames that show on paper what moves on the screen, the most telling first."""
    ends = [0, math.prod(sizes) - 1]
    return list(dict.fromkeys([start, *presets, *ends]))[:MOST_ON_PAPER]


def computed_block(
    svg: str,
    *,
    name: str,
    start: Mapping[str, float],
    note: str,
    data: str = "{}",
    caption: Caption | None = None,
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
    caption
        What stands under the picture, and the name by which it can be linked to.

    Returns
    -------
    str
        HTML, with the colours of the book as CSS variables. The script is the page's affair.

    Examples
    --------
    >>> from ibtools.show.block import computed_block
    >>> svg = '<svg viewBox="0 0 9 9"></svg>'
    >>> block = computed_block(svg, name="plane", start={"scale": 0.1}, note="A still.")
    >>> 'data-ib-figure="plane"' in block
    True
    """
    caption = caption or Caption()
    prefix = _prefix(["computed", name, svg])
    palette = "".join(f"var({variable})" for variable, _, _ in THEME.values())
    inside = f'<p class="ib-note">{html.escape(note)}</p>\n{_picture(svg)}'
    values = html.escape(json.dumps(dict(start), separators=(",", ":")))
    return (
        f'<div class="ib-live-figure" data-ib-figure="{html.escape(name)}" '
        f'data-ib-start="{values}">\n'
        f"{_block(prefix, svg + palette, inside, caption=caption.html(), anchor=caption.anchor)}\n"
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
    >>> from ibtools.show.block import thumbnail
    >>> 'aria-hidden="true"' in thumbnail('<svg viewBox="0 0 9 9"></svg>')
    True
    """
    name = _prefix(["thumbnail", svg]).rstrip("-")
    drawn = re.sub(r"\bib[0-9a-f]{8}(?:x\d+)?-", f"{name}-", svg)
    drawn = re.sub(r' (?:role|aria-label)="[^"]*"', "", drawn, count=2)
    return (
        f'<div class="ib-thumbnail" id="{name}" aria-hidden="true">\n'
        f"<style>{_theme('#' + name, drawn)}</style>\n{drawn}\n</div>"
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
    >>> from ibtools.show.block import deduplicated
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
    label, row = html.escape(control.label), f'data-name="{html.escape(control.name)}"'
    if control.in_words:
        options = "".join(
            f'<label><input type="radio" name="{name}" value="{k}" autocomplete="off"'
            f"{' checked' if k == control.start else ''}>{html.escape(text)}</label>\n"
            for k, text in enumerate(control.texts)
        )
        return (
            f'<div class="ib-control" role="radiogroup" aria-labelledby="{name}" {row}>'
            f'<span class="ib-label" id="{name}">{label}</span>'
            f'<span class="ib-options">{options}</span></div>\n'
        )
    play = (
        f'<button type="button" class="ib-play" aria-label="Play: {label}"></button>'
        if len(control.texts) > 1
        else ""
    )
    return (
        f'<div class="ib-control" {row}><label class="ib-label" for="{name}">{label}</label>'
        f'<input type="range" id="{name}" name="{html.escape(control.name)}" min="0" '
        f'max="{len(control.texts) - 1}" step="1" value="{control.start}" autocomplete="off" '
        f'aria-valuetext="{html.escape(control.spoken[control.start])}">'
        f'<span class="ib-value"><output for="{name}" aria-live="off">'
        f"{html.escape(control.texts[control.start])}</output>{_widest(control.texts)}</span>"
        f"{play}</div>\n"
    )


def _widest(texts: Sequence[str]) -> str:
    """Keep the room of the longest value, unseen: a slider must not move while one drags it."""
    shapes = sorted({re.sub(r"\d", "0", text) for text in texts})
    lines = "".join(f"<span>{html.escape(shape)}</span>" for shape in shapes)
    return f'<span class="ib-room" aria-hidden="true">{lines}</span>'


def _presets(presets: Sequence[Preset]) -> str:
    if not presets:
        return ""
    buttons = "".join(
        f'<button type="button">{html.escape(preset.name)}</button>\n' for preset in presets
    )
    return (
        '<div class="ib-presets" role="group" aria-label="Settings to try">'
        f"<span>Try this:</span>\n{buttons}</div>\n"
    )


def _tools(caption: Caption) -> str:
    link = '<button type="button" class="ib-link">Copy link</button>\n' if caption.anchor else ""
    return (
        '<div class="ib-tools" role="group" aria-label="This figure">'
        f'<button type="button" class="ib-reset">Reset</button>\n{link}</div>\n'
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


def _block(
    prefix: str,
    drawn: str,
    inside: str,
    *,
    caption: str = "",
    anchor: str = "",
    script: bool = False,
) -> str:
    width = _width(drawn)
    name = prefix.rstrip("-")
    most = round(width * _PIXELS_PER_POINT)
    least = round(width * _LEAST_PIXELS_PER_POINT) if width > WIDE else 0
    here = f"[data-ib={name}]"
    sizes = (
        f"{here} .ib-picture>svg{{max-width:{most}px;min-width:{least}px}}"
        f"{here} .ib-controls,{here} .ib-bar,{here} figcaption{{max-width:{most}px}}"
    )
    code = f"<script>{_asset('figure.js')}</script>\n" if script else ""
    # Math renderers of the page must leave the labels alone.
    return (
        f'<figure class="ib-figure tex2jax_ignore mathjax_ignore" id="{anchor or name}" '
        f'data-ib="{name}">\n'
        f"<style>{_asset('figure.css')}</style>\n<style>{_theme(here, drawn)}{sizes}</style>\n"
        f"{inside.replace(ID_PREFIX, prefix)}{code}{caption}</figure>"
    )


def _theme(here: str, drawn: str) -> str:
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
        f"{here}{{{light}{page}}}"
        f"@supports(color:light-dark(red,red)){{{here}{{{both}}}}}"
        f"[data-theme=light] {here},[data-jp-theme-light=true] {here}{{{light}}}"
        f"[data-theme=dark] {here},[data-jp-theme-light=false] {here},"
        f".vscode-dark {here}{{{dark}}}"
    )


@cache
def _asset(name: str) -> str:
    text = resources.files("ibtools.show").joinpath(name).read_text(encoding="utf-8")
    return "".join(line.strip() + "\n" for line in text.splitlines() if line.strip())
