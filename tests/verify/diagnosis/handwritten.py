"""Recurrent networks as people write them, in plain NumPy and apart from the package, with mistakes to choose from.

Every function takes the arrays of a model of the package and returns its outputs and gradients under their names.
``bug`` is the name of a mistake of the catalogue and, behind a slash, which way it is made; ``""`` makes none.
"""

import numpy as np


def sigma(z):
    return 1 / (1 + np.exp(-z))


def rnn(p, x, h0, dy, dh_last, bug=""):
    """tanh RNN, y at every step."""
    T, B, _ = x.shape
    R, U, b, V, c = (p[key].copy() for key in ("recurrent", "input", "bias", "readout", "readout_bias"))
    if bug == "transposed-recurrence":
        R = R.T
    if bug.startswith("bias-added-twice"):
        b = 2 * b
    if bug == "column-major":
        U = np.array(U.ravel()).reshape(U.shape[::-1]).T
    hs = [np.zeros_like(h0) if bug == "initial-state-ignored" else h0]
    ys = []
    for t in range(T):
        xt = x[T - 1 - t] if bug == "input-misread" else x[t]
        z = hs[-1] @ R.T + xt @ U.T + b
        hs.append(np.maximum(z, 0) if bug == "other-activation" else np.tanh(z))
        shown = hs[-2] if bug == "readout-before-step" else hs[-1]
        ys.append(shown @ V.T + c)
    dR, dU, db, dV, dc = (np.zeros_like(a) for a in (R, U, b, V, c))
    dx = np.zeros_like(x)
    carry = np.zeros_like(h0) if bug == "final-cotangent-ignored" else dh_last.copy()
    for t in range(T - 1, -1, -1):
        g = dy[t]
        if bug == "output-cotangent-shifted":
            g = dy[t - 1] if t else np.zeros_like(dy[0])
        if bug == "last-output-only" and t < T - 1:
            g = 0 * g
        dV += g.T @ (hs[t] if bug in ("readout-before-step", "readout-gradient-shifted") else hs[t + 1])
        dc += g.sum(0)
        dh = carry if bug == "readout-before-step" else g @ V + carry
        if bug == "truncated-backpropagation" and (t + 1) % 2 == 0 and t < T - 1:
            dh = g @ V
        slope = 1 - hs[t + 1] ** 2
        if bug == "missing-slope":
            slope = 1.0
        if bug == "slope-of-wrong-argument":
            slope = 1 - np.tanh(hs[t + 1]) ** 2
        if bug == "other-activation":
            slope = hs[t + 1] > 0
        dz = dh * slope
        if bug == "recurrent-gradient-shifted":
            dR += dz.T @ hs[t + 1]
        elif not (bug == "initial-term-missing" and t == 0):
            dR += dz.T @ hs[t]
        xt = x[T - 1 - t] if bug == "input-misread" else x[t]
        if bug == "input-gradient-shifted":
            xt = x[t - 1] if t > 0 else 0 * x[0]
        if bug == "overwritten-sum":
            dU = dz.T @ xt
        else:
            dU += dz.T @ xt
        if not (bug == "step-missing" and t == 0):
            db += dz.mean(0) if bug == "bias-averaged" else dz.sum(0)
        dx[T - 1 - t if bug == "input-misread" else t] = dz @ U
        carry = dz @ (R.T if bug == "transposed-recurrence-backward" else R)
        if bug == "readout-before-step":
            carry = carry + g @ V
    dh0 = carry
    if bug == "initial-gradient-not-carried":
        dh0 = dh
    if bug in ("initial-state-ignored", "initial-gradient-missing"):
        dh0 = 0 * dh0
    if bug == "transposed-recurrence":
        dR = dR.T
    if bug == "transposed-recurrent-gradient":
        dR = dR.T
    if bug in ("bias-counted-twice", "bias-added-twice"):
        db = 2 * db
    if bug == "column-major":
        dU = np.ascontiguousarray(dU.T).ravel().reshape(dU.shape)
    if bug == "no-gradient":
        dU = 0 * dU
    grads = {"recurrent": dR, "input": dU, "bias": db, "readout": dV, "readout_bias": dc}
    scale = {"batch-mean": 1 / B, "time-mean": 1 / T, "opposite-sign": -1.0, "factor-two": 2.0}.get(bug, 1.0)
    grads = {key: scale * g for key, g in grads.items()}
    return {"y": np.array(ys), "final h": hs[-1], **grads, "x": scale * dx, "state h": scale * dh0}


RNN_BUGS = (
    "transposed-recurrence", "bias-added-twice", "column-major", "initial-state-ignored", "input-misread",
    "other-activation", "readout-before-step", "final-cotangent-ignored", "output-cotangent-shifted",
    "last-output-only", "truncated-backpropagation", "missing-slope", "slope-of-wrong-argument",
    "recurrent-gradient-shifted", "initial-term-missing", "input-gradient-shifted", "overwritten-sum", "step-missing",
    "bias-averaged", "transposed-recurrence-backward", "initial-gradient-not-carried", "initial-gradient-missing",
    "transposed-recurrent-gradient", "bias-counted-twice", "no-gradient", "batch-mean", "time-mean", "opposite-sign",
    "factor-two", "readout-gradient-shifted",
)  # fmt: skip


def lstm(p, x, h0, c0, dy, dh_last, dc_last, bug=""):
    """LSTM without readout, one sequence of the batch after the other."""
    n = h0.shape[1]
    order = {"gate-order/onnx": "iofg", "gate-order/tf": "igfo"}.get(bug, "ifgo")
    W, U, b = ({g: p[k][order.index(g) * n : (order.index(g) + 1) * n] for g in "ifgo"}
               for k in ("recurrent", "input", "bias"))  # fmt: skip
    if bug == "forget-bias":
        b = {**b, "f": b["f"] + 1}
    out = {k: np.zeros_like(v) for k, v in p.items()}
    ys, dx, dh0, dc0, hT, cT = (np.zeros_like(a) for a in (dy, x, h0, c0, h0, c0))
    for k in range(x.shape[1]):
        h, c, tape = h0[k], c0[k], []
        for xt in x[:, k]:
            a = {g: W[g] @ h + U[g] @ xt + b[g] for g in "ifgo"}
            if bug == "hard-sigmoid":
                act = {g: np.minimum(1, np.maximum(0, 0.2 * a[g] + 0.5)) for g in "ifo"}
            else:
                act = {g: sigma(a[g]) for g in "ifo"}
            act["g"] = np.tanh(a["g"])
            new = act["f"] * c + act["i"] * act["g"]
            tape.append((h, c, xt, act, new, a))
            c, h = new, act["o"] * (new if bug == "output-tanh-missing" else np.tanh(new))
            ys[len(tape) - 1, k] = h
        hT[k], cT[k] = h, c
        dh, dc = dh_last[k].copy(), dc_last[k].copy()
        for t in range(len(x) - 1, -1, -1):
            h, c, xt, act, new, a = tape[t]
            dh = dh + dy[t, k]
            tc = new if bug == "output-tanh-missing" else np.tanh(new)
            slope_c = 1 - np.tanh(tc) ** 2 if bug == "slope-of-wrong-argument" else 1 - tc**2
            if bug == "output-tanh-missing":
                slope_c = 1.0
            dc = (0 if bug == "cell-state-path" else dc) + dh * act["o"] * slope_c
            s = {g: act[g] * (1 - act[g]) for g in "ifo"}
            if bug == "hard-sigmoid":
                s = {g: 0.2 * (np.abs(0.2 * a[g]) < 0.5) for g in "ifo"}
            if bug == "missing-slope":
                s = dict.fromkeys("ifo", 1.0)
            d = {
                "i": dc * act["g"] * s["i"],
                "f": dc * c * s["f"],
                "g": dc * act["i"] * (1 - act["g"] ** 2),
                "o": dh * tc * s["o"],
            }
            for g in "ifgo":
                rows = slice(order.index(g) * n, (order.index(g) + 1) * n)
                out["recurrent"][rows] += np.outer(d[g], h)
                out["input"][rows] += np.outer(d[g], xt)
                out["bias"][rows] += d[g]
            dx[t, k] = sum(U[g].T @ d[g] for g in "ifgo")
            dh = sum((W[g] if bug == "transposed-recurrence-backward" else W[g].T) @ d[g] for g in "ifgo")
            dc = dc * act["f"]
        dh0[k], dc0[k] = dh, dc
    if bug == "gate-order-of-gradients":  # handed out as i, o, f, g
        for key, g in out.items():
            i, f, c_, o = np.split(g, 4)
            out[key] = np.concatenate([i, o, f, c_])
    return {"y": ys, "final h": hT, "final c": cT, **out, "x": dx, "state h": dh0, "state c": dc0}


LSTM_BUGS = (
    "gate-order/onnx", "gate-order/tf", "forget-bias", "hard-sigmoid", "output-tanh-missing", "cell-state-path",
    "slope-of-wrong-argument", "missing-slope", "transposed-recurrence-backward", "gate-order-of-gradients",
)  # fmt: skip


def gru(p, x, h0, dy, dh_last, bug=""):
    """GRU with the reset after the product, without readout."""
    (Wr, Wz, Wn), (Ur, Uz, Un) = (np.split(p[key], 3) for key in ("recurrent", "input"))
    (br, bz, bn), (pr, pz, pn) = (np.split(p[key], 3) for key in ("bias", "recurrent_bias"))
    if bug == "gate-order":
        Wz, Wr, Uz, Ur, bz, br, pz, pr = Wr, Wz, Ur, Uz, br, bz, pr, pz
    h, hs, tape = h0, [h0], []
    for xt in x:
        r, z = sigma(xt @ Ur.T + br + h @ Wr.T + pr), sigma(xt @ Uz.T + bz + h @ Wz.T + pz)
        if bug == "reset-placement":
            q = (r * h) @ Wn.T + pn
            nn = np.tanh(xt @ Un.T + bn + q)
        else:
            q = h @ Wn.T + pn
            nn = np.tanh(xt @ Un.T + bn + r * q)
        tape.append((h, xt, r, z, q, nn))
        h = z * nn + (1 - z) * h if bug == "update-gate-swapped" else (1 - z) * nn + z * h
        hs.append(h)
    dW, dU, db, dp = (np.zeros_like(p[k]) for k in ("recurrent", "input", "bias", "recurrent_bias"))
    dx, dh = np.zeros_like(x), dh_last
    for t in range(len(x) - 1, -1, -1):
        h, xt, r, z, q, nn = tape[t]
        dh = dh + dy[t]
        if bug == "update-gate-swapped":
            dn, dz, keep = dh * z, dh * (nn - h), dh * (1 - z)
        else:
            dn, dz, keep = dh * (1 - z), dh * (h - nn), dh * z
        dn = dn * (1 - nn**2)
        dz = dz * z * (1 - z)
        if bug == "gru-path":
            keep = 0 * keep
        if bug == "reset-placement":
            through = dn @ Wn
            dr, dq, extra, seen = through * h * r * (1 - r), dn, through * r, r * h
        else:
            dr, dq, seen = dn * q * r * (1 - r), dn * r, h
            extra = dq @ Wn
        rows = (dz, dr) if bug == "gate-order" else (dr, dz)
        dW += np.concatenate([rows[0].T @ h, rows[1].T @ h, dq.T @ seen])
        dU += np.concatenate([rows[0], rows[1], dn], axis=1).T @ xt
        db += np.concatenate([rows[0], rows[1], dn], axis=1).sum(0)
        dp += np.concatenate([rows[0], rows[1], dq], axis=1).sum(0)
        dx[t] = dr @ Ur + dz @ Uz + dn @ Un
        dh = dr @ Wr + dz @ Wz + extra + keep
    grads = {"recurrent": dW, "input": dU, "bias": db, "recurrent_bias": dp}
    return {"y": np.array(hs[1:]), "h": np.array(hs), "final h": hs[-1], **grads, "x": dx, "state h": dh}


GRU_BUGS = ("gate-order", "reset-placement", "update-gate-swapped", "gru-path")


def enrnn(p, x, h0, dy, dh_last, *, long_size, negative_ones, eps, bug=""):
    """ENRNN with modReLU."""
    L, S = long_size, len(p["short"])
    A = np.zeros((L, L))
    A[np.triu_indices(L, 1)] = p["skew"]
    A -= A.T
    D = np.eye(L)
    D[range(L - negative_ones, L), range(L - negative_ones, L)] = -1
    if bug == "cayley-signs":
        D = np.eye(L)
    if bug == "skew-negated":
        A = -A
    inverse = np.linalg.inv(np.eye(L) + A)
    Q = inverse @ (np.eye(L) - A) @ D
    T_ = p["short"]
    values, right = np.linalg.eig(T_)
    k = np.argmax(np.abs(values))
    lam, u = values[k], right[:, k]
    w = np.linalg.inv(right)[k]  # the row of the inverse: w T = λ w, w u = 1
    rho = np.linalg.norm(T_, 2) if bug == "normalization" else abs(lam)
    extra = 0.0 if bug == "epsilon-forgotten" else eps
    R = np.zeros((L + S, L + S))
    R[:L, :L], R[:L, L:], R[L:, L:] = Q, p["coupling"], T_ / (rho + extra)
    if bug == "blocks-misplaced":
        R[:L, L:], R[L:, :L] = 0, p["coupling"].T
    U, b, V, c = (p[key] for key in ("input", "bias", "readout", "readout_bias"))
    if bug == "modrelu-bias-subtracted":
        b = -b
    h, tape, ys, hs = h0, [], [], [h0]
    for xt in x:
        z = h @ R.T + xt @ U.T
        tape.append((h, z, xt))
        h = np.sign(z) * np.maximum(np.abs(z) + b, 0)
        if bug == "other-activation":
            h = np.maximum(z + b, 0)
        ys.append(h @ V.T + c)
        hs.append(h)
    g = {key: np.zeros_like(a) for key, a in p.items()}
    dR, dx, dh = np.zeros_like(R), np.zeros_like(x), dh_last
    for t in range(len(x) - 1, -1, -1):
        h, z, xt = tape[t]
        g["readout"] += dy[t].T @ hs[t + 1]
        g["readout_bias"] += dy[t].sum(0)
        dh = dh + dy[t] @ V
        on = np.abs(z) + b > 0
        if bug in ("relu-slope", "other-activation"):
            on = z + b > 0
        dz = np.where(on, dh, 0)
        if bug == "missing-slope":
            dz = dh
        signed = dz if bug in ("modrelu-bias-sign", "other-activation") else np.sign(z) * dz
        g["bias"] += signed.sum(0)
        dR += dz.T @ h
        g["input"] += dz.T @ xt
        dx[t] = dz @ U
        dh = dz @ R
    if bug == "modrelu-bias-subtracted":
        g["bias"] = -g["bias"]
    g["coupling"] = dR[:L, L:]
    if bug == "blocks-misplaced":
        g["coupling"] = dR[L:, :L].T
    if bug == "coupling-gradient/dropped":
        g["coupling"] = 0 * g["coupling"]
    if bug == "coupling-gradient/transposed":
        g["coupling"] = dR[L:, :L].T
    G = dR[L:, L:]
    phase = lam.conjugate() / abs(lam)
    term = np.real(phase * np.outer(w, u))
    if bug == "radius-constant":
        term = 0 * term
    if bug == "real-part-only":
        term = lam.real / abs(lam) * np.outer(w, u).real
    if bug == "conjugation-forgotten/value":
        term = np.real(lam / abs(lam) * np.outer(w, u))
    if bug == "conjugation-forgotten/vector":
        term = np.real(phase * np.outer(w.conj(), u))
    if bug == "one-eigenvector":
        term = np.real(phase * np.outer(u.conj(), u)) / np.vdot(u, u).real
    if bug == "outer-product-transposed":
        term = term.T
    if bug == "normalization":
        left, _, right_ = np.linalg.svd(T_)
        term = np.outer(left[:, 0], right_[0])
    g["short"] = G / (rho + extra) - np.sum(G * T_) / (rho + extra) ** 2 * term
    if bug == "quotient-rule":
        g["short"] = G / (rho + extra) - np.sum(G * T_) / (rho + extra) * term
    factor = np.eye(L) if bug == "cayley-pullback/signs" else D
    inv = inverse if bug == "cayley-pullback/inverse" else inverse.T
    M = -inv @ dR[:L, :L] @ (factor + Q.T)  # the gradient of A's entries as if they were free
    N = M - M.T
    if bug == "skew-factor-two/half":
        N = N / 2
    if bug == "skew-factor-two/double":
        N = 2 * N
    if bug == "skew-projection/sign":
        N = -N
    if bug == "skew-projection/sum":
        N = M + M.T
    if bug == "skew-projection/triangle":
        N = M
    if bug == "skew-negated":
        N = -N
    g["skew"] = N[np.triu_indices(L, 1)]
    return {"y": np.array(ys), "h": np.array(hs), "final h": hs[-1], **g, "x": dx, "state h": dh}


ENRNN_BUGS = (
    "cayley-signs", "skew-negated", "normalization", "epsilon-forgotten", "blocks-misplaced",
    "modrelu-bias-subtracted", "other-activation", "relu-slope", "missing-slope", "modrelu-bias-sign",
    "coupling-gradient/dropped", "coupling-gradient/transposed", "radius-constant", "real-part-only",
    "conjugation-forgotten/value", "conjugation-forgotten/vector", "one-eigenvector", "outer-product-transposed",
    "quotient-rule", "cayley-pullback/signs", "cayley-pullback/inverse", "skew-factor-two/half",
    "skew-factor-two/double", "skew-projection/sign", "skew-projection/sum", "skew-projection/triangle",
)  # fmt: skip
