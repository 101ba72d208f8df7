"""What a PDF draws on each of its pages."""

import re
import zlib


def drawn_on_pages(pdf: bytes) -> list[tuple[int, int]]:
    """How many lines and words each page of a PDF draws."""
    objects = dict(re.findall(rb"\n(\d+) 0 obj\b(.*?)endobj", pdf, re.DOTALL))
    drawn = []
    for page in objects.values():
        if re.search(rb"/Type\s*/Page\b(?!s)", page):
            content = objects[re.search(rb"/Contents\s+(\d+)", page)[1]]
            packed = re.search(rb"stream\r?\n(.*)\r?\nendstream", content, re.DOTALL)[1]
            text = zlib.decompressobj().decompress(packed)  # its last byte may be a line feed
            lines = len(re.findall(rb"^[-\d. ]+ l$", text, re.MULTILINE))
            drawn.append((lines, len(re.findall(rb"Tj|TJ", text))))
    return drawn
