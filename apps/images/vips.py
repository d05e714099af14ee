"""libvips, loaded when the first image is looked at and not before, with its limits set.

A prefork worker's parent must not hold libvips: its threads don't survive a fork, and a child would wait for them for
ever. So nothing imports pyvips at the top of a module; each child loads its own.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import Any, Final

# The only parsers that a stranger's bytes are shown to: class of the loader, its nickname, our name for the format.
LOADERS: Final = (
    ("VipsForeignLoadJpeg", "jpegload", "jpeg"),
    ("VipsForeignLoadPng", "pngload", "png"),
    ("VipsForeignLoadWebp", "webpload", "webp"),
    ("VipsForeignLoadHeif", "heifload", "avif"),
    ("VipsForeignLoadNsgif", "gifload", "gif"),
    ("VipsForeignLoadTiff", "tiffload", "tiff"),
)


@cache
def libvips() -> Any:
    """pyvips, with every loader blocked but those of LOADERS."""
    import pyvips

    # Its errors are raised; its warnings are as many as a stranger's damaged file cares to cause.
    logging.getLogger("pyvips").setLevel(logging.ERROR)
    pyvips.block_untrusted_set(True)
    pyvips.operation_block_set("VipsForeignLoad", True)
    for loader, _, _ in LOADERS:
        pyvips.operation_block_set(loader, False)
    # No image is looked at twice the same way, so a cache of operations would only hold memory.
    pyvips.cache_set_max(0)
    pyvips.cache_set_max_mem(0)
    pyvips.cache_set_max_files(0)
    # The worker's processes share the cores already; a pool of threads in each would fight over them.
    pyvips.concurrency_set(1)
    return pyvips
