"""The solutions on a page, and the code in them."""

import re

SOLUTION = re.compile(r":::\{solution\} (\S+)\n(.*?)\n:::", re.DOTALL)
CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)


def code_of_solutions(page: str) -> dict[str, list[str]]:
    """The blocks of code in each solution of a page that has any, by the exercise's label."""
    return {name: blocks for name, body in SOLUTION.findall(page) if (blocks := CODE.findall(body))}
