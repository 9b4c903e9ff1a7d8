"""An ENRNN as a PyTorch module, for your own project; and its gradients checked against those derived by hand.

    python examples/07_enrnn_in_pytorch.py             (needs the extra: pip install 'enrnn-ref[torch]')
    python examples/07_enrnn_in_pytorch.py --mistake   the spectral radius is taken for a constant, and found out

Copy the class: it needs PyTorch alone. autograd differentiates the Cayley transform through the linear system, and the
spectral radius through the eigenvalues, real or complex, as long as the leader is not tied with another.
"""

import sys

import torch

import enrnn_ref as er


class ENRNN(torch.nn.Module):
    """h_t = modReLU(R h_{t-1} + U x_t; b) with R = [[W_L, C], [0, T / (ρ(T) + ε)]] (Helfrich and Ye, AAAI 2020).

    W_L = (I + A)⁻¹ (I - A) D is orthogonal, A skew-symmetric, D = diag(±1) with its last ``negative_ones`` entries -1.
    ``forward(x, state)``: x (T, B, I), state (B, L + S) → all states (T, B, L + S), and the last one.
    """

    def __init__(self, input_size, long_size, short_size, *, negative_ones, eps=1e-3, mistake=False, dtype=None):
        super().__init__()
        units = long_size + short_size

        def parameter(scale, *shape):
            return torch.nn.Parameter(scale * torch.randn(*shape, dtype=dtype))

        self.skew = parameter(0.5, long_size * (long_size - 1) // 2)  # the strict upper triangle of A
        self.short = parameter(0.5, short_size, short_size)
        self.coupling = parameter(0.3, long_size, short_size)
        self.input = parameter(0.5, units, input_size)
        self.bias = parameter(0.1, units)
        self.eps, self.mistake = eps, mistake
        signs = torch.ones(long_size, dtype=dtype)
        signs[long_size - negative_ones :] = -1
        self.register_buffer("signs", signs)

    def recurrent_matrix(self):
        size = len(self.signs)
        upper = self.skew.new_zeros(size, size)
        upper[tuple(torch.triu_indices(size, size, 1))] = self.skew
        A, eye = upper - upper.T, torch.eye(size, dtype=upper.dtype, device=upper.device)
        long = torch.linalg.solve(eye + A, eye - A) * self.signs
        radius = torch.linalg.eigvals(self.short).abs().max()
        if self.mistake:
            radius = radius.detach()
        short = self.short / (radius + self.eps)
        return torch.cat(
            [torch.cat([long, self.coupling], 1), torch.cat([torch.zeros_like(self.coupling.T), short], 1)]
        )

    def forward(self, x, state):
        R = self.recurrent_matrix()
        states = []
        for x_t in x:
            z = x_t @ self.input.T + state @ R.T
            state = z.sign() * torch.relu(z.abs() + self.bias)
            states.append(state)
        return torch.stack(states), state


if __name__ == "__main__":
    torch.manual_seed(3)
    network = ENRNN(3, 6, 4, negative_ones=2, mistake="--mistake" in sys.argv[1:], dtype=torch.float64)
    report = er.verify.adapters.torch(network, reference=er.ENRNN(3, 6, 4, negative_ones=2))
    print(report)
    print(f"\n{'array':<10}{'entry':>10}{'PyTorch':>20}{'enrnn_ref':>20}{'relative error':>16}")
    for row in report.rows:
        entry = ",".join(map(str, row.index))
        print(
            f"{row.name.replace(' ', '_'):<10}{entry:>10}{row.analytic:>20.12f}{row.numeric:>20.12f}{row.error:>16.1e}"
        )
