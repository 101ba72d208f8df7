"""Checkers."""

from ibtools.course.registry import Checker

CHECKERS: tuple[Checker, ...] = ()
