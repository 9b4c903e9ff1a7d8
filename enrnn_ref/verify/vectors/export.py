"""Compute the golden vectors and write them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

from enrnn_ref.errors import OptionError
from enrnn_ref.verify.vectors.cases import recipes
from enrnn_ref.verify.vectors.encoding import encode, file_text
from enrnn_ref.verify.vectors.oracle.evaluate import evaluate
from enrnn_ref.verify.vectors.oracle.layout import MODELS

Progress = Callable[[str, int, int], None]


def export(
    directory: str | Path, models: Sequence[str] | None = None, progress: Progress | None = None
) -> tuple[Path, ...]:
    """Compute the golden vectors and write them with their schemas, flags and specification.

    The files are byte for byte those that the package holds: nothing in them depends on machine, time or random state.
    Each is written whole or not at all, when its model is done. All of it takes some minutes.

    Parameters
    ----------
    directory : path
        A folder that is empty or does not exist yet: nothing is ever overwritten.
    models : sequence of str, optional
        Which models; None: all.
    progress : function, optional
        Called with a case's id, the number of cases done and of all cases, before each case and, with "", at the end.

    Returns
    -------
    tuple of Path
        The files written.

    Raises
    ------
    OptionError
        A model's name is none, or ``directory`` cannot be made or is not empty.
    DependencyError
        mpmath is not installed.
    """
    chosen = MODELS if models is None else tuple(models)
    unknown = [model for model in chosen if model not in MODELS]
    if unknown:
        raise OptionError(f"models holds {unknown[0]!r}; expected some of {', '.join(MODELS)}.")
    folder = _empty_folder(Path(directory))
    constant = [
        source
        for source in (resources.files(__package__) / "data").iterdir()
        if source.is_file() and source.name not in {f"{model}.json" for model in MODELS}
    ]
    written = [_write(folder / source.name, source.read_bytes()) for source in constant]
    done, total = 0, sum(len(recipes(model)) for model in chosen)
    for model in chosen:
        cases = []
        for recipe in recipes(model):
            if progress is not None:
                progress(recipe.id, done, total)
            point = recipe.point()
            cases.append(encode(recipe, point, evaluate(recipe.id, model, recipe.options, point)))
            done += 1
        written.append(_write(folder / f"{model}.json", file_text(model, cases).encode()))
    if progress is not None:
        progress("", done, total)
    return tuple(written)


def _empty_folder(folder: Path) -> Path:
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise OptionError(f"The folder {folder} exists already; expected a new path or an empty folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(f"The folder {folder} cannot be made: {error.strerror}.") from error
    return folder


def _write(path: Path, data: bytes) -> Path:
    """The file under a temporary name first, so that a reader never sees a part of it."""
    temporary = path.with_name(f"{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return temporary.replace(path)
