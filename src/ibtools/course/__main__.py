"""The course's commands: ``python -m ibtools.course grade MASTER submissions/``."""

import argparse
import sys

from ibtools._console import run_command
from ibtools.course.grading import command


def main(arguments: list[str] | None = None) -> int:
    """Run the command that is named first."""
    parser = argparse.ArgumentParser(prog="python -m ibtools.course")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    grade = commands.add_parser("grade", help="grade a folder of notebooks")
    command.add_arguments(grade)
    asked = parser.parse_args(arguments)
    return run_command(lambda: command.run(asked, grade))


if __name__ == "__main__":
    sys.exit(main())
