"""What a page need not load is left out: icons that it does not show, scripts that it does not use.

The theme brings two thousand icons, once as a font and once as a script. The font stays, with the
icons that the site shows.
"""

import re
from pathlib import Path

from fontTools import subset
from markupsafe import Markup
from sphinx.application import Sphinx

ICON_RULE = re.compile(r'((?:\.fa-[\w-]+:before,?)+)\{content:"\\[0-9a-f]+"\}')
SOURCE = re.compile(r"src:url\(([^)]*/(fa-[\w-]+))\.woff2\)[^}]*")
SCRIPT = re.compile(r"<script[^>]*fontawesome\.js[^>]*></script>")


def without_icons(html: str) -> Markup:
    return Markup(SCRIPT.sub("", str(html)))


def add_filter(app: Sphinx) -> None:
    if app.builder.format == "html":
        app.builder.templates.environment.filters["without_icons"] = without_icons


def shown_icons(site: Path) -> set[str]:
    """Names of the icons that pages show, or scripts put there."""
    scripts = (site / "_static" / "scripts").glob("*.js")
    texts = [*site.rglob("*.html"), *(path for path in scripts if path.name != "fontawesome.js")]
    return {
        name
        for path in texts
        for name in re.findall(r"\bfa-[a-z][\w-]*", path.read_text(encoding="utf-8"))
    }


def shown_rules(style: str, icons: set[str]) -> str:
    """The theme's style sheet without the icons that nothing shows."""

    def shown(rule: re.Match[str]) -> str:
        names = re.findall(r"\.(fa-[\w-]+)", rule[1])
        return rule[0] if icons.intersection(names) else ""

    return ICON_RULE.sub(shown, style)


def lighten(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html":
        return
    site = Path(app.outdir)
    static = site / "_static"
    style = static / "styles" / "pydata-sphinx-theme.css"
    if not style.is_file() or not SOURCE.search(text := style.read_text(encoding="utf-8")):
        return  # another theme, or done already
    text = shown_rules(text, shown_icons(site))
    others = [path.read_text(encoding="utf-8") for path in static.glob("*.css")]
    codes = set(re.findall(r"\\([ef][0-9a-f]{3}|[0-9a-f]{2})\b", "".join([text, *others])))
    fonts = static / "vendor" / "fontawesome" / "webfonts"
    for _, name in SOURCE.findall(text):
        write_icons(fonts / name, {int(code, 16) for code in codes})
    style.write_text(SOURCE.sub(r'src:url(\1.woff) format("woff")', text), encoding="utf-8")
    for path in (
        *fonts.glob("*.ttf"),
        *fonts.glob("*.woff2"),
        *static.rglob("*.map"),
        *static.glob("*.html"),
    ):
        path.unlink()
    (static / "scripts" / "fontawesome.js").unlink(missing_ok=True)


def write_icons(font: Path, codes: set[int]) -> None:
    options = subset.Options(flavor="woff", layout_features=[], hinting=False)
    options.drop_tables += ["FFTM"]
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=codes)
    with subset.load_font(str(font.with_suffix(".ttf")), options) as loaded:
        subsetter.subset(loaded)
        subset.save_font(loaded, str(font.with_suffix(".woff")), options)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", add_filter)
    app.connect("build-finished", lighten)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
