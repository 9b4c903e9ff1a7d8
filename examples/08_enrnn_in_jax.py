"""An ENRNN as a JAX function, for your own project; and its gradients checked against those derived by hand.

    python examples/08_enrnn_in_jax.py             (needs JAX: pip install jax)
    python examples/08_enrnn_in_jax.py --mistake   the spectral radius is taken for a constant, and found out

Copy the functions: they need JAX alone. JAX differentiates the eigenvalues of a nonsymmetric matrix, real or
complex, though not its eigenvectors; eigenvalues are all that the spectral radius needs.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np

import enrnn_ref as er

NEGATIVE_ONES, EPS = 2, 1e-3
MISTAKE = "--mistake" in sys.argv[1:]


def recurrent_matrix(params):
    """R = [[(I + A)⁻¹ (I - A) D, C], [0, T / (ρ(T) + ε)]], A with the strict upper triangle ``skew``."""
    long, short = params["coupling"].shape
    upper = jnp.zeros((long, long), params["skew"].dtype).at[jnp.triu_indices(long, 1)].set(params["skew"])
    A, eye = upper - upper.T, jnp.eye(long, dtype=upper.dtype)
    signs = jnp.where(jnp.arange(long) < long - NEGATIVE_ONES, 1, -1).astype(upper.dtype)
    orthogonal = jnp.linalg.solve(eye + A, eye - A) * signs
    radius = jnp.abs(jnp.linalg.eigvals(params["short"])).max()
    if MISTAKE:
        radius = jax.lax.stop_gradient(radius)
    normalised = params["short"] / (radius + EPS)
    return jnp.block([[orthogonal, params["coupling"]], [jnp.zeros((short, long), upper.dtype), normalised]])


def enrnn(params, x, state):
    """h_t = modReLU(R h_{t-1} + U x_t; b): x (T, B, I), state {"h": (B, n)} → all states (T, B, n), and the last."""
    R = recurrent_matrix(params)

    def step(h, x_t):
        z = x_t @ params["input"].T + h @ R.T
        h = jnp.sign(z) * jax.nn.relu(jnp.abs(z) + params["bias"])
        return h, h

    last, states = jax.lax.scan(step, state["h"], x)
    return states, {"h": last}


if __name__ == "__main__":
    model = er.ENRNN(3, 6, 4, negative_ones=NEGATIVE_ONES, eps=EPS)
    rng = np.random.default_rng(3)
    params = {name: 0.4 * rng.standard_normal(shape) for name, shape in model.shapes.items()}
    report = er.verify.adapters.jax(enrnn, params, reference=model)
    print(report)
    print(f"\n{'array':<10}{'entry':>10}{'JAX':>20}{'enrnn_ref':>20}{'relative error':>16}")
    for row in report.rows:
        entry = ",".join(map(str, row.index))
        print(
            f"{row.name.replace(' ', '_'):<10}{entry:>10}{row.analytic:>20.12f}{row.numeric:>20.12f}{row.error:>16.1e}"
        )
