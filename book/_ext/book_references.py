"""The bibliography lists its entries by author and year, as the text cites them."""

from pybtex.plugin import register_plugin
from pybtex.richtext import Text
from pybtex.style.formatting.plain import Style as PlainStyle
from pybtex.style.labels import BaseLabelStyle
from sphinx.application import Sphinx


class AuthorYearLabels(BaseLabelStyle):
    """Labels such as "Lyu and Li, 2020" and, where two agree, "Ji et al., 2020a"."""

    def format_labels(self, sorted_entries):
        labels = [author_year(entry) for entry in sorted_entries]
        for index, label in enumerate(labels):
            rank = labels[:index].count(label)
            yield label + chr(ord("a") + rank) if labels.count(label) > 1 else label


def author_year(entry) -> str:
    people = entry.persons.get("author") or entry.persons.get("editor") or []
    names = [" ".join((*person.prelast_names, *person.last_names)) for person in people]
    if len(names) > 2:
        names = [f"{names[0]} et al."]
    names = [str(Text.from_latex(name)) for name in names]
    return f"{' and '.join(names)}, {entry.fields.get('year', 'n.d.')}"


class BookStyle(PlainStyle):
    default_label_style = AuthorYearLabels


def setup(app: Sphinx) -> dict[str, bool]:
    register_plugin("pybtex.style.formatting", "book", BookStyle)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
