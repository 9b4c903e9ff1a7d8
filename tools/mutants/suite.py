"""Which quick tests judge which file: groups of tests, those first that are quick and likely to fail."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Group:
    """Test files that pytest runs together.

    Attributes
    ----------
    tests : tuple of str
        Files, from the root of the repository.
    keyword : str
        What pytest's ``-k`` selects of them; "": all.
    """

    tests: tuple[str, ...]
    keyword: str = ""


@dataclass(frozen=True)
class Suite:
    """The groups for a file, one after the other; ``compiled``: Numba compiles, instead of leaving plain Python."""

    groups: tuple[Group, ...]
    compiled: bool = False

    @property
    def files(self) -> tuple[str, ...]:
        """All test files, once."""
        return tuple(dict.fromkeys(test for group in self.groups for test in group.tests))


def _systems(keyword: str = "") -> Group:
    return Group(("tests/mutants/test_every_system.py",), keyword)


def _files(*names: str, keyword: str = "") -> Group:
    return Group(tuple(f"tests/{name}.py" for name in names), keyword)


def _vectors(keyword: str) -> Group:
    return _files("mutants/test_vectors", keyword=keyword)


_CELLS = _files("mutants/test_every_cell")
_DETAILS = _files("mutants/test_models")
_LINALG = _files("mutants/test_linalg")
_FILTERS = _files("filters/test_filters")
_MAPS = _files(
    "mutants/test_parametrizations", "parametrizations/test_every_parametrization", "parametrizations/test_elsewhere"
)
_GOLDEN = _files("models/test_golden")
_LAWS = _files("laws/test_splitting", "laws/test_causality")
_LOOPS = (
    _DETAILS,
    _systems(),
    _files("backends/test_contract", "laws/test_splitting"),
    _vectors("scornn or lstm or gru"),
)
_MODELS = (
    _DETAILS,
    _systems(),
    _vectors("reference"),
    _files(
        "models/test_golden",
        "models/test_several_states",
        "models/test_shapes",
        "models/test_edge_sizes",
    ),
)

SUITES: dict[str, Suite] = {
    "cells/activation": Suite((_CELLS, _systems("rnn or relu or identity"))),
    "cells/base": Suite((_CELLS, _systems(), _files("cells/test_every_cell", "cells/test_complex_modrelu"))),
    "cells/complex_modrelu": Suite((_CELLS, _vectors("scurnn"), _files("cells/test_complex_modrelu"))),
    "cells/elementary": Suite((_CELLS, _systems("lstm"), _files("cells/test_lstm"))),
    "cells/gru": Suite((_CELLS, _systems("gru"), _files("cells/test_gru", "models/test_gru"))),
    "cells/identity": Suite((_CELLS, _systems("identity"))),
    "cells/lstm": Suite((_CELLS, _systems("lstm"), _files("cells/test_lstm", "models/test_lstm"))),
    "cells/modrelu": Suite((_CELLS, _systems("modrelu"), _files("cells/test_modrelu"))),
    "cells/nesterov_lstm": Suite((_CELLS, _systems("restart"), _FILTERS, _files("models/test_momentum"))),
    "cells/relu": Suite((_CELLS, _systems("relu"), _files("cells/test_relu"))),
    "cells/restart": Suite((_CELLS, _FILTERS, _systems("restart or scheduled"))),
    "cells/tanh": Suite((_CELLS, _systems("rnn"))),
    "filters/adam": Suite((_CELLS, _systems("adam or rms or adaptive"), _FILTERS)),
    "filters/momentum": Suite((_CELLS, _systems("momentum"), _FILTERS)),
    "filters/scheduled": Suite((_CELLS, _systems("restart or scheduled"), _FILTERS)),
    "parametrizations/base": Suite((_DETAILS, _MAPS, _systems())),
    "parametrizations/coupled_blocks": Suite(
        (_systems("enrnn"), _vectors("enrnn"), _MAPS, _files("parametrizations/test_coupled_blocks"))
    ),
    "parametrizations/eigenvalue_normalized": Suite(
        (
            _systems("enrnn"),
            _vectors("enrnn"),
            _MAPS,
            _files("parametrizations/test_tracked_leader"),
            _files("parametrizations/test_eigenvalue_normalized", "models/test_switch"),
        )
    ),
    "parametrizations/exponential_orthogonal": Suite(
        (
            _systems("exprnn"),
            _vectors("exprnn"),
            _MAPS,
            _files("parametrizations/test_exponential_orthogonal", "models/test_exprnn"),
        )
    ),
    "parametrizations/free": Suite((_MAPS, _files("parametrizations/test_free"), _systems("rnn"))),
    "parametrizations/non_normal_schur": Suite(
        (
            _systems("nnrnn"),
            _vectors("nnrnn"),
            _MAPS,
            _files("parametrizations/test_non_normal_schur", "models/test_nnrnn"),
        )
    ),
    "parametrizations/scaled_cayley": Suite(
        (_systems("scornn"), _vectors("scornn"), _MAPS, _files("parametrizations/test_scaled_cayley"))
    ),
    "parametrizations/unitary_cayley": Suite(
        (_systems("scurnn"), _vectors("scurnn"), _MAPS, _files("parametrizations/test_unitary_cayley"))
    ),
    "linalg/algebra": Suite((_systems("enrnn or scornn"), _MAPS, _files("parametrizations/test_coupled_blocks"))),
    "linalg/eigenpair": Suite(
        (
            _LINALG,
            _files(
                "mutants/test_certainty",
                "linalg/test_tracking",
                "linalg/test_tracking_proof",
                "parametrizations/test_tracked_leader",
            ),
            _files("linalg/test_dominant_eigenpair", "linalg/test_degenerate_eigenvalues"),
            _MAPS,
        )
    ),
    "linalg/exponential": Suite((_files("linalg/test_exponential"),)),
    "linalg/refinement": Suite(
        (
            _LINALG,
            _files("linalg/test_dominant_eigenpair", "linalg/test_degenerate_eigenvalues"),
        )
    ),
    "linalg/shifted": Suite((_systems("scornn"), _MAPS, _files("parametrizations/test_scaled_cayley"))),
    "linalg/skew": Suite((_LINALG, _files("linalg/test_skew"), _MAPS)),
    "backends/base": Suite((_files("mutants/test_pieces", "backends/test_contract", "test_optimizers"), *_LOOPS)),
    "backends/cpu": Suite(
        (*_LOOPS, _files("backends/test_pipeline", "backends/test_threads", "backends/test_subnormal"))
    ),
    "backends/elementary": Suite((_files("backends/test_elementary"),), compiled=True),
    "backends/entrywise": Suite((_files("backends/test_entrywise", "test_optimizers"),)),
    "backends/kernels": Suite((*_LOOPS, _files("backends/test_subnormal"))),
    "backends/memory": Suite((_files("backends/test_memory"),)),
    "backends/products": Suite((_files("backends/test_products"),), compiled=True),
    "backends/reference": Suite(_LOOPS),
    "backends/tile": Suite((_files("backends/test_products"), _files("backends/test_tile")), compiled=True),
    "backends/tuples": Suite(_LOOPS),
    "models/axes": Suite((_files("models/test_axes"), *_MODELS)),
    "models/bidirectional": Suite((_systems("bidirectional"), _files("models/test_axes"))),
    "models/composition": Suite((_systems("bidirectional or stacked"), _files("models/test_nnrnn"))),
    "models/drive": Suite((_files("mutants/test_pieces"), *_MODELS)),
    "models/enrnn": Suite((_DETAILS, _systems("enrnn"), _vectors("enrnn"), _GOLDEN)),
    "models/gru": Suite((_systems("gru"), _vectors("gru"), _files("models/test_gru"))),
    "models/lstm": Suite((_systems("lstm"), _vectors("lstm"), _files("models/test_lstm"))),
    "models/momentum": Suite(
        (
            _systems("momentum or adam or rms or restart"),
            _files("models/test_momentum", keyword="initial_forget_bias"),
            _vectors("reference"),
            _files("models/test_momentum"),
        )
    ),
    "models/nnrnn": Suite((_systems("nnrnn"), _files("models/test_nnrnn"))),
    "models/passes": Suite((*_MODELS, _LAWS, _files("backends/test_threads"))),
    "models/readout": Suite(_MODELS),
    "models/recurrence": Suite((_files("mutants/test_blocks"), *_MODELS, _LAWS)),
    "models/scornn": Suite((_systems("scornn"), _vectors("scornn"))),
    "models/scurnn": Suite((_systems("scurnn"), _files("models/test_scurnn"))),
    "models/stacked": Suite((_DETAILS, _systems("stacked"))),
    "models/states": Suite(_MODELS),
    "models/sweep": Suite(
        (
            _files("mutants/test_blocks"),
            *_MODELS,
            _LAWS,
            _files("models/test_checkpoints", "models/test_time_blocks", "backends/test_threads"),
        )
    ),
    "models/time_blocks": Suite((_files("models/test_time_blocks", "models/test_checkpoints"), *_MODELS)),
    "losses": Suite((_files("test_losses"),)),
    **{
        f"optimizers/{name}": Suite((_files("test_optimizers"),))
        for name in ("adagrad", "adam", "checks", "clipping", "groups", "rmsprop", "rule", "sgd")
    },
}
SUITES = {f"enrnn_ref/{name}.py": suite for name, suite in SUITES.items()}
"""By file, from the root of the repository. What is not here is not changed."""

COMMON = ("tests/conftest.py", "tests/strategies.py", "tests/mutants/systems.py", "tests/parametrizations/laws.py")
"""Files that the tests share: when one changes, a survivor is judged again."""
