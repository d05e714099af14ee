"""The command line: `python -m project.local.demo`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from project.local.demo.run import demo

ABOUT: Final = """Start the whole stack on free ports in a temporary directory, send orders and photographs through both
pipelines, show what became of them, and end. The exit code is 0 only if every figure is as it must be."""

PHOTOS: Final = Path(__file__).parent / "photos"
SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".avif", ".gif", ".tif", ".tiff", ".heic"})
ORDERS_MAX: Final = 500


def main() -> int:
    """Parse the command line, run the demo, and return the exit code."""
    parser = argparse.ArgumentParser(prog="./run demo", description=ABOUT)
    parser.add_argument("--orders", type=_count, default=20, metavar="N", help="how many orders (%(default)s)")
    parser.add_argument("--photos", type=_photos, default=PHOTOS, metavar="DIR", help="a directory of pictures")
    arguments = parser.parse_args()
    photos = arguments.photos if isinstance(arguments.photos, list) else _photos(str(arguments.photos))
    return demo(orders=arguments.orders, photos=photos)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) > ORDERS_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to {ORDERS_MAX}")
    return int(text)


def _photos(text: str) -> list[Path]:
    directory = Path(text).expanduser()
    if not directory.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is not a directory")
    photos = sorted(path for path in directory.iterdir() if path.suffix.lower() in SUFFIXES)
    if not photos:
        raise argparse.ArgumentTypeError(f"{text!r} holds no pictures ({', '.join(sorted(SUFFIXES))})")
    return photos


if __name__ == "__main__":
    sys.exit(main())
