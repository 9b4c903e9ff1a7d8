"""Mistakes in the parametrizations: normalised spectra, skew matrices, orthogonal and unitary matrices, blocks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from enrnn_ref.arrays import Array, Arrays
from enrnn_ref.linalg.eigenpair import Eigenpair
from enrnn_ref.linalg.skew import skew_matrix, skew_vector
from enrnn_ref.models.recurrence import Recurrence
from enrnn_ref.parametrizations.base import Parametrization, Value
from enrnn_ref.parametrizations.coupled_blocks import CoupledBlocks
from enrnn_ref.parametrizations.eigenvalue_normalized import EigenvalueNormalized, NormalizedValue
from enrnn_ref.parametrizations.exponential_orthogonal import ExponentialOrthogonal
from enrnn_ref.parametrizations.non_normal_schur import NonNormalSchur
from enrnn_ref.parametrizations.scaled_cayley import CayleyValue, ScaledCayley
from enrnn_ref.parametrizations.unitary_cayley import UnitaryCayley
from enrnn_ref.verify.diagnosis.mistake import Mistake, Site, Variant, variant
from enrnn_ref.verify.diagnosis.program import Program

SKEW = (ScaledCayley, ExponentialOrthogonal, NonNormalSchur, UnitaryCayley)


def part(site: Site, kind: Any) -> Any:
    """The site's parametrization of some kind, or the block of it that is; None where there is none with entries."""
    whole: Any = site.parametrization
    candidates = [whole.long, whole.short] if isinstance(whole, CoupledBlocks) else [whole]
    for candidate in candidates:
        if isinstance(candidate, kind) and candidate.shape[0]:
            return candidate
    return None


def normalized(site: Site) -> EigenvalueNormalized | None:
    """The normalised parametrization or block, unless it is never normalised."""
    found = part(site, EigenvalueNormalized)
    return None if found is None or found.normalize == "never" else found


# The derivative of the spectral radius.

Term = Callable[[complex, Array, Array], Array]


class ChangedModulusGradient(Program):
    """∂ρ/∂T by another formula of λ, u and v, where Tu = λu and v*T = λv*."""

    __term: Term

    def modulus_gradient(self, pair: Eigenpair) -> Array:
        return np.real(type(self).__term(pair.value, pair.right, pair.left))


def _term(title: str, term: Term) -> Variant:
    return variant(title, ChangedModulusGradient, term=staticmethod(term))


def _s(u: Array, v: Array) -> Array:
    """S = conj(v) uᵀ/(v*u), the derivative of λ."""
    s: Array = np.outer(v.conj(), u) / np.vdot(v, u)
    return s


def _radius_constant(site: Site) -> Iterator[Variant]:
    if normalized(site):
        yield _term("ρ treated as a constant", lambda value, u, v: np.zeros((len(u), len(u))))


def _real_part(site: Site) -> Iterator[Variant]:
    if not normalized(site):
        return
    yield _term(
        "only the real parts of λ and of the eigenvector term in dρ",
        lambda value, u, v: value.real / abs(value) * _s(u, v).real,
    )
    yield _term("the derivative of Re λ in place of that of |λ|", lambda value, u, v: _s(u, v).real)
    yield _term(
        "the derivative of |Re λ| in place of that of |λ|", lambda value, u, v: np.sign(value.real) * _s(u, v).real
    )
    yield _term(
        "the eigenvectors' real parts alone in dρ",
        lambda value, u, v: value.real / abs(value) * np.outer(v.real, u.real) / np.dot(v.real, u.real),
    )
    yield _term(
        "the eigenvectors' real parts alone in dρ, λ's sign left out",
        lambda value, u, v: np.outer(v.real, u.real) / np.dot(v.real, u.real),
    )
    yield _term(
        "the real parts of the eigenvectors in the outer product of dρ, but not in v*u",
        lambda value, u, v: value.conjugate() / abs(value) * np.outer(v.real, u.real) / np.vdot(v, u),
    )
    yield _term(
        "the product of the imaginary parts dropped in dρ",
        lambda value, u, v: np.outer((v.conj() * (value.conjugate() / abs(value) / np.vdot(v, u))).real, u.real),
    )
    yield _term(
        "the modulus of the eigenvector term in place of its real part in dρ",
        lambda value, u, v: np.abs(value.conjugate() / abs(value) * _s(u, v)),
    )


def _conjugation(site: Site) -> Iterator[Variant]:
    if not normalized(site):
        return
    phase: Callable[[complex], complex] = lambda value: value.conjugate() / abs(value)  # noqa: E731
    # Not conjugated in the product too, vᵀu, it would be zero: v* and u belong to different eigenvalues then.
    yield _term("λ not conjugated in dρ", lambda value, u, v: value / abs(value) * _s(u, v))
    for what, outer in (
        ("the left eigenvector not conjugated", lambda u, v: np.outer(v, u)),
        ("the right eigenvector conjugated too", lambda u, v: np.outer(v.conj(), u.conj())),
        ("the right eigenvector conjugated in place of the left one", lambda u, v: np.outer(v, u.conj())),
    ):
        yield _conjugated(f"{what} in the outer product of dρ", outer, of_value=True)
        yield _conjugated(f"λ not conjugated and {what} in the outer product of dρ", outer, of_value=False)
    yield _term("v*u conjugated in dρ", lambda value, u, v: phase(value) * np.outer(v.conj(), u) / np.vdot(u, v))


def _conjugated(title: str, outer: Callable[[Array, Array], Array], *, of_value: bool) -> Variant:
    def term(value: complex, u: Array, v: Array) -> Array:
        phase = (value.conjugate() if of_value else value) / abs(value)
        weighted: Array = phase * outer(u, v) / np.vdot(v, u)
        return weighted

    return _term(title, term)


def _one_eigenvector(site: Site) -> Iterator[Variant]:
    if not normalized(site):
        return
    phase: Callable[[complex], complex] = lambda value: value.conjugate() / abs(value)  # noqa: E731
    yield _term(
        "the right eigenvector in place of the left one in dρ",
        lambda value, u, v: phase(value) * np.outer(u.conj(), u) / np.vdot(u, u),
    )
    yield _term(
        "the left eigenvector in place of the right one in dρ",
        lambda value, u, v: phase(value) * np.outer(v.conj(), v) / np.vdot(v, v),
    )
    yield _term("v*u left out in dρ", lambda value, u, v: phase(value) * np.outer(v.conj(), u))
    yield _term(
        "|v*u| in place of v*u in dρ", lambda value, u, v: phase(value) * np.outer(v.conj(), u) / abs(np.vdot(v, u))
    )


def _outer_transposed(site: Site) -> Iterator[Variant]:
    if normalized(site):
        yield _term(
            "the eigenvectors' outer product transposed in dρ",
            lambda value, u, v: value.conjugate() / abs(value) * _s(u, v).T,
        )


class ChangedNormalization(Program):
    """Another parametrization for the normalised block; its pullback follows."""

    changes_outputs = True
    __made: Callable[[EigenvalueNormalized], Parametrization]

    def used_parametrization(self, parametrization: Parametrization) -> Parametrization:
        parametrization = super().used_parametrization(parametrization)
        if isinstance(parametrization, CoupledBlocks):
            coupled = parametrization.coupled
            short: Any = type(self).__made(parametrization.short)
            return CoupledBlocks(parametrization.long, short, coupled=coupled)
        assert isinstance(parametrization, EigenvalueNormalized)
        return type(self).__made(parametrization)


def _remade(title: str, made: Callable[[EigenvalueNormalized], Parametrization]) -> Variant:
    return variant(title, ChangedNormalization, made=staticmethod(made))


class BackwardDivisor(Program):
    __of: Callable[[float, float], float]

    def backward_divisor(self, divisor: float, eps: float) -> float:
        return type(self).__of(divisor, eps)


class EpsilonForgottenInside(Program):
    """(G − ⟨G, T/ρ⟩ ∂ρ/∂T)/(ρ + ε)."""

    def normalized_pullback(self, source: EigenvalueNormalized, value: NormalizedValue, dmatrix: Array) -> Arrays:
        if value.divisor is None or value.unit is None or value.eigenpair is None:
            return super().normalized_pullback(source, value, dmatrix)
        radial = np.sum(dmatrix * value.unit) * self.modulus_gradient(value.eigenpair)
        return {"free": (dmatrix - radial) / value.divisor}


class DivisorOnce(Program):
    """G/(ρ + ε) − ⟨G, T⟩ ∂ρ/∂T: the quotient rule without its square, and its relatives."""

    __power: int

    def normalized_pullback(self, source: EigenvalueNormalized, value: NormalizedValue, dmatrix: Array) -> Arrays:
        if value.divisor is None or value.unit is None or value.eigenpair is None:
            return super().normalized_pullback(source, value, dmatrix)
        radial = np.sum(dmatrix * value.unit) * self.modulus_gradient(value.eigenpair) * value.eigenpair.modulus
        return {"free": dmatrix / value.divisor - radial / value.divisor**self.__power}


class RadialSign(Program):
    def modulus_gradient(self, pair: Eigenpair) -> Array:
        return -super().modulus_gradient(pair)


class PerEntry(Program):
    """(G − G ∘ W ∘ ∂ρ/∂T)/(ρ + ε): no sum over the entries."""

    def normalized_pullback(self, source: EigenvalueNormalized, value: NormalizedValue, dmatrix: Array) -> Arrays:
        if value.divisor is None or value.unit is None or value.eigenpair is None:
            return super().normalized_pullback(source, value, dmatrix)
        share = 1 - source.eps / value.divisor
        return {"free": dmatrix * (1 - share * value.unit * self.modulus_gradient(value.eigenpair)) / value.divisor}


def _epsilon(site: Site) -> Iterator[Variant]:
    block = normalized(site)
    if block and block.eps > 0:
        yield _remade("ε forgotten, T/ρ for T/(ρ + ε)", lambda old: _normalizer(old, eps=0.0))
        yield variant(
            "ε forgotten in the divisor of the backward pass",
            BackwardDivisor,
            of=staticmethod(lambda divisor, eps: divisor - eps),
        )
        yield Variant("ε forgotten in the radial part of dT", EpsilonForgottenInside)


def _quotient(site: Site) -> Iterator[Variant]:
    if normalized(site):
        yield Variant("the radial part of dT added instead of subtracted", RadialSign)
        yield variant("the quotient rule's square left out, ⟨G, T⟩ ∂ρ/∂T/(ρ + ε)", DivisorOnce, power=1)
        yield variant("the quotient rule's divisor left out, ⟨G, T⟩ ∂ρ/∂T", DivisorOnce, power=0)
        yield Variant("G ∘ W in place of the sum ⟨G, W⟩ in the radial part of dT", PerEntry)
        yield variant(
            "the division by ρ + ε left out of dT",
            BackwardDivisor,
            of=staticmethod(lambda divisor, eps: 1.0),
        )


def _normalizer(old: EigenvalueNormalized, **changes: Any) -> EigenvalueNormalized:
    settings = {"eps": old.eps, "normalize": old.normalize, **changes}
    return EigenvalueNormalized(old.shape[0], on_degenerate=old.on_degenerate, **settings)


class NormalizedBy(Parametrization):
    """W = T/(ν(T) + ε) for another function ν than the spectral radius, given with its gradient."""

    def __init__(self, old: EigenvalueNormalized, radius: Callable[[Array], tuple[float, Array]]) -> None:
        self.shape, self.shapes, self.eps, self.radius = old.shape, old.shapes, old.eps, radius

    def _init(self, rng: np.random.Generator, dtype: Any) -> Arrays:
        return {"free": rng.normal(size=self.shape).astype(dtype)}

    def _evaluate(self, raw: Arrays, buffers: Arrays) -> NormalizedValue:
        size, gradient = self.radius(raw["free"])
        return NormalizedValue(self, raw["free"] / (size + self.eps), divisor=size + self.eps, unit=gradient)

    def _pullback(self, value: NormalizedValue, dmatrix: Array) -> Arrays:
        return {"free": (dmatrix - np.sum(dmatrix * value.matrix) * value.unit) / value.divisor}

    def _tangent(self, value: NormalizedValue, draw: Arrays) -> Array:
        dt = draw["free"]
        tangent: Array = (dt - value.matrix * np.sum(value.unit * dt)) / value.divisor
        return tangent

    def _violation(self, value: NormalizedValue) -> float:
        return 0.0


def _spectral_norm(t: Array) -> tuple[float, Array]:
    left, values, right = np.linalg.svd(t)
    return float(values[0]), np.outer(left[:, 0], right[0])


def _frobenius(t: Array) -> tuple[float, Array]:
    size = float(np.linalg.norm(t))
    return size, t / size


def _largest_real_part(t: Array) -> tuple[float, Array]:
    values, right = np.linalg.eig(t)
    k = int(np.argmax(np.abs(values.real)))
    left = np.linalg.inv(right)[k].conj()
    sign = np.sign(values[k].real)
    return float(abs(values[k].real)), sign * _s(right[:, k], left).real


def _leader_real_part(t: Array) -> tuple[float, Array]:
    values, right = np.linalg.eig(t)
    k = int(np.argmax(np.abs(values)))
    left = np.linalg.inv(right)[k].conj()
    return float(abs(values[k].real)), np.sign(values[k].real) * _s(right[:, k], left).real


def _symmetric_radius(t: Array) -> tuple[float, Array]:
    values, vectors = np.linalg.eigh(t)
    k = int(np.argmax(np.abs(values)))
    return float(abs(values[k])), np.sign(values[k]) * np.outer(vectors[:, k], vectors[:, k])


def _normalization(site: Site) -> Iterator[Variant]:
    block = normalized(site)
    if not block:
        return
    yield _remade("T not normalised", lambda old: _normalizer(old, normalize="never"))
    if block.normalize == "always":
        yield _remade("T normalised only where ρ(T) > 1", lambda old: _normalizer(old, normalize="switch"))
    for what, radius in (
        ("the spectral norm", _spectral_norm),
        ("the Frobenius norm", _frobenius),
        ("the largest |Re λ|", _largest_real_part),
        ("the leader's |Re λ|", _leader_real_part),
        ("the spectral radius of the symmetric matrix that eigh sees", _symmetric_radius),
    ):
        yield _remade(f"{what} in place of the spectral radius", _by(radius))


def _by(radius: Callable[[Array], tuple[float, Array]]) -> Callable[[EigenvalueNormalized], Parametrization]:
    return lambda old: NormalizedBy(old, radius)


# ENRNN's blocks.


class CouplingDropped(Program):
    def coupling_gradient(self, dmatrix: Array, n: int) -> Array:
        return 0 * super().coupling_gradient(dmatrix, n)


class CouplingTransposed(Program):
    def coupling_gradient(self, dmatrix: Array, n: int) -> Array:
        return dmatrix[n:, :n].T.copy()


class CouplingIgnoredBackward(Program):
    """The coupling left out of what the gradient is carried through."""

    def carried(self, dz: Array, matrix: Array) -> Array:
        assert isinstance(self.parametrization, CoupledBlocks)
        n = self.parametrization.long_size
        matrix = matrix.copy()
        matrix[:n, n:] = 0
        return super().carried(dz, matrix)


class CouplingIgnored(Program):
    changes_outputs = True

    def read(self, params: Arrays) -> Arrays:
        params = super().read(params)
        return {**params, "coupling": 0 * params["coupling"]}

    def write(self, grads: Arrays) -> Arrays:
        return super().write({**grads, "coupling": 0 * grads["coupling"]})


class CouplingOnTheOtherSide(Program):
    """[[W_L, 0], [W_Cᵀ, W_S]]."""

    changes_outputs = True

    def matrix(self, value: Value) -> Array:
        return self._moved(super().matrix(value))

    def matrix_cotangent(self, dmatrix: Array) -> Array:
        return super().matrix_cotangent(self._moved(dmatrix))

    def _moved(self, matrix: Array) -> Array:
        assert isinstance(self.parametrization, CoupledBlocks)
        n = self.parametrization.long_size
        moved = matrix.copy()
        moved[:n, n:], moved[n:, :n] = matrix[n:, :n].T, matrix[:n, n:].T
        return moved


class BlocksSwapped(Program):
    """Short units first."""

    changes_outputs = True

    def matrix(self, value: Value) -> Array:
        order = self._order()
        matrix: Array = super().matrix(value)[np.ix_(order, order)]
        return matrix

    def matrix_cotangent(self, dmatrix: Array) -> Array:
        inverse = np.argsort(self._order())
        return super().matrix_cotangent(dmatrix[np.ix_(inverse, inverse)])

    def _order(self) -> Array:
        assert isinstance(self.parametrization, CoupledBlocks)
        n = self.parametrization.long_size
        return np.concatenate([np.arange(n, self.units), np.arange(n)])


def _coupled(site: Site) -> bool:
    return isinstance(site.parametrization, CoupledBlocks) and "coupling" in site.model.shapes and _both_blocks(site)


def _both_blocks(site: Site) -> bool:
    whole = site.parametrization
    return isinstance(whole, CoupledBlocks) and 0 < whole.long_size < whole.shape[0]


def _coupling(site: Site) -> Iterator[Variant]:
    if _coupled(site):
        yield Variant("the gradient of the coupling dropped", CouplingDropped)
        yield Variant("the gradient of the coupling taken from the transposed block of dR", CouplingTransposed)
        yield Variant("the coupling left out where the gradient is carried back", CouplingIgnoredBackward)


def _blocks(site: Site) -> Iterator[Variant]:
    if _coupled(site):
        yield Variant("the coupling ignored", CouplingIgnored)
        yield Variant("the coupling from long to short units, [[W_L, 0], [W_Cᵀ, W_S]]", CouplingOnTheOtherSide)
    if _both_blocks(site):
        yield Variant("the short units first", BlocksSwapped)


# Skew matrices.


class SkewScaled(Program):
    __by: float

    def skew_gradient(self, m: Array) -> Array:
        return self.__by * super().skew_gradient(m)


class SkewSymmetric(Program):
    __sign: float

    def skew_gradient(self, m: Array) -> Array:
        return self.__sign * skew_vector(m + m.T)


class SkewTriangle(Program):
    __lower: bool

    def skew_gradient(self, m: Array) -> Array:
        return skew_vector(-m.T if self.__lower else m)


def _skew_factor(site: Site) -> Iterator[Variant]:
    if part(site, SKEW):
        yield variant("(M − Mᵀ)/2, half of the gradient of the skew matrix's free entries", SkewScaled, by=0.5)
        yield variant("2 (M − Mᵀ), twice the gradient of the skew matrix's free entries", SkewScaled, by=2.0)


def _skew_projection(site: Site) -> Iterator[Variant]:
    if part(site, SKEW):
        yield variant("Mᵀ − M, the opposite sign in the gradient of the skew matrix", SkewScaled, by=-1.0)
        yield variant("M + Mᵀ where M − Mᵀ is right for the skew matrix", SkewSymmetric, sign=1.0)
        yield variant("−M − Mᵀ where M − Mᵀ is right for the skew matrix", SkewSymmetric, sign=-1.0)
        yield variant("one triangle of M alone in the gradient of the skew matrix", SkewTriangle, lower=False)
        yield variant("the lower triangle of M alone in the gradient of the skew matrix", SkewTriangle, lower=True)


class SkewNegated(Program):
    """A and −A confused: (I − A)⁻¹(I + A), expm(−A)."""

    changes_outputs = True
    __chosen: tuple[str, ...]

    def read(self, params: Arrays) -> Arrays:
        params = super().read(params)
        return params | {name: -params[name] for name in self.__chosen}

    def write(self, grads: Arrays) -> Arrays:
        return super().write(grads | {name: -grads[name] for name in self.__chosen})


class SkewLowerTriangle(Program):
    """The numbers of ``skew`` put below the diagonal, row by row, and their negatives above."""

    changes_outputs = True
    __name: str
    __sign: float

    def read(self, params: Arrays) -> Arrays:
        params = super().read(params)
        n = self._size(params[self.__name])
        a = np.zeros((n, n))
        a[np.tril_indices(n, -1)] = params[self.__name]
        return params | {self.__name: self.__sign * skew_vector(a - a.T)}

    def write(self, grads: Arrays) -> Arrays:
        n = self._size(grads[self.__name])
        a = self.__sign * skew_matrix(grads[self.__name], n)
        return super().write(grads | {self.__name: a[np.tril_indices(n, -1)]})

    @staticmethod
    def _size(vector: Array) -> int:
        return (1 + math.isqrt(1 + 8 * len(vector))) // 2


def _skew_names(site: Site) -> tuple[str, ...]:
    return tuple(name for name in ("skew", "skew_real", "skew_imag") if name in site.model.shapes)


def _skew_sign(site: Site) -> Iterator[Variant]:
    if part(site, SKEW) and site.cell is not None:
        names = _skew_names(site)
        yield variant("−A in place of A: (I − A)⁻¹(I + A), or expm(−A)", SkewNegated, chosen=names)


def _skew_storage(site: Site) -> Iterator[Variant]:
    if part(site, SKEW) and isinstance(site.model, Recurrence):
        name = _skew_names(site)[0]
        if site.model.shapes[name][0] > 1:
            title = f"{name} read as the lower triangle of A, row by row"
            yield variant(title, SkewLowerTriangle, name=name, sign=1.0)
            yield variant(f"{title}, negated", SkewLowerTriangle, name=name, sign=-1.0)


# Cayley.


class SignsDroppedBackward(Program):
    def cayley_factor(self, signs: Array, w: Array) -> Array:
        factor: Array = np.eye(len(w)) + w.T
        return factor


class SignsLeftOut(Program):
    """Wᵀ alone, or D alone."""

    __only_w: bool

    def cayley_factor(self, signs: Array, w: Array) -> Array:
        factor: Array = w.T if self.__only_w else np.diag(signs)
        return factor


class FactorNotTransposed(Program):
    def cayley_factor(self, signs: Array, w: Array) -> Array:
        factor: Array = np.diag(signs) + w
        return factor


class InverseNotTransposed(Program):
    def cayley_solve(self, source: ScaledCayley, value: CayleyValue, right_side: Array) -> Array:
        return super().cayley_solve(source, replace(value, exact=_other_side(source, value)), right_side)


class InverseLeftOut(Program):
    def cayley_solve(self, source: ScaledCayley, value: CayleyValue, right_side: Array) -> Array:
        return right_side


def _other_side(source: ScaledCayley, value: CayleyValue) -> Array:
    """The W whose (I + W D)/2 is the transpose of this one's."""
    other: Array = (value.exact * source.signs).T * source.signs
    return other


def _cayley_backward(site: Site) -> Iterator[Variant]:
    cayley = part(site, ScaledCayley)
    if cayley is None:
        return
    if (cayley.signs < 0).any():
        yield Variant("D dropped in the pullback of the Cayley transform", SignsDroppedBackward)
    yield Variant(
        "(I + A)⁻¹ where its transpose is right in the pullback of the Cayley transform", InverseNotTransposed
    )
    yield Variant("D + W where D + Wᵀ is right in the pullback of the Cayley transform", FactorNotTransposed)
    yield variant("W's share left out of the pullback of the Cayley transform", SignsLeftOut, only_w=False)
    yield variant("D's share left out of the pullback of the Cayley transform", SignsLeftOut, only_w=True)
    yield Variant("(I + A)⁻ᵀ left out of the pullback of the Cayley transform", InverseLeftOut)


class OtherSigns(Program):
    """Another D, in both passes."""

    changes_outputs = True
    __count: int
    __first: bool

    def used_parametrization(self, parametrization: Parametrization) -> Parametrization:
        parametrization = super().used_parametrization(parametrization)
        if isinstance(parametrization, CoupledBlocks):
            return CoupledBlocks(
                self._made(parametrization.long), parametrization.short, coupled=parametrization.coupled
            )
        assert isinstance(parametrization, ScaledCayley)
        return self._made(parametrization)

    def _made(self, old: ScaledCayley) -> ScaledCayley:
        made = ScaledCayley(old.shape[0], self.__count)
        if self.__first:
            made.signs = made.signs[::-1].copy()
        return made


class SignsOnTheLeft(Program):
    """D (I + A)⁻¹ (I − A)."""

    changes_outputs = True

    def matrix(self, value: Value) -> Array:
        return self._moved(super().matrix(value))

    def matrix_cotangent(self, dmatrix: Array) -> Array:
        return super().matrix_cotangent(self._moved(dmatrix))

    def _moved(self, matrix: Array) -> Array:
        whole = self.parametrization
        cayley = whole.long if isinstance(whole, CoupledBlocks) else whole
        assert isinstance(cayley, ScaledCayley)
        n, moved = cayley.shape[0], matrix.copy()
        moved[:n, :n] = cayley.signs[:, np.newaxis] * matrix[:n, :n] * cayley.signs
        return moved


def _signs(site: Site) -> Iterator[Variant]:
    cayley = part(site, ScaledCayley)
    if cayley is None:
        return
    n, count = cayley.shape[0], int(np.count_nonzero(cayley.signs < 0))
    if count:
        yield variant("D dropped, W = (I + A)⁻¹(I − A)", OtherSigns, count=0, first=False)
    if 0 < count < n:
        yield variant("the −1 of D first in place of last", OtherSigns, count=count, first=True)
        yield Variant("D on the left, W = D (I + A)⁻¹(I − A)", SignsOnTheLeft)
        yield variant("the signs of D exchanged", OtherSigns, count=n - count, first=True)


# Exponential, Schur form, unitary.


class FrechetBy(Program):
    __how: Callable[[Array, Array], Array]

    def frechet_pullback(self, exponential: Any, g: Array) -> Array:
        return type(self).__how(exponential.matrix, g)


def _exponential(site: Site) -> Iterator[Variant]:
    if part(site, (ExponentialOrthogonal, NonNormalSchur)):
        for title, how in (
            ("d expm(A) taken as expm(A) dA", lambda p, g: p.T @ g),
            ("d expm(A) taken as dA expm(A)", lambda p, g: g @ p.T),
            ("d expm(A) taken as dA (first order in A)", lambda p, g: g),
            ("d expm(A) taken as (expm(A) dA + dA expm(A))/2", lambda p, g: (p.T @ g + g @ p.T) / 2),
            ("expm's derivative in place of its adjoint, expm(A) dA", lambda p, g: p @ g),
            ("expm's derivative in place of its adjoint, dA expm(A)", lambda p, g: g @ p),
        ):
            yield variant(title, FrechetBy, how=staticmethod(how))


class DerivativeForAdjoint(Program):
    def frechet_pullback(self, exponential: Any, g: Array) -> Array:
        derivative: Array = exponential.tangent(g)
        return derivative


def _exponential_adjoint(site: Site) -> Iterator[Variant]:
    yield from _exponential(site)
    if part(site, (ExponentialOrthogonal, NonNormalSchur)):
        yield Variant("L(A, G), expm's derivative, in place of its adjoint L(Aᵀ, G)", DerivativeForAdjoint)


class FrameOnce(Program):
    __left_kept: bool

    def frame_gradient(self, left: Array, right: Array) -> Array:
        return left if self.__left_kept else right


class AngleUnscaled(Program):
    def angle_gradient(self, modulus: Array, turned: Array) -> Array:
        return turned


def _schur(site: Site) -> Iterator[Variant]:
    if part(site, NonNormalSchur):
        yield variant("P taken as a constant where it stands transposed, on the right of Θ", FrameOnce, left_kept=True)
        yield variant("P taken as a constant on the left of Θ", FrameOnce, left_kept=False)
        yield Variant("the modulus γ missing in the gradient of the angles", AngleUnscaled)


class FoldedHalf(Program):
    def folded(self, dmatrix: Array, n: int) -> Array:
        return super().folded(dmatrix, n) / 2


class FoldedFirstColumn(Program):
    def folded(self, dmatrix: Array, n: int) -> Array:
        g: Array = dmatrix[:n, :n] + 1j * dmatrix[n:, :n]
        return g


class FoldedConjugate(Program):
    def folded(self, dmatrix: Array, n: int) -> Array:
        return super().folded(dmatrix, n).conj()


class FoldedReal(Program):
    def folded(self, dmatrix: Array, n: int) -> Array:
        return super().folded(dmatrix, n).real + 0j


class TiedOnce(Program):
    def tied_gradient(self, m: Array) -> Array:
        return m[np.triu_indices(len(m))]


class TiedDiagonalTwice(Program):
    def tied_gradient(self, m: Array) -> Array:
        return (m + m.T)[np.triu_indices(len(m))]


class OtherOrder(Program):
    changes_outputs = True

    def used_parametrization(self, parametrization: Parametrization) -> Parametrization:
        assert isinstance(parametrization, UnitaryCayley)
        return UnitaryCayley(parametrization.size, "paper" if parametrization.order == "released" else "released")


class ConjugatedMatrix(Program):
    """[[Re W, Im W], [−Im W, Re W]]."""

    changes_outputs = True

    def matrix(self, value: Value) -> Array:
        return self._conjugated(super().matrix(value))

    def matrix_cotangent(self, dmatrix: Array) -> Array:
        return super().matrix_cotangent(self._conjugated(dmatrix))

    @staticmethod
    def _conjugated(matrix: Array) -> Array:
        n = len(matrix) // 2
        signs = np.repeat([1.0, -1.0], n)
        conjugated: Array = signs[:, np.newaxis] * matrix * signs
        return conjugated


def _unitary(site: Site) -> Iterator[Variant]:
    if part(site, UnitaryCayley):
        yield Variant("W conjugated in the gradient (G for its conjugate)", FoldedConjugate)
        yield Variant("the imaginary part of the gradient of W dropped", FoldedReal)
        yield Variant("half of the gradient of W, the two copies of its parts averaged", FoldedHalf)
        yield Variant("half of the real form of W forgotten in its gradient", FoldedFirstColumn)
        yield Variant("the tied entries of the imaginary part counted once", TiedOnce)
        yield Variant("the diagonal of the imaginary part counted twice", TiedDiagonalTwice)


def _unitary_forward(site: Site) -> Iterator[Variant]:
    if part(site, UnitaryCayley):
        yield Variant("the other order of factors of W", OtherOrder)
        yield Variant("W conjugated, [[Re W, Im W], [−Im W, Re W]]", ConjugatedMatrix)


COMPLEX = "the leading eigenvalue is complex"
ALWAYS = "always"

MISTAKES = (
    Mistake(
        "radius-constant",
        "ρ treated as a constant",
        "MI-51",
        "dR has a radial part",
        "enrnn-largest-steps",
        _radius_constant,
    ),
    Mistake(
        "real-part-only",
        "only the real part of the eigenvector term",
        "MI-52",
        COMPLEX,
        "enrnn-complex-leader",
        _real_part,
    ),
    Mistake(
        "conjugation-forgotten", "a conjugation forgotten in dρ", "MI-53", COMPLEX, "enrnn-complex-leader", _conjugation
    ),
    Mistake(
        "one-eigenvector",
        "one eigenvector of the two in dρ",
        "MI-54",
        "T is not normal",
        "enrnn-largest-steps",
        _one_eigenvector,
    ),
    Mistake(
        "outer-product-transposed",
        "the eigenvectors' outer product transposed in dρ",
        "MI-55",
        "T is not symmetric",
        "enrnn-largest-steps",
        _outer_transposed,
    ),
    Mistake("epsilon-forgotten", "ε forgotten", "MI-56", "ε is not zero", "enrnn-large-eps", _epsilon),
    Mistake(
        "quotient-rule",
        "the quotient rule of T/(ρ + ε) wrong",
        "MI-57",
        "dR has a radial part",
        "enrnn-large-eps",
        _quotient,
    ),
    Mistake("normalization", "T normalised otherwise", "MI-58", "ρ(T) + ε is not 1", "enrnn-large-eps", _normalization),
    Mistake(
        "coupling-gradient",
        "the coupling's gradient dropped or misplaced",
        "MI-59",
        "the short state feeds the long one",
        "enrnn-largest-steps",
        _coupling,
    ),
    Mistake(
        "blocks-misplaced", "the blocks of R misplaced", "MI-60", "there are two blocks", "enrnn-largest-steps", _blocks
    ),
    Mistake(
        "skew-factor-two", "a factor 2 in the skew projection", "MI-61", ALWAYS, "scornn-largest-hidden", _skew_factor
    ),
    Mistake("skew-projection", "the skew projection wrong", "MI-62", ALWAYS, "scornn-largest-hidden", _skew_projection),
    Mistake("skew-negated", "A and −A confused", "MI-63", "A is not zero", "scornn-largest-hidden", _skew_sign),
    Mistake(
        "skew-storage",
        "the skew matrix's entries misplaced",
        "MI-64",
        "n is at least 3",
        "scornn-largest-hidden",
        _skew_storage,
    ),
    Mistake(
        "cayley-pullback",
        "the Cayley pullback wrong",
        "MI-65",
        "A is not zero",
        "scornn-largest-hidden",
        _cayley_backward,
    ),
    Mistake("cayley-signs", "D wrong", "MI-66", "D has both signs", "scornn-largest-hidden", _signs),
    Mistake(
        "exponential-derivative",
        "the derivative of the exponential approximated",
        "MI-67",
        "A is not zero, n is at least 3",
        "exprnn-largest-hidden",
        _exponential_adjoint,
    ),
    Mistake("schur-pullback", "the Schur form's pullback incomplete", "MI-68", ALWAYS, "nnrnn-largest-steps", _schur),
    Mistake("unitary-pullback", "the unitary pullback wrong", "MI-69", ALWAYS, "scurnn-largest-steps", _unitary),
    Mistake(
        "unitary-convention",
        "W of another convention",
        "MI-70",
        "W is not real or not symmetric",
        "scurnn-largest-steps",
        _unitary_forward,
    ),
)
