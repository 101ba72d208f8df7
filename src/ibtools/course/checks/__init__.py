"""The checkers, a module a chapter, and the homework."""
