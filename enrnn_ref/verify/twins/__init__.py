"""Exact derivatives of a function that was written for NumPy: what differences are too coarse to decide."""

from enrnn_ref.verify.twins import elementwise as elementwise  # fills the table of rules
from enrnn_ref.verify.twins import structural as structural
from enrnn_ref.verify.twins.search import Twin as Twin
from enrnn_ref.verify.twins.search import candidates as candidates
from enrnn_ref.verify.twins.search import find as find
