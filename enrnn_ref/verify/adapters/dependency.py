"""Libraries that an adapter needs and this package does not."""

from __future__ import annotations

import importlib
from typing import Any

from enrnn_ref.errors import DependencyError


def load(module: str, extra: str) -> Any:
    """The module of that name.

    Raises
    ------
    DependencyError
        It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        name = module.split(".", maxsplit=1)[0]
        raise DependencyError(f"{name} is missing; install it with: pip install 'enrnn-ref[{extra}]'.") from error
