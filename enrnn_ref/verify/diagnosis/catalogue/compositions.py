"""Mistakes where models are put together."""

from __future__ import annotations

from collections.abc import Iterator

from enrnn_ref.arrays import Array
from enrnn_ref.models.bidirectional import Bidirectional
from enrnn_ref.models.stacked import Stacked
from enrnn_ref.verify.diagnosis.compositions import BidirectionalProgram, StackedProgram
from enrnn_ref.verify.diagnosis.mistake import Mistake, Site, Variant


class LastOutputOfBoth(BidirectionalProgram):
    changes_outputs = True

    def summary_index(self) -> int:
        return 0


def _summary(site: Site) -> Iterator[Variant]:
    if isinstance(site.model, Bidirectional) and site.model.readout == "last" and site.steps > 1:
        yield Variant(
            "the backward half's output at the last time, which has seen one step, where that at the first is right",
            LastOutputOfBoth,
        )


class OrderNotRestored(BidirectionalProgram):
    changes_outputs = True

    def restored(self, sequence: Array) -> Array:
        return sequence


class InputGradientNotRestored(BidirectionalProgram):
    def input_gradient_restored(self, dx: Array) -> Array:
        return dx


class InputGradientOfOneDirection(BidirectionalProgram):
    def input_gradient_restored(self, dx: Array) -> Array:
        return 0 * dx


def _order(site: Site) -> Iterator[Variant]:
    if isinstance(site.model, Bidirectional) and site.steps > 1:
        if site.model.readout == "all":
            yield Variant("the outputs of the backward half not put back in the order of time", OrderNotRestored)
        yield Variant("dx of the backward half not put back in the order of time", InputGradientNotRestored)
        yield Variant("dx of the backward half left out", InputGradientOfOneDirection)


class LayersDetached(StackedProgram):
    def passed_down(self, dx: Array) -> Array:
        return 0 * super().passed_down(dx)


def _detached(site: Site) -> Iterator[Variant]:
    if isinstance(site.model, Stacked) and len(site.model.layers) > 1:
        yield Variant("no gradient passed down from layer to layer", LayersDetached)


MISTAKES = (
    Mistake(
        "last-output-of-backward-half",
        "the last output in place of the backward half's first",
        "MI-71",
        "there are two steps",
        "bidirectional-rnn-last",
        _summary,
    ),
    Mistake(
        "backward-half-order",
        "the backward half in the wrong order of time",
        "MI-72",
        "there are two steps",
        "bidirectional-largest-steps",
        _order,
    ),
    Mistake(
        "layers-detached",
        "no gradient between the layers",
        "MI-73",
        "there are two layers",
        "stacked-largest-steps",
        _detached,
    ),
)
