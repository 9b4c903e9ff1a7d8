"""Which known mistake makes of our model what was answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from enrnn_ref import models
from enrnn_ref.arrays import Arrays
from enrnn_ref.errors import EnrnnError
from enrnn_ref.models import Bidirectional, Model, Stacked
from enrnn_ref.verify.vectors.case import Case


def model_of(name: str, options: Mapping[str, Any]) -> Model:
    """Our model for the ``model`` and ``options`` of a case.

    Raises
    ------
    OptionError
        There is no such model, or it does not take these options.
    """
    if name == "stacked":
        return Stacked([_part(layer) for layer in options["layers"]])
    if name == "bidirectional":
        ahead, back = _part(options["forward"]), _part(options["backward"])
        return Bidirectional(ahead, back, options["output_size"], readout=options["readout"])
    model: Model = models.build(name, **options)
    return model


def _part(options: Mapping[str, Any]) -> Model:
    """A part of a composition, whose options say what model it is."""
    return model_of(options["model"], {key: value for key, value in options.items() if key != "model"})


def explain(case: Case, found: Arrays, dtype: np.dtype[Any]) -> tuple[str, ...]:
    """Sentences that name the mistakes which explain ``found``; empty when none does."""
    from enrnn_ref.verify.diagnosis import diagnose  # noqa: PLC0415 (needed where something failed, and large)

    known = {name: array for name, array in found.items() if not name.startswith("tangent ")}
    try:
        model = model_of(case.model, case.options)
        explanations = diagnose(
            model, case.params, case.x, case.state or None, case.dy, case.dstate, known, dtype=dtype
        )
    except EnrnnError:  # at a tie or a kink our own model may refuse: then there is nothing to compare with
        return ()
    return tuple(explanation.sentence for explanation in explanations)
