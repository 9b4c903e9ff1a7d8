"""What a wrong gradient is to the right one, without a model."""

import numpy as np
import pytest

from enrnn_ref.verify.diagnosis import relations

RNG = np.random.default_rng(8)
SQUARE, MATRIX, TALL = RNG.normal(size=(4, 4)), RNG.normal(size=(3, 5)), RNG.normal(size=(8, 3))
SEQUENCE = RNG.normal(size=(6, 3, 2))
COMPLEX = RNG.normal(size=(3, 2)) + 1j * RNG.normal(size=(3, 2))


def shifted(array, by):
    moved = np.zeros_like(array)
    if by > 0:
        moved[by:] = array[:-by]
    else:
        moved[:by] = array[-by:]
    return moved


@pytest.mark.parametrize(
    ("wrong", "right", "words"),
    [
        (0 * MATRIX, MATRIX, "is zero"),
        (-MATRIX, MATRIX, "opposite sign"),
        (2 * MATRIX, MATRIX, "twice"),
        (MATRIX / 2, MATRIX, "half"),
        (MATRIX / 7, MATRIX, "divided by the batch, 7"),
        (MATRIX * 7, MATRIX, "times the batch, 7"),
        (MATRIX / 5, MATRIX, "divided by the number of steps, 5"),
        (MATRIX / 35, MATRIX, "divided by batch times steps, 35"),
        (3.25 * MATRIX, MATRIX, "is 3.25 times the right one"),
        (COMPLEX.conj(), COMPLEX, "complex conjugate"),
        (-COMPLEX.conj(), COMPLEX, "minus the complex conjugate"),
        (COMPLEX.real + 0j, COMPLEX, "real part"),
        (1j * COMPLEX.imag, COMPLEX, "imaginary part"),
        (-1j * COMPLEX, COMPLEX, "times −i"),
        (SQUARE.T, SQUARE, "is the transpose"),
        (-SQUARE.T, SQUARE, "minus the transpose"),
        ((SQUARE - SQUARE.T) / 2, SQUARE, "skew part"),
        (SQUARE - SQUARE.T, SQUARE, "M − Mᵀ"),
        (SQUARE + SQUARE.T, SQUARE, "M + Mᵀ"),
        (np.triu(SQUARE), SQUARE, "upper triangle"),
        (np.diag(np.diag(SQUARE)), SQUARE, "diagonal"),
        (MATRIX.ravel().reshape(MATRIX.shape, order="F"), MATRIX, "stored column by column"),
        (MATRIX.ravel(order="F").reshape(MATRIX.shape), MATRIX, "stored row by row"),
        (shifted(SEQUENCE, 1), SEQUENCE, "t − 1 in the place of t"),
        (shifted(SEQUENCE, -1), SEQUENCE, "t + 1 in the place of t"),
        (SEQUENCE[::-1], SEQUENCE, "reversed"),
        (TALL.reshape(4, 2, 3)[[0, 2, 1, 3]].reshape(8, 3), TALL, "4 blocks of rows in the order 1, 3, 2, 4"),
        (SQUARE[[2, 0, 3, 1]], SQUARE, "rows in another order: 2, 0, 3, 1"),
        (np.concatenate([SEQUENCE[:1] + 1, SEQUENCE[1:]]), SEQUENCE, "right but for entry 0"),
        (np.concatenate([SEQUENCE[:3], 0 * SEQUENCE[3:]]), SEQUENCE, "right but for the entries 3 to 5"),
    ],
)
def test_a_relation_is_named(wrong, right, words):
    noise = 1e-9 * RNG.uniform(-1, 1, right.shape)
    told = relations("w", wrong, right + noise, 1e-8, batch=7, steps=5)
    assert any(words in sentence for sentence in told), told
    assert all(sentence.startswith("the gradient of w ") for sentence in told)


def test_right_and_unrelated_gradients_are_passed_over():
    assert relations("w", MATRIX, MATRIX + 1e-9, 1e-8) == ()
    assert relations("w", RNG.normal(size=MATRIX.shape), MATRIX, 1e-8, batch=7, steps=5) == ()
    assert relations("w", np.full(MATRIX.shape, np.nan), MATRIX, 1e-8) == ()
    assert relations("w", MATRIX[:2], MATRIX, 1e-8) == ()


def test_a_single_number_is_not_any_multiple_of_another():
    assert relations("w", np.array([3.3]), np.array([1.0]), 1e-8) == ()
    assert "twice" in relations("w", np.array([2.0]), np.array([1.0]), 1e-8)[0]


def test_the_tolerance_counts_entry_by_entry():
    tolerance = np.where(np.arange(5) == 2, 1.0, 1e-8) * np.ones(MATRIX.shape)
    wrong = 2 * MATRIX
    wrong[:, 2] += 0.5
    assert "twice" in relations("w", wrong, MATRIX, tolerance)[0]
    assert relations("w", wrong, MATRIX, 1e-8) == ()
