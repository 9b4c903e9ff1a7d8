"""Arrays that lie elsewhere: NumPy's behind a door that counts what goes through, for the seam without a device."""

from dataclasses import replace

import numpy as np

from enrnn_ref.linalg.algebra import HOST, Algebra, ClaimedLeader
from enrnn_ref.linalg.eigenpair import eigenpair_of


class There(np.lib.mixins.NDArrayOperatorsMixin):
    """An array that only the operators, slices, .T, .astype and .copy can be asked for, as one of a device."""

    __cuda_array_interface__ = property(lambda self: {"typestr": self.held.dtype.str})
    shape, dtype, size = (
        property(lambda self, name=name: getattr(self.held, name)) for name in ("shape", "dtype", "size")
    )

    def __init__(self, held, algebra):
        self.held, self.algebra = held, algebra

    def __array_ufunc__(self, ufunc, method, *inputs, **keywords):
        assert method == "__call__"
        assert not keywords
        plain = (each.held if isinstance(each, There) else each for each in inputs)
        assert all(isinstance(each, (There, float, int, np.number)) for each in inputs), "host and elsewhere, mixed"
        return There(ufunc(*plain), self.algebra)

    def __len__(self):
        return len(self.held)

    def __getitem__(self, place):
        return There(self.held[place], self.algebra)

    @property
    def T(self):  # noqa: N802 (NumPy's name)
        return There(self.held.T, self.algebra)

    def astype(self, dtype):
        return There(self.held.astype(dtype), self.algebra)

    def copy(self):
        return There(self.held.copy(), self.algebra)


class Elsewhere(Algebra):
    """The host's algebra on such arrays.

    ``fetched`` and ``brought`` have the size of every array that crossed; ``certain``: whether leaders are;
    ``accurate``: whether inverses are. What is not is wrong until it is settled: who takes it for true is found.
    """

    def __init__(self, *, certain=True, accurate=True):
        self.fetched, self.brought, self.asked = [], [], 0
        self.certain, self.accurate = certain, accurate

    def adopt(self, array):
        assert isinstance(array, There)
        return array

    def fetch(self, array):
        self.fetched.append(array.size)
        return array.held.copy()

    def bring(self, array):
        if isinstance(array, There):
            return array
        self.brought.append(array.size)
        return self.here(array.copy())

    def here(self, array):
        return None if array is None else There(array, self)

    def seal(self, array):
        raise AssertionError("what lies elsewhere cannot be made read-only")

    def constant(self, entries):
        return self.here(entries)

    def zeros(self, shape, dtype):
        return self.here(HOST.zeros(shape, dtype))

    def skew_matrix(self, vector, size):
        return self.here(HOST.skew_matrix(vector.held, size))

    def skew_vector(self, matrix):
        return self.here(HOST.skew_vector(matrix.held))

    def shifted(self, skew):
        return Shifted(self, HOST.shifted(skew.held), accurate=self.accurate)

    def plus_diagonal(self, matrix, entries):
        return self.here(HOST.plus_diagonal(matrix.held, entries.held))

    def inner(self, a, b):
        return self.here(HOST.inner(a.held, b.held))

    def block_triangular(self, first, beside, last):
        return self.here(HOST.block_triangular(first.held, None if beside is None else beside.held, last.held))

    def claimed_leader(self, matrix):
        self.asked += 1
        if not self.certain:
            return ClaimedLeader(self.here(np.array(np.nan)), lambda: None)
        pair = eigenpair_of(matrix.held)
        proved = replace(pair, slope=lambda: self.here(pair.modulus_gradient))
        return ClaimedLeader(self.here(np.array(pair.modulus)), lambda: proved)


class Shifted:
    """A factorisation whose results lie elsewhere."""

    def __init__(self, on, held, *, accurate):
        self.on, self.held, self.accurate = on, held, accurate

    def cayley(self):
        return self.on.here(self.held.cayley() * (1.0 if self.accurate else np.nan))

    def solve(self, right_side, *, transposed=False):
        return self.on.here(self.held.solve(right_side.held, transposed=transposed))

    def settled(self):
        return self if self.accurate else Shifted(self.on, self.held, accurate=True)
