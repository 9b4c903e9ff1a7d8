"""Optimiser rules as pure functions: ``step`` takes parameters, gradients and state, and returns new arrays.

Every rule here works on each entry of each parameter alone. So its state is a few arrays of the parameter's own shape,
in a flat dictionary (``"skew.mean_square"``) that a checkpoint stores as it is. The object holds settings only, and
``to_config`` turns it into plain JSON.

Two releases disagree on three of the four rules, by more than rounding. ``flavour`` names the release whose update,
starting values and defaults are meant (g gradient, w parameter, t = 1 at the first step):

========  =========================================  ============================================
rule      ``"tf1"``: ``tf.train`` of TensorFlow 1.x  ``"torch"``: ``torch.optim`` of PyTorch
========  =========================================  ============================================
RMSprop   s₀ = 1, decay 0.9, ε = 1e-10               s₀ = 0, decay 0.99, ε = 1e-8
          w −= lr g / √(s + ε)                       w −= lr g / (√s + ε)
Adagrad   s₀ = 0.1                                   s₀ = 0, ε = 1e-10
          w −= lr g / √s                             w −= lr g / (√s + ε)
Adam      ε = 1e-8                                   ε = 1e-8
          w −= lr √(1−β₂ᵗ)/(1−β₁ᵗ) m / (√v + ε)      w −= lr/(1−β₁ᵗ) m / (√v/√(1−β₂ᵗ) + ε)
SGD       one rule for both
========  =========================================  ============================================

The starting value matters: on a small gradient the first RMSprop step of TensorFlow is about lr g / 0.95, while that of
PyTorch is lr sign(g) / √(1 − decay), whatever the size of g. The released ENRNN settings assume the former, hence
``"tf1"`` is the default.

State has the dtype of its parameter. A step counter is one int64 per parameter (``"skew.step"``), so that parameters
under different rules share no key.

Each line of the table is one function of scalars (``entry_…``), the only place where it is written down. On the host it
is applied to whole arrays; on a CUDA device a kernel is compiled from it. Parameters, gradients and state may lie
there, all of them: then so do the results. A step counter is always the host's.
"""

from enrnn_ref.optimizers.adagrad import Adagrad as Adagrad
from enrnn_ref.optimizers.adam import Adam as Adam
from enrnn_ref.optimizers.clipping import clip_by_global_norm as clip_by_global_norm
from enrnn_ref.optimizers.config import from_config as from_config
from enrnn_ref.optimizers.groups import Groups as Groups
from enrnn_ref.optimizers.rmsprop import RMSprop as RMSprop
from enrnn_ref.optimizers.rule import Optimizer as Optimizer
from enrnn_ref.optimizers.rule import Rule as Rule
from enrnn_ref.optimizers.sgd import SGD as SGD

__all__ = ["SGD", "Adagrad", "Adam", "Groups", "Optimizer", "RMSprop", "Rule", "clip_by_global_norm", "from_config"]
