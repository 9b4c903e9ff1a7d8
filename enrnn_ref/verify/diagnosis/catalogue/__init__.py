"""The catalogue of mistakes: in the order in which they are preferred as explanations."""

from enrnn_ref.verify.diagnosis.catalogue import compositions, spectral, start, steps, sums, through_time, weights
from enrnn_ref.verify.diagnosis.mistake import Mistake

CATALOGUE: tuple[Mistake, ...] = (
    *through_time.MISTAKES,
    *start.MISTAKES,
    *steps.MISTAKES,
    *weights.MISTAKES,
    *spectral.MISTAKES,
    *compositions.MISTAKES,
    *sums.MISTAKES,
)
