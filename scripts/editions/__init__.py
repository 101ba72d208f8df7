"""The editions of the exercises: student and instructor notebooks, cut from the book's pages."""
