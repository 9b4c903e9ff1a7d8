"""Laws that need no reference values: what every correct gradient satisfies, whatever the function or the model.

``check`` tries all that fit a recurrent model, ``check_function`` those of any differentiable function. Each law can be
called by itself, and returns a row: those of :mod:`.functions` take a Problem (``laws.problem``) and a cotangent, those
of :mod:`.recurrent` a Sample (``laws.sample``), those of :mod:`.invariants` a matrix, those of :mod:`.along` a Problem
and a kind of :mod:`.directions`. Tolerances are zero where a law is exact in floating point, and else what rounding
makes of its two sides.
"""

from enrnn_ref.verify.laws import directions as directions
from enrnn_ref.verify.laws.along import invariance as invariance
from enrnn_ref.verify.laws.along import structured as structured
from enrnn_ref.verify.laws.checks import check as check
from enrnn_ref.verify.laws.checks import check_function as check_function
from enrnn_ref.verify.laws.function_model import FunctionModel as FunctionModel
from enrnn_ref.verify.laws.functions import adjoint_identity as adjoint_identity
from enrnn_ref.verify.laws.functions import linearity as linearity
from enrnn_ref.verify.laws.functions import zero_cotangent as zero_cotangent
from enrnn_ref.verify.laws.invariants import circulant as circulant
from enrnn_ref.verify.laws.invariants import invariant as invariant
from enrnn_ref.verify.laws.invariants import of_model as of_model
from enrnn_ref.verify.laws.invariants import orthogonality as orthogonality
from enrnn_ref.verify.laws.invariants import promise as promise
from enrnn_ref.verify.laws.invariants import spectral_radius as spectral_radius
from enrnn_ref.verify.laws.invariants import spectrum as spectrum
from enrnn_ref.verify.laws.invariants import unitarity as unitarity
from enrnn_ref.verify.laws.recurrent import RECURRENT as RECURRENT
from enrnn_ref.verify.laws.recurrent import backend_agreement as backend_agreement
from enrnn_ref.verify.laws.recurrent import batch_independence as batch_independence
from enrnn_ref.verify.laws.recurrent import batch_permutation as batch_permutation
from enrnn_ref.verify.laws.recurrent import causality as causality
from enrnn_ref.verify.laws.recurrent import fitting as fitting
from enrnn_ref.verify.laws.recurrent import splitting as splitting
from enrnn_ref.verify.problem import from_callables
from enrnn_ref.verify.sample import draw

problem, sample = from_callables, draw
