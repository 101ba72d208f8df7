"""List the changes that `make mutants` tries in a module; runs where Cosmic Ray is installed.

Of Cosmic Ray's operators that put one sign for another two are kept: the opposite and one of
another kind, since a test that notices neither notices nothing. Of those between comparisons, the
opposite and the one that differs at the boundary alone. Left out is what is no slip in a formula:
changes of annotations and decorators, of stars that unpack, of the class of an exception.

    python scripts/mutations.py src/ibtools/theory/potentials.py    # JSON, one change an entry
"""

import ast
import json
import re
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import parso
from cosmic_ray.ast import ast_nodes
from cosmic_ray.plugins import get_operator, operator_names

SIGNS = """Add_Sub Add_Mul Sub_Add Sub_Div Mul_Div Mul_Add Div_Mul Div_Sub Pow_Mul Pow_Add
FloorDiv_Mul FloorDiv_Sub Mod_Mul Mod_Sub BitAnd_BitOr BitOr_BitAnd"""
COMPARISONS = """Lt_LtE Lt_GtE LtE_Lt LtE_Gt Gt_GtE Gt_LtE GtE_Gt GtE_Lt
Eq_NotEq NotEq_Eq Is_IsNot IsNot_Is"""
TRIED = re.compile(
    rf"core/(ReplaceBinaryOperator_({'|'.join(SIGNS.split())})"
    rf"|ReplaceComparisonOperator_({'|'.join(COMPARISONS.split())})"
    r"|ReplaceUnaryOperator_Delete_\w+|Replace(True|False|And|Or|Break|Continue)With\w+"
    r"|AddNot|NumberReplacer|ZeroIterationForLoop)"
)


def changes(source: str) -> Iterator[dict[str, object]]:
    """Yield each change: its line, and the statement of the module before and after it."""
    operators = [get_operator(name)() for name in operator_names() if TRIED.fullmatch(name)]
    lines = source.splitlines(keepends=True)
    for statement in ast.parse(source).body:
        decorators = getattr(statement, "decorator_list", [])
        first = min(node.lineno for node in [statement, *decorators])
        before = "".join(lines[first - 1 : statement.end_lineno])
        formulas = [
            (at, node)
            for at, node in enumerate(ast_nodes(parso.parse(before)))
            if not no_formula(node)
        ]
        for operator in operators:
            for at, index, row in places(formulas, operator):
                tree = parso.parse(before)  # a new one, since a change is made in it
                node = next(islice(ast_nodes(tree), at, None))
                new = operator.mutate(node, index)
                if new is not node:
                    siblings = node.parent.children
                    siblings[siblings.index(node)] = new
                yield {
                    "line": first - 1 + row,
                    "first": first,
                    "before": before,
                    "after": tree.get_code(),
                }


def places(nodes: list[tuple[int, Any]], operator: Any) -> list[tuple[int, int, int]]:
    """Return where an operator applies: the number of the node, which place in it, and the row."""
    return [
        (at, index, start[0])
        for at, node in nodes
        for index, (start, _) in enumerate(operator.mutation_positions(node))
    ]


def no_formula(node: Any) -> bool:
    """Whether a node is in an annotation or a decorator, or is a star that unpacks."""
    if node.type == "operator" and "*" in node.value:
        before = node.get_previous_sibling()
        if node.parent.type in ("parameters", "param") or before is None or before == ",":
            return True
    while (parent := node.parent) is not None:
        left = parent.children[: parent.children.index(node)]
        annotates = parent.type in ("tfpdef", "annassign", "funcdef") and left
        if (annotates and left[-1] in (":", "->") and node.type != "suite") or (
            parent.type == "decorator"
        ):
            return True
        node = parent
    return False


if __name__ == "__main__":
    json.dump(list(changes(Path(sys.argv[1]).read_text(encoding="utf-8"))), sys.stdout)
