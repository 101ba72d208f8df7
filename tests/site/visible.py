"""What can be seen of a page in a browser, beside what its source says must be there.

A count of a page is compared with a count of its *source*: compared with itself it would not notice
that something is missing.
"""

import re

from blocks import Code, Directive, MathBlock, Text, parse
from book_site import ROOT
from labels import FRONT_MATTER

CODE = re.compile(r"(`+)(?:.*?[^`])\1(?!`)", re.DOTALL)
INLINE = re.compile(r"(?<![\\$\d])\$(?![\s$])(?:[^$]*?[^\s\\$])\$(?![$\d])")
AMSMATH = re.compile(r"^\\begin\{(?:align|equation|gather|alignat|multline)\*?\}", re.MULTILINE)


def formulas_in_source(name: str) -> int:
    """How many formulas the source of a page has, in its text and on lines of their own."""
    lines = FRONT_MATTER.sub("", (ROOT / f"{name}.md").read_text(encoding="utf-8")).splitlines()
    return sum(_formulas(block) for block in parse(lines))


def _formulas(block: Text | Code | MathBlock | Directive) -> int:
    if isinstance(block, MathBlock):
        return 1
    if isinstance(block, Text):
        text = "\n".join(block.lines)
        return len(INLINE.findall(CODE.sub("`", text))) + len(AMSMATH.findall(text))
    if isinstance(block, Code) or block.name in ("code-cell", "bibliography"):
        return 0
    if block.name == "math":
        return 1
    title = len(INLINE.findall(CODE.sub("`", block.argument)))
    return title + sum(map(_formulas, parse(block.body)))


def figures_in_source(name: str) -> tuple[int, int]:
    """How many cells of a page end in a figure, and in one with sliders."""
    source = (ROOT / f"{name}.md").read_text(encoding="utf-8")
    cells = re.findall(r"^```\{code-cell\}.*?^```", source, re.DOTALL | re.MULTILINE)
    return tuple(
        sum(bool(re.search(rf"^(?:{call})\(", cell, re.MULTILINE)) for cell in cells)
        for call in ("explore|live_figure|picture", "explore|live_figure")
    )


WORDS_BEYOND = """() => [...document.querySelectorAll('main .ib-picture svg')].flatMap(svg => {
    if (svg.closest('[data-ib-figure]')) return [];  // the page lays out what it computes anew
    const frame = svg.getBoundingClientRect(), room = 2;
    return [...svg.querySelectorAll('text')].filter(e => {
        const box = e.getBoundingClientRect();
        return box.height && (box.top < frame.top - room || box.bottom > frame.bottom + room
            || box.left < frame.left - room || box.right > frame.right + room);
    }).map(e => e.textContent.trim());
})"""


def words_beyond(page) -> list[str]:
    """Words of figures that their picture cuts off: on a phone type is larger beside its axes."""
    return page.evaluate(WORDS_BEYOND)


IN_SIGHT = """e => {
    if (e.closest('details:not([open])') || e.closest('.toggle-hidden')) return true;
    const box = e.getBoundingClientRect();
    let opacity = 1;
    for (let a = e; a; a = a.parentElement) opacity *= Number(getComputedStyle(a).opacity);
    return box.width > 1 && box.height > 1 && opacity > 0.5 && e.checkVisibility({
        checkVisibilityCSS: true, checkOpacity: true, contentVisibilityAuto: false});
}"""


def faults_of_formulas(page, name: str) -> list[str]:
    """What is wrong with the formulas of a page that has set them."""
    found = page.evaluate(
        """inSight => {
            const ok = eval(inSight), all = [...document.querySelectorAll('main mjx-container')];
            const added = '.claim-box, .claim-row, .preview, .quiz, .check-answer';
            const own = all.filter(e => !e.closest(added));
            const red = 'mjx-merror, [data-mjx-error], mjx-mtext[style*="red"], [fill="red"]';
            return {
                set: own.filter(ok).length,
                errors: [...document.querySelectorAll(red)].map(e => e.textContent.slice(0, 60)),
                coloured: all.filter(e => getComputedStyle(e).color !==
                    getComputedStyle(e.parentElement).color).map(e => e.outerHTML.slice(0, 60)),
            };
        }""",
        IN_SIGHT,
    )
    faults = [f"a formula is not understood: {error}" for error in found["errors"]]
    faults += [f"a formula has not the colour of its text: {f}" for f in found["coloured"]]
    if found["set"] < (expected := formulas_in_source(name)):
        faults.append(f"{found['set']} formulas can be seen, the source has {expected}")
    return faults


def faults_of_figures(page, name: str) -> list[str]:
    """What is wrong with the pictures of a page: missing ones, and ones without lines to see."""
    found = page.evaluate(
        """inSight => {
            const ok = eval(inSight);
            return [...document.querySelectorAll('main .ib-picture')].map(picture => {
                const svg = picture.querySelector('svg');
                if (!svg || !ok(svg)) return 'no picture';
                const size = svg.getBoundingClientRect();
                if (picture.checkVisibility() && (size.width <= 150 || size.height <= 80))
                    return `${size.width} by ${size.height} pixels only`;
                const beyond = [...svg.querySelectorAll('text')].find(e => {
                    const box = e.getBoundingClientRect();
                    return box.width && (box.right > size.right + 8 || box.left < size.left - 8);
                });
                if (beyond) return `${beyond.textContent.trim()} stands beyond it`;
                const drawn = [...svg.querySelectorAll('path, use, line, circle, rect, image')];
                const axes = svg.querySelector('[id*="axes"]') || svg;
                const curves = drawn.filter(e => {
                    const style = getComputedStyle(e), box = e.getBoundingClientRect();
                    const inks = Number(style.opacity) > 0.02 && style.visibility !== 'hidden' &&
                        (e.tagName === 'image' ||
                         (style.stroke !== 'none' && Number(style.strokeOpacity) > 0.02) ||
                         (style.fill !== 'none' && Number(style.fillOpacity) > 0.02));
                    return inks && box.width + box.height > 2;
                });
                return curves.length > 5 ? '' : `only ${curves.length} lines in ${axes.id}`;
            });
        }""",
        IN_SIGHT,
    )
    faults = [f"figure {index}: {fault}" for index, fault in enumerate(found) if fault]
    move = page.evaluate("document.querySelectorAll('.ib-figure:has(.ib-controls)').length")
    figures, to_move = figures_in_source(name)
    if len(found) < figures or move < to_move:
        faults.append(f"{len(found)} figures, {move} to move; the source has {figures}, {to_move}")
    return faults


def sticking_out(page) -> list[str]:
    """Where a page is wider than its window, what makes it so."""
    width = page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
    if width <= 0:
        return []
    return page.evaluate(
        """() => [...document.querySelectorAll('main *')]
            .filter(e => e.getBoundingClientRect().right > innerWidth + 1)
            .slice(0, 5).map(e => e.outerHTML.slice(0, 120))"""
    ) or [f"{width} px too wide"]


def clipped(page) -> list[str]:
    """Elements whose content is cut off at a side, with no way to scroll to it.

    What a cell prints is not to be scrolled either: it is sentences, as an error's.
    """
    return page.evaluate(
        """() => [...document.querySelectorAll('main *')].filter(e => {
            const style = getComputedStyle(e), cuts = ['hidden', 'clip'].includes(style.overflowX);
            return (cuts || e.matches('.cell_output pre')) && e.clientWidth > 1 &&
                e.scrollWidth > e.clientWidth + 1 && !e.closest('svg, mjx-container');
        }).map(e => `${e.outerHTML.slice(0, 80)}: ${e.scrollWidth - e.clientWidth} px are cut`)"""
    )


# Whether what can be seen of a picture differs from a copy of it: anything, and more than words. Of
# what is drawn most stays, and stands in the same order: only what differs is looked at.
CHANGED = """(before, after) => {
    const own = e => [...e.attributes].filter(a => a.name !== 'aria-label')
        .map(a => `${a.name}=${a.value}`).join() + (e.children.length ? '' : e.textContent);
    const seen = (e, picture) => {
        if (e.closest('title, desc') || getComputedStyle(e).visibility === 'hidden') return false;
        for (; e !== picture; e = e.parentElement) {
            const style = getComputedStyle(e);
            if (style.display === 'none' || Number(style.opacity) < 0.02) return false;
        }
        return true;
    };
    const found = {any: false, lines: false}, gone = [];
    const look = (e, picture) => {
        const parts = e.children.length ? [...e.querySelectorAll('*')] : [e];
        const drawn = parts.filter(part => !part.children.length && seen(part, picture));
        found.any ||= drawn.length > 0;
        found.lines ||= drawn.some(part => !part.closest('text'));
    };
    const compare = (old, e) => {
        if (found.lines || old?.isEqualNode(e)) return;
        if (!e) { gone.push(old); return; }
        if (!old || old.nodeName !== e.nodeName || own(old) !== own(e)) look(e, after);
        const rest = [...e.children], were = [...(old?.children ?? [])];
        for (let i = 0; i < Math.max(rest.length, were.length); i++) compare(were[i], rest[i]);
    };
    compare(before, after);
    if (gone.length && !found.lines) {
        after.after(before);  // only what is in the page has a style
        gone.forEach(e => look(e, before));
        before.remove();
    }
    return found;
}"""


PALE = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = colour => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = element => {
    for (let e = element.closest('svg').parentElement; e; e = e.parentElement) {
      const colour = rgba(getComputedStyle(e).backgroundColor);
      if (colour[3] > 250) return colour;
    }
    return [255, 255, 255];
  };
  const pale = [];
  for (const text of document.querySelectorAll('.ib-figure svg text')) {
    let opacity = Number(getComputedStyle(text).fillOpacity);
    for (let e = text; e; e = e.parentElement) opacity *= Number(getComputedStyle(e).opacity);
    const back = behind(text), ink = rgba(getComputedStyle(text).fill);
    const mixed = ink.map((v, i) => opacity * v + (1 - opacity) * back[i]);
    const [a, b] = [light(mixed), light(back)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) pale.push(`${text.textContent.trim()}: ${ratio.toFixed(2)}`);
  }
  return pale;
}"""


def light_panels(page) -> list[str]:
    """What stays light in the dark: the theme puts a light panel under HTML outputs."""
    return page.evaluate(
        """() => {
            const light = colour => Math.max(...colour.match(/[\\d.]+/g).slice(0, 3)) >= 80;
            const of = e => getComputedStyle(e).backgroundColor;
            return [
                ...(light(of(document.body)) ? ['the page'] : []),
                ...[...document.querySelectorAll('.cell_output .text_html')]
                    .filter(e => of(e) !== 'rgba(0, 0, 0, 0)').map(e => e.outerHTML.slice(0, 80)),
            ];
        }"""
    )


def pale_text(page) -> list[str]:
    """Words in drawings with less contrast than text needs (axe-core does not look there)."""
    return page.evaluate(PALE)
