// A client of the golden vectors, written from SPECIFICATION.md alone. It has no dependency and needs Node 18 or later.
//
//     enrnn-ref vectors verify --command "node client.mjs"
//
// There is no automatic differentiation here. Every piece of a model is a function that returns its value together with
// its pullback, [value, pull]: `pull` takes the gradient of the value, gives those of the arguments, and adds those of
// the parameters to the arrays of its last argument, g. The pullbacks are the formulas of sections 4 and 5. One loop
// over time (`recurrence`) serves all models; stacked and bidirectional networks are made of such runs.

// ---- arrays ---------------------------------------------------------------------------------------------------------
// An array is {shape, data}, flat and row-major. A vector is a Float64Array, usually a row of an array.

const sizeOf = (shape) => shape.reduce((product, length) => product * length, 1);
const zeros = (...shape) => ({ shape, data: new Float64Array(sizeOf(shape)) });
const vector = (n, entry) => Float64Array.from({ length: n }, (_, i) => entry(i));

/** The vector that the indices leave: row(x, t, b) of x [T, B, I] has I entries and shares its memory with x. */
function row(array, ...index) {
  const width = array.shape.at(-1);
  const place = index.reduce((flat, i, axis) => flat * array.shape[axis] + i, 0);
  return array.data.subarray(place * width, (place + 1) * width);
}

function addTo(sum, v) {
  for (let i = 0; i < sum.length; i++) sum[i] += v[i];
}

const added = (v, w) => vector(v.length, (i) => v[i] + w[i]);

/** Block k of a vector whose blocks have n entries. */
const part = (v, k, n) => v.subarray(k * n, (k + 1) * n);

function joined(...vectors) {
  const whole = new Float64Array(vectors.reduce((length, v) => length + v.length, 0));
  let place = 0;
  for (const v of vectors) {
    whole.set(v, place);
    place += v.length;
  }
  return whole;
}

/** M v + b. */
function affine(M, v, b) {
  return vector(M.shape[0], (i) => row(M, i).reduce((sum, weight, j) => sum + weight * v[j], b ? b.data[i] : 0));
}

/** Mᵀ v. */
function transposedTimes(M, v) {
  const product = new Float64Array(M.shape[1]);
  v.forEach((factor, i) => row(M, i).forEach((weight, j) => (product[j] += weight * factor)));
  return product;
}

/** sum += v wᵀ. */
function addOuter(sum, v, w) {
  v.forEach((factor, i) => w.forEach((entry, j) => (row(sum, i)[j] += factor * entry)));
}

// ---- matrices -------------------------------------------------------------------------------------------------------

const at = (M, i, j) => M.data[i * M.shape[1] + j];

function matrix(m, n, entry) {
  return { shape: [m, n], data: vector(m * n, (k) => entry(Math.floor(k / n), k % n)) };
}

const identity = (n) => matrix(n, n, (i, j) => (i === j ? 1 : 0));
const diagonal = (d) => matrix(d.length, d.length, (i, j) => (i === j ? d[i] : 0));
const transpose = (M) => matrix(M.shape[1], M.shape[0], (i, j) => at(M, j, i));
const times = (factor, M) => matrix(...M.shape, (i, j) => factor * at(M, i, j));
const plus = (M, N) => matrix(...M.shape, (i, j) => at(M, i, j) + at(N, i, j));
const minus = (M, N) => matrix(...M.shape, (i, j) => at(M, i, j) - at(N, i, j));
const inner = (M, N) => M.data.reduce((sum, entry, k) => sum + entry * N.data[k], 0);
const block = (M, top, left, m, n) => matrix(m, n, (i, j) => at(M, top + i, left + j));

function product(M, N) {
  const P = zeros(M.shape[0], N.shape[1]);
  for (let i = 0; i < M.shape[0]; i++) row(P, i).set(transposedTimes(N, row(M, i)));
  return P;
}

/** [[P, Q], [R, S]] */
function blocks([[P, Q], [R, S]]) {
  const [m, n] = P.shape;
  return matrix(m + R.shape[0], n + Q.shape[1], (i, j) => {
    if (i < m) return j < n ? at(P, i, j) : at(Q, i, j - n);
    return j < n ? at(R, i - m, j) : at(S, i - m, j - n);
  });
}

/** The complex X + iY as a real matrix. Products, sums and inverses go over, and Xᴴ becomes the plain transpose. */
const embedded = (X, Y) => blocks([[X, times(-1, Y)], [Y, X]]);

/** M⁻¹ B, by elimination with partial pivoting; a pivot that is exactly 0 counts as `floor`. */
function solve(M, B, floor = 0) {
  const n = M.shape[0];
  const rows = Array.from({ length: n }, (_, i) => joined(row(M, i), row(B, i)));
  const clear = (i, k) => {
    const factor = rows[i][k] / rows[k][k];
    for (let j = k; j < rows[i].length; j++) rows[i][j] -= factor * rows[k][j];
  };
  for (let k = 0; k < n; k++) {
    let best = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(rows[i][k]) > Math.abs(rows[best][k])) best = i;
    [rows[k], rows[best]] = [rows[best], rows[k]];
    rows[k][k] ||= floor;
    for (let i = k + 1; i < n; i++) clear(i, k);
  }
  for (let k = n - 1; k >= 0; k--) {
    for (let j = n; j < rows[k].length; j++) rows[k][j] /= rows[k][k];
    for (let i = 0; i < k; i++) for (let j = n; j < rows[k].length; j++) rows[i][j] -= rows[i][k] * rows[k][j];
  }
  return matrix(n, B.shape[1], (i, j) => rows[i][n + j]);
}

const largestOf = (numbers) => numbers.reduce((largest, number) => Math.max(largest, Math.abs(number)), 0);

/** The largest column sum of absolute values. */
function norm(M) {
  const sums = new Float64Array(M.shape[1]);
  for (let i = 0; i < M.shape[0]; i++) addTo(sums, row(M, i).map(Math.abs));
  return largestOf(sums);
}

/** exp(A): Taylor series of A/2^s, squared s times. */
function exponential(A) {
  const unit = identity(A.shape[0]);
  let squarings = 0;
  while (norm(A) > 2 ** squarings / 4) squarings++;
  const small = times(2 ** -squarings, A);
  let power = unit;
  for (let k = 16; k > 0; k--) power = plus(unit, times(1 / k, product(small, power)));
  for (let k = 0; k < squarings; k++) power = product(power, power);
  return power;
}

/** E(A, Z), the derivative of exp at A in the direction Z. */
function exponentialDerivative(A, Z) {
  const n = A.shape[0];
  const size = norm(Z);
  if (size === 0) return zeros(n, n);
  // Z brought to the size of A, or of 1. The bound keeps the power of two finite where Z is subnormal.
  const scale = 2 ** Math.min(Math.round(Math.log2(Math.max(norm(A), 1)) - Math.log2(size)), 1000);
  const whole = exponential(blocks([[A, times(scale, Z)], [zeros(n, n), A]]));
  return times(1 / scale, block(whole, 0, n, n, n));
}

// ---- the leading eigenvalue -----------------------------------------------------------------------------------------
// Complex numbers are pairs [re, im].

const add = ([a, b], [c, d]) => [a + c, b + d];
const subtract = ([a, b], [c, d]) => [a - c, b - d];
const multiply = ([a, b], [c, d]) => [a * c - b * d, a * d + b * c];
const conjugate = ([a, b]) => [a, -b];
const modulus = ([a, b]) => Math.hypot(a, b);

function divide([a, b], [c, d]) {
  if (Math.abs(c) < Math.abs(d)) return divide([b, -a], [d, -c]);
  const ratio = d / c;
  const bottom = c + d * ratio;
  return [(a + b * ratio) / bottom, (b - a * ratio) / bottom];
}

function squareRoot([a, b]) {
  const root = Math.sqrt((Math.abs(a) + Math.hypot(a, b)) / 2);
  if (root === 0) return [0, 0];
  return a >= 0 ? [root, b / (2 * root)] : [Math.abs(b) / (2 * root), b < 0 ? -root : root];
}

/** F, similar to a matrix that is 0 below its first subdiagonal, by elimination; rows of complex numbers. */
function hessenberg(F) {
  const n = F.shape[0];
  const H = Array.from({ length: n }, (_, i) => Array.from(row(F, i)));
  for (let k = 0; k < n - 2; k++) {
    let p = k + 1;
    for (let i = k + 2; i < n; i++) if (Math.abs(H[i][k]) > Math.abs(H[p][k])) p = i;
    if (H[p][k] === 0) continue;
    [H[p], H[k + 1]] = [H[k + 1], H[p]];
    for (const line of H) [line[p], line[k + 1]] = [line[k + 1], line[p]];
    for (let i = k + 2; i < n; i++) {
      const factor = H[i][k] / H[k + 1][k];
      for (let j = 0; j < n; j++) H[i][j] -= factor * H[k + 1][j];
      for (const line of H) line[k + 1] += factor * line[i];
    }
  }
  return H.map((line) => line.map((entry) => [entry, 0]));
}

/** The eigenvalue of the last 2×2 block that is closer to its last entry. */
function shiftOf(H, hi) {
  const [[a, b], [c, d]] = [hi - 1, hi].map((i) => [H[i][hi - 1], H[i][hi]]);
  const half = multiply(subtract(a, d), [0.5, 0]);
  const root = squareRoot(add(multiply(half, half), multiply(b, c)));
  const mean = multiply(add(a, d), [0.5, 0]);
  const both = [add(mean, root), subtract(mean, root)];
  return modulus(subtract(both[0], d)) < modulus(subtract(both[1], d)) ? both[0] : both[1];
}

/** One step H − μ = QR, H ← RQ + μ within the rows and columns lo..hi. */
function qrStep(H, lo, hi, shift) {
  for (let k = lo; k <= hi; k++) H[k][k] = subtract(H[k][k], shift);
  const rotations = [];
  for (let k = lo; k < hi; k++) {
    const r = Math.hypot(modulus(H[k][k]), modulus(H[k + 1][k]));
    const [x, y] = r === 0 ? [[1, 0], [0, 0]] : [H[k][k], H[k + 1][k]].map(([re, im]) => [re / r, im / r]);
    for (let j = k; j <= hi; j++) {
      const [p, q] = [H[k][j], H[k + 1][j]];
      H[k][j] = add(multiply(conjugate(x), p), multiply(conjugate(y), q));
      H[k + 1][j] = subtract(multiply(x, q), multiply(y, p));
    }
    rotations.push([x, y]);
  }
  rotations.forEach(([x, y], place) => {
    const k = lo + place;
    for (let i = lo; i <= Math.min(k + 1, hi); i++) {
      const [p, q] = [H[i][k], H[i][k + 1]];
      H[i][k] = add(multiply(p, x), multiply(q, y));
      H[i][k + 1] = subtract(multiply(q, conjugate(x)), multiply(p, conjugate(y)));
    }
  });
  for (let k = lo; k <= hi; k++) H[k][k] = add(H[k][k], shift);
}

function eigenvalues(F) {
  const H = hessenberg(F);
  const found = [];
  let hi = H.length - 1;
  let tries = 0;
  while (hi >= 0) {
    let lo = hi;
    const negligible = (k) => modulus(H[k][k - 1]) <= 2 ** -52 * (modulus(H[k - 1][k - 1]) + modulus(H[k][k]));
    while (lo > 0 && !negligible(lo)) lo--;
    if (lo > 0) H[lo][lo - 1] = [0, 0];
    if (lo === hi) {
      found.push(H[hi][hi]);
      hi--;
      tries = 0;
      continue;
    }
    if (++tries > 300) throw new Error("the eigenvalues of `short` were not found");
    qrStep(H, lo, hi, tries % 10 ? shiftOf(H, hi) : add(H[hi][hi], [modulus(H[hi][hi - 1]), 0]));
  }
  return found;
}

/** λ and its two eigenvectors F u = λ u, Fᵀ w = λ w (complex, as embedded columns), by inverse iteration. */
function leader(F) {
  const n = F.shape[0];
  const entry = (v, i) => [v.data[i], v.data[n + i]];
  // Without conjugation.
  const dot = (v, w) => {
    const terms = Array.from({ length: n }, (_, i) => multiply(entry(v, i), entry(w, i)));
    return terms.reduce(add, [0, 0]);
  };
  const complex = (M) => embedded(M, zeros(n, n));
  const improved = (M, value, v) => {
    const shift = embedded(times(value[0], identity(n)), times(value[1], identity(n)));
    const next = solve(minus(complex(M), shift), v, 2 ** -53 * norm(F));
    return times(1 / largestOf(next.data), next);
  };
  let value = eigenvalues(F).reduce((best, other) => (modulus(other) > modulus(best) ? other : best));
  let u = matrix(2 * n, 1, (i) => 1 + i / 64);
  let w = u;
  for (let k = 0; k < 3; k++) {
    u = improved(F, value, u);
    w = improved(transpose(F), value, w);
    value = divide(dot(w, product(complex(F), u)), dot(w, u));
  }
  const factor = divide(conjugate(value), dot(w, u));
  const radius = modulus(value);
  const gradient = matrix(n, n, (i, j) => multiply(factor, multiply(entry(w, i), entry(u, j)))[0] / radius);
  return { radius, gradient };
}

// ---- layouts (section 3) --------------------------------------------------------------------------------------------

/** The places of the upper triangle, row by row. */
function upper(n, first = 1) {
  const places = [];
  for (let i = 0; i < n; i++) for (let j = i + first; j < n; j++) places.push([i, j]);
  return places;
}

/** The places of `lower`: the strict lower triangle, "strict" without the 2×2 blocks on the diagonal. */
function lower(n, mask) {
  const places = upper(n).map(([i, j]) => [j, i]).sort(([i, j], [k, l]) => i - k || j - l);
  return places.filter(([i, j]) => mask === "released" || Math.floor(i / 2) !== Math.floor(j / 2));
}

function fromUpper(numbers, n, first, mirror) {
  const M = zeros(n, n);
  upper(n, first).forEach(([i, j], k) => {
    row(M, j)[i] = mirror * numbers.data[k];
    row(M, i)[j] = numbers.data[k];
  });
  return M;
}

const skewSymmetric = (numbers, n) => fromUpper(numbers, n, 1, -1);
const symmetric = (numbers, n) => fromUpper(numbers, n, 0, 1);
/** The gradient of the numbers, from that of the free matrix. */
const skewGradient = (Q) => upper(Q.shape[0]).map(([i, j]) => at(Q, i, j) - at(Q, j, i));
const symmetricGradient = (Q) =>
  upper(Q.shape[0], 0).map(([i, j]) => (i === j ? at(Q, i, i) : at(Q, i, j) + at(Q, j, i)));

const signs = (n, negatives) => vector(n, (i) => (i < n - negatives ? 1 : -1));

// ---- recurrent matrices (section 4) ---------------------------------------------------------------------------------
// (options, parameters) → [R, (G, g) → nothing]

const free = (o, p) => [p.recurrent, (G, g) => addTo(g.recurrent.data, G.data)];

/** W = (I + A)⁻¹ (I − A) D, as (W + D) − D with W + D = 2 (I + A)⁻¹ D; the pullback gives the gradient of A. */
function cayley(A, D) {
  const left = plus(identity(A.shape[0]), A);
  const both = solve(left, times(2, D));
  return [minus(both, D), (G) => times(-1, solve(transpose(left), product(G, transpose(both))))];
}

function scaledCayley(n, negatives, skew) {
  const [W, pull] = cayley(skewSymmetric(skew, n), diagonal(signs(n, negatives)));
  return [W, (G, dskew) => addTo(dskew.data, skewGradient(pull(G)))];
}

function orthogonal(o, p) {
  const [W, pull] = scaledCayley(o.hidden_size, o.negative_ones, p.skew);
  return [W, (G, g) => pull(G, g.skew)];
}

/** W = F / (ρ + ε), or F where the rule does not apply. */
function normalised(F, eps, rule) {
  const plain = [F, (G) => G];
  if (F.shape[0] === 0 || rule === "never") return plain;
  const { radius, gradient } = leader(F);
  if (rule === "switch" && radius <= 1) return plain;
  const W = times(1 / (radius + eps), F);
  return [W, (G) => times(1 / (radius + eps), minus(G, times(inner(G, W), gradient)))];
}

function coupledBlocks(o, p) {
  const [L, S] = [o.long_size, o.short_size];
  const [long, pullLong] = scaledCayley(L, o.negative_ones, p.skew);
  const [short, pullShort] = normalised(p.short, o.eps, o.normalize);
  const pull = (G, g) => {
    pullLong(block(G, 0, 0, L, L), g.skew);
    addTo(g.short.data, pullShort(block(G, L, L, S, S)).data);
    if (o.coupled) addTo(g.coupling.data, block(G, 0, L, L, S).data);
  };
  return [blocks([[long, o.coupled ? p.coupling : zeros(L, S)], [zeros(S, L), short]]), pull];
}

/** Everything embedded: a complex n×n matrix is a real one of twice the size, cut into its parts X and Y at the end. */
function unitaryCayley(o, p) {
  const n = o.hidden_size;
  const angles = Array.from(p.phase.data);
  const A = embedded(skewSymmetric(p.skew_real, n), symmetric(p.skew_imag, n));
  const [W, pullCayley] = cayley(A, embedded(diagonal(angles.map(Math.cos)), diagonal(angles.map(Math.sin))));
  const realPart = (M) => block(M, 0, 0, n, n);
  const imaginaryPart = (M) => block(M, n, 0, n, n);
  // The plain transpose, without conjugation.
  const flipped = (M) => (o.order === "released" ? embedded(transpose(realPart(M)), transpose(imaginaryPart(M))) : M);
  const pull = (G, g) => {
    const real = plus(realPart(G), block(G, n, n, n, n));
    const imaginary = minus(imaginaryPart(G), block(G, 0, n, n, n));
    const gamma = flipped(embedded(real, imaginary));
    const dA = pullCayley(gamma);
    addTo(g.skew_real.data, skewGradient(realPart(dA)));
    addTo(g.skew_imag.data, symmetricGradient(imaginaryPart(dA)));
    for (let j = 0; j < n; j++) {
      for (let i = 0; i < n; i++) {
        g.phase.data[j] += at(gamma, n + i, j) * at(W, i, j) - at(gamma, i, j) * at(W, n + i, j);
      }
    }
  };
  return [flipped(W), pull];
}

function orthogonalExponential(n, skew) {
  const A = skewSymmetric(skew, n);
  const pull = (G, dskew) => addTo(dskew.data, skewGradient(exponentialDerivative(transpose(A), G)));
  return [exponential(A), pull];
}

function exponentialMatrix(o, p) {
  const [W, pull] = orthogonalExponential(o.hidden_size, p.skew);
  return [W, (G, g) => pull(G, g.skew)];
}

/** W = P Θ Pᵀ, Θ made of 2×2 rotations times γ and of `lower`. */
function schur(o, p) {
  const n = o.hidden_size;
  const [P, pullP] = orthogonalExponential(n, p.skew);
  const places = lower(n, o.mask);
  const theta = zeros(n, n);
  p.angle.data.forEach((angle, k) => {
    const [c, s] = [p.modulus.data[k] * Math.cos(angle), p.modulus.data[k] * Math.sin(angle)];
    row(theta, 2 * k).set([c, -s], 2 * k);
    row(theta, 2 * k + 1).set([s, c], 2 * k);
  });
  places.forEach(([i, j], k) => (row(theta, i)[j] += p.lower.data[k]));
  const pull = (G, g) => {
    const M = product(transpose(P), product(G, P));
    addTo(g.lower.data, places.map(([i, j]) => at(M, i, j)));
    p.angle.data.forEach((angle, k) => {
      const cosine = at(M, 2 * k, 2 * k) + at(M, 2 * k + 1, 2 * k + 1);
      const sine = at(M, 2 * k + 1, 2 * k) - at(M, 2 * k, 2 * k + 1);
      g.modulus.data[k] += cosine * Math.cos(angle) + sine * Math.sin(angle);
      g.angle.data[k] += p.modulus.data[k] * (sine * Math.cos(angle) - cosine * Math.sin(angle));
    });
    const through = plus(product(G, product(P, transpose(theta))), product(transpose(G), product(P, theta)));
    pullP(through, g.skew);
  };
  return [product(P, product(theta, transpose(P))), pull];
}

// ---- scalar functions -----------------------------------------------------------------------------------------------

function sigmoid(z) {
  const e = Math.exp(-Math.abs(z));
  return (z >= 0 ? 1 : e) / (1 + e);
}

// Both slopes as products: σ (1 − σ) and 1 − tanh² lose their digits where the function is saturated.
const sigmoidSlope = (z) => sigmoid(z) * sigmoid(-z);
const tanhSlope = (z) => 4 * sigmoidSlope(2 * z);

/** (z, b) → the value, its derivative by z, and its derivative by the b inside. */
const ACTIVATIONS = {
  tanh: (z) => [Math.tanh(z), tanhSlope(z), 0],
  identity: (z) => [z, 1, 0],
  relu: (z) => (z > 0 ? [z, 1, 0] : [0, 0, 0]),
  modrelu: (z, b) => {
    const on = z !== 0 && Math.abs(z) + b > 0;
    return on ? [Math.sign(z) * (Math.abs(z) + b), 1, Math.sign(z)] : [0, 0, 0];
  },
};

// ---- cells (section 5) ----------------------------------------------------------------------------------------------
// A cell is (a, p, s, w) → [new states, (d, g) → {da, dp, d: gradients of the old states}]: a the filtered drive, p the
// recurrent share, s the states before, w the parameters, d the gradients at the new states. Vectors of one sequence.

function pointwise(activation) {
  return (a, p, s, w) => {
    const z = added(a, p);
    const all = Array.from(z, (entry, i) => ACTIVATIONS[activation](entry, w.bias.data[i]));
    const pull = (d, g) => {
      if (activation === "modrelu") all.forEach(([, , byBias], i) => (g.bias.data[i] += byBias * d.h[i]));
      const dz = vector(z.length, (i) => all[i][1] * d.h[i]);
      return { da: dz, dp: dz, d: { h: new Float64Array(z.length) } };
    };
    return [{ h: vector(z.length, (i) => all[i][0]) }, pull];
  };
}

/** sqrt(p² + q² + κ); the plain sum of squares where it is safe, because it is exact for short binary fractions. */
function softenedModulus(p, q, kappa) {
  const root = Math.sqrt(p * p + q * q + kappa);
  return kappa > 0 || (root > 2 ** -400 && root < 2 ** 400) ? root : Math.hypot(p, q);
}

function complexModrelu(version) {
  const [kappa, eps] = version === "released" ? [1e-5, 1e-5] : [0, 0];
  return (a, p, s, w) => {
    const n = a.length / 2;
    const z = added(a, p);
    const h = new Float64Array(2 * n);
    const m = vector(n, (i) => softenedModulus(z[i], z[n + i], kappa));
    const on = (i) => m[i] > 0 && m[i] + w.bias.data[i] > 0;
    for (let i = 0; i < n; i++) {
      if (!on(i)) continue;
      const factor = (m[i] + w.bias.data[i]) / (m[i] + eps);
      h[i] = factor * z[i];
      h[n + i] = factor * z[n + i];
    }
    const pull = (d, g) => {
      const dz = new Float64Array(2 * n);
      for (let i = 0; i < n; i++) {
        if (!on(i)) continue;
        const [e, f] = [z[i] / m[i], z[n + i] / m[i]];
        const [dRe, dIm] = [d.h[i], d.h[n + i]];
        const radial = (m[i] / (m[i] + eps)) * (e * dRe + f * dIm);
        const factor = (w.bias.data[i] - eps) / (m[i] + eps);
        dz[i] = dRe + factor * (dRe - radial * e);
        dz[n + i] = dIm + factor * (dIm - radial * f);
        g.bias.data[i] += radial;
      }
      return { da: dz, dp: dz, d: { h: new Float64Array(2 * n) } };
    };
    return [{ h }, pull];
  };
}

/** The LSTM from its pre-activations z, without the projection: → [m, c', (dm, dc', g) → [dz, dc]]. */
function longShortTerm(z, c, w) {
  const H = c.length;
  const peephole = (k, i) => (w.peephole ? at(w.peephole, k, i) : 0);
  const argument = (gate, i) => z[gate * H + i];
  const toInput = vector(H, (i) => argument(0, i) + peephole(0, i) * c[i]);
  const toForget = vector(H, (i) => argument(1, i) + peephole(1, i) * c[i]);
  const input = toInput.map(sigmoid);
  const forget = toForget.map(sigmoid);
  const candidate = vector(H, (i) => Math.tanh(argument(2, i)));
  const next = vector(H, (i) => forget[i] * c[i] + input[i] * candidate[i]);
  const toOutput = vector(H, (i) => argument(3, i) + peephole(2, i) * next[i]);
  const output = toOutput.map(sigmoid);
  const seen = next.map(Math.tanh);
  const pull = (dm, dNext, g) => {
    const dz = new Float64Array(4 * H);
    const dc = new Float64Array(H);
    for (let i = 0; i < H; i++) {
      const dOutput = dm[i] * seen[i] * sigmoidSlope(toOutput[i]);
      const dCell = dNext[i] + dm[i] * output[i] * tanhSlope(next[i]) + peephole(2, i) * dOutput;
      const dInput = dCell * candidate[i] * sigmoidSlope(toInput[i]);
      const dForget = dCell * c[i] * sigmoidSlope(toForget[i]);
      const dCandidate = dCell * input[i] * tanhSlope(argument(2, i));
      [dInput, dForget, dCandidate, dOutput].forEach((value, gate) => (dz[gate * H + i] = value));
      dc[i] = dCell * forget[i] + peephole(0, i) * dInput + peephole(1, i) * dForget;
      if (!w.peephole) continue;
      [dInput * c[i], dForget * c[i], dOutput * next[i]].forEach((value, k) => (row(g.peephole, k)[i] += value));
    }
    return [dz, dc];
  };
  return [vector(H, (i) => output[i] * seen[i]), next, pull];
}

function lstm(a, p, s, w) {
  const [m, c, pullCell] = longShortTerm(added(a, p), s.c, w);
  const pull = (d, g) => {
    if (w.projection) addOuter(g.projection, d.h, m);
    const [dz, dc] = pullCell(w.projection ? transposedTimes(w.projection, d.h) : d.h, d.c, g);
    return { da: dz, dp: dz, d: { h: new Float64Array(s.h.length), c: dc } };
  };
  return [{ h: w.projection ? affine(w.projection, m) : m, c }, pull];
}

/** h' = (1 − z) k + z h and the gradients of k's argument, z's argument and h (direct); 1 − z is σ(−·). */
function updated(toUpdate, toCandidate, h) {
  const candidate = toCandidate.map(Math.tanh);
  const keep = toUpdate.map(sigmoid);
  const renew = toUpdate.map((z) => sigmoid(-z));
  const pull = (dh) => ({
    dCandidate: vector(h.length, (i) => dh[i] * renew[i] * tanhSlope(toCandidate[i])),
    dUpdate: vector(h.length, (i) => dh[i] * (h[i] - candidate[i]) * sigmoidSlope(toUpdate[i])),
    direct: vector(h.length, (i) => dh[i] * keep[i]),
  });
  return [vector(h.length, (i) => renew[i] * candidate[i] + keep[i] * h[i]), pull];
}

function gruAfter(a, p, s) {
  const H = s.h.length;
  const toReset = added(part(a, 0, H), part(p, 0, H));
  const reset = toReset.map(sigmoid);
  const inside = part(p, 2, H);
  const toCandidate = vector(H, (i) => a[2 * H + i] + reset[i] * inside[i]);
  const [h, pullUpdate] = updated(added(part(a, 1, H), part(p, 1, H)), toCandidate, s.h);
  const pull = (d) => {
    const { dCandidate, dUpdate, direct } = pullUpdate(d.h);
    const dReset = vector(H, (i) => dCandidate[i] * inside[i] * sigmoidSlope(toReset[i]));
    const dInside = vector(H, (i) => dCandidate[i] * reset[i]);
    return { da: joined(dReset, dUpdate, dCandidate), dp: joined(dReset, dUpdate, dInside), d: { h: direct } };
  };
  return [{ h }, pull];
}

/** LSTM behind Nesterov's momentum: w' = p − ε u, a = w' + m (w' − w). */
function nesterov(o) {
  return (u, p, s, w) => {
    const [m, phase] = scheduled(s.phase, o.restart);
    const units = phase.length;
    const iterate = vector(u.length, (k) => p[k] - o.step * u[k]);
    const a = vector(u.length, (k) => iterate[k] + m[k % units] * (iterate[k] - s.iterate[k]));
    const [h, c, pullCell] = longShortTerm(a, s.c, w);
    const pull = (d, g) => {
      const [da, dc] = pullCell(d.h, d.c, g);
      const dIterate = vector(u.length, (k) => d.iterate[k] + (1 + m[k % units]) * da[k]);
      const old = { h: new Float64Array(units), c: dc, phase: new Float64Array(units) };
      old.iterate = vector(u.length, (k) => -m[k % units] * da[k]);
      return { da: dIterate.map((value) => -o.step * value), dp: dIterate, d: old };
    };
    return [{ h, c, iterate, phase }, pull];
  };
}

// ---- filters (section 5) --------------------------------------------------------------------------------------------
// (u, s) → [a, new states, (da, d) → [du, gradients of the old states]]

/** The factor k/(k + 3) of every channel, and the next phase. */
function scheduled(phase, restart) {
  const count = phase.map((value) => {
    const k = Math.max(Math.floor(value + 0.25), 0);
    return restart > 0 ? k % restart : k;
  });
  return [count.map((k) => k / (k + 3)), count.map((k) => (k + 1 === restart ? 0 : k + 1))];
}

/** v' = m v + ε u and a = v', with a factor m for every channel. */
function velocity(u, s, m, step) {
  const v = vector(u.length, (i) => m[i] * s.v[i] + step * u[i]);
  const pull = (da, d) => {
    const dv = added(da, d.v);
    return [dv.map((value) => step * value), { v: vector(dv.length, (i) => m[i] * dv[i]) }];
  };
  return [v, { v }, pull];
}

const momentumFilter = (o) => (u, s) => velocity(u, s, u.map(() => o.momentum), o.step);

function scheduledFilter(o) {
  return (u, s) => {
    const [m, phase] = scheduled(s.phase, o.restart);
    const [a, { v }, pullVelocity] = velocity(u, s, m, o.step);
    const pull = (da, d) => {
      const [du, old] = pullVelocity(da, d);
      return [du, { ...old, phase: new Float64Array(phase.length) }];
    };
    return [a, { v, phase }, pull];
  };
}

/** a = v'/sqrt(s' + 1e-16) with v' of the momentum filter and s' = β |s| + (1 − β) u². */
function adaptiveFilter(o) {
  return (u, s) => {
    const [v, , pullVelocity] = velocity(u, s, u.map(() => o.momentum ?? 0), o.step);
    const square = vector(u.length, (i) => o.decay * Math.abs(s.s[i]) + (1 - o.decay) * u[i] * u[i]);
    const root = square.map((value) => Math.sqrt(value + 1e-16));
    const pull = (da, d) => {
      const [du, old] = pullVelocity(vector(da.length, (i) => da[i] / root[i]), d);
      const dSquare = vector(da.length, (i) => d.s[i] - (da[i] / root[i]) * (v[i] / (2 * (square[i] + 1e-16))));
      addTo(du, vector(du.length, (i) => 2 * (1 - o.decay) * u[i] * dSquare[i]));
      return [du, { ...old, s: vector(dSquare.length, (i) => (s.s[i] < 0 ? -o.decay : o.decay) * dSquare[i]) }];
    };
    return [vector(u.length, (i) => v[i] / root[i]), { v, s: square }, pull];
  };
}

// ---- steps ----------------------------------------------------------------------------------------------------------
// (u, s, w) → [new states, (d, g) → [du, gradients of the old states]]

/** A cell, with its recurrent share p = R h + b_p. */
function step(cell) {
  return (a, s, w) => {
    const [next, pullCell] = cell(a, affine(w.R, s.h, w.recurrent_bias), s, w);
    const pull = (d, g) => {
      const { da, dp, d: old } = pullCell(d, g);
      addOuter(g.R, dp, s.h);
      if (w.recurrent_bias) addTo(g.recurrent_bias.data, dp);
      addTo(old.h, transposedTimes(w.R, dp));
      return [da, old];
    };
    return [next, pull];
  };
}

/** A step behind a filter of the drive. */
function filtered(filter, inner) {
  return (u, s, w) => {
    const [a, own, pullFilter] = filter(u, s);
    const [next, pullStep] = inner(a, s, w);
    const pull = (d, g) => {
      const [da, old] = pullStep(d, g);
      const [du, oldOwn] = pullFilter(da, d);
      return [du, { ...old, ...oldOwn }];
    };
    return [{ ...next, ...own }, pull];
  };
}

/** The GRU that resets before the product, so that R sees h in two ways. */
function gruBefore(a, s, w) {
  const H = s.h.length;
  const rows = (M, gate) => ({ shape: [H, H], data: part(M.data, gate, H * H) });
  const toReset = added(part(a, 0, H), affine(rows(w.R, 0), s.h));
  const reset = toReset.map(sigmoid);
  const kept = vector(H, (i) => reset[i] * s.h[i]);
  const toUpdate = added(part(a, 1, H), affine(rows(w.R, 1), s.h));
  const [h, pullUpdate] = updated(toUpdate, added(part(a, 2, H), affine(rows(w.R, 2), kept)), s.h);
  const pull = (d, g) => {
    const { dCandidate, dUpdate, direct } = pullUpdate(d.h);
    const dKept = transposedTimes(rows(w.R, 2), dCandidate);
    const dReset = vector(H, (i) => dKept[i] * s.h[i] * sigmoidSlope(toReset[i]));
    addOuter(rows(g.R, 0), dReset, s.h);
    addOuter(rows(g.R, 1), dUpdate, s.h);
    addOuter(rows(g.R, 2), dCandidate, kept);
    const dh = vector(H, (i) => direct[i] + dKept[i] * reset[i]);
    addTo(dh, transposedTimes(rows(w.R, 0), dReset));
    addTo(dh, transposedTimes(rows(w.R, 1), dUpdate));
    return [joined(dReset, dUpdate, dCandidate), { h: dh }];
  };
  return [{ h }, pull];
}

// ---- models (section 6) ---------------------------------------------------------------------------------------------
// options: what each may be; parameters: their shapes, without input, bias and readout; gates: rows of U for each unit.

const isSize = (value) => Number.isInteger(value) && value >= 0;
const isNumber = (value) => Number.isFinite(value);
const isFlag = (value) => typeof value === "boolean";
const orNull = (check) => (value) => value === null || check(value);
const oneOf = (...values) => (value) => values.includes(value);
const isActivation = (value) => Object.hasOwn(ACTIVATIONS, value);
const COMMON = { input_size: isSize, output_size: orNull(isSize), readout: oneOf("all", "last") };
const NEUTRAL = ["recurrent_init", "forget_bias", "angles", "method", "modulus_penalty", "lower_decay", "rebase_every",
  "project_every", "on_degenerate"];

const pairs = (n) => (n * (n - 1)) / 2;
const modreluStep = () => step(pointwise("modrelu"));
const hidden = (o) => ({ h: o.hidden_size });
const gated = (gates, more = () => ({})) => (o) => ({
  recurrent: [gates * o.hidden_size, o.hidden_size],
  ...(o.recurrent_bias && { recurrent_bias: [gates * o.hidden_size] }),
  ...more(o),
});

const MODELS = {
  enrnn: {
    options: {
      long_size: isSize, short_size: isSize, negative_ones: isSize, eps: isNumber, coupled: isFlag,
      normalize: oneOf("always", "never", "switch"), activation: isActivation,
    },
    parameters: (o) => ({
      skew: [pairs(o.long_size)],
      short: [o.short_size, o.short_size],
      ...(o.coupled && { coupling: [o.long_size, o.short_size] }),
    }),
    states: (o) => ({ h: o.long_size + o.short_size }),
    recurrent: coupledBlocks,
    step: (o) => step(pointwise(o.activation)),
  },
  rnn: {
    options: { hidden_size: isSize, activation: isActivation },
    parameters: gated(1),
    states: hidden,
    recurrent: free,
    step: (o) => step(pointwise(o.activation)),
  },
  scornn: {
    options: { hidden_size: isSize, negative_ones: isSize },
    parameters: (o) => ({ skew: [pairs(o.hidden_size)] }),
    states: hidden,
    recurrent: orthogonal,
    step: modreluStep,
    biasInside: true,
  },
  scurnn: {
    options: { hidden_size: isSize, modulus: oneOf("exact", "released"), order: oneOf("paper", "released") },
    parameters: (o) => ({
      skew_real: [pairs(o.hidden_size)],
      skew_imag: [pairs(o.hidden_size + 1)],
      phase: [o.hidden_size],
      initial_state: [2 * o.hidden_size],
    }),
    states: (o) => ({ h: 2 * o.hidden_size }),
    gates: 2,
    biases: 1,
    recurrent: unitaryCayley,
    step: (o) => step(complexModrelu(o.modulus)),
    biasInside: true,
  },
  exprnn: {
    options: { hidden_size: isSize },
    parameters: (o) => ({ skew: [pairs(o.hidden_size)] }),
    states: hidden,
    recurrent: exponentialMatrix,
    step: modreluStep,
    biasInside: true,
  },
  nnrnn: {
    options: { hidden_size: (value) => isSize(value) && value % 2 === 0, mask: oneOf("strict", "released") },
    parameters: (o) => ({
      skew: [pairs(o.hidden_size)],
      angle: [o.hidden_size / 2],
      modulus: [o.hidden_size / 2],
      lower: [lower(o.hidden_size, o.mask).length],
    }),
    states: hidden,
    recurrent: schur,
    step: modreluStep,
    biasInside: true,
  },
  lstm: {
    options: { hidden_size: isSize, peephole: isFlag, projection_size: orNull(isSize) },
    parameters: (o) => ({
      recurrent: [4 * o.hidden_size, o.projection_size ?? o.hidden_size],
      ...(o.peephole && { peephole: [3, o.hidden_size] }),
      ...(o.projection_size !== null && { projection: [o.projection_size, o.hidden_size] }),
    }),
    states: (o) => ({ h: o.projection_size ?? o.hidden_size, c: o.hidden_size }),
    gates: 4,
    recurrent: free,
    step: () => step(lstm),
  },
  gru: {
    options: { hidden_size: isSize, reset: oneOf("after", "before") },
    parameters: gated(3, (o) => o.reset === "after" && { recurrent_bias: [3 * o.hidden_size] }),
    states: hidden,
    gates: 3,
    recurrent: free,
    step: (o) => (o.reset === "after" ? step(gruAfter) : gruBefore),
  },
  momentumrnn: {
    options: {
      hidden_size: isSize, activation: isActivation, momentum: isNumber, step: isNumber, recurrent_bias: isFlag,
    },
    parameters: gated(1),
    states: (o) => ({ h: o.hidden_size, v: o.hidden_size }),
    recurrent: free,
    step: (o) => filtered(momentumFilter(o), step(pointwise(o.activation))),
  },
  momentumlstm: {
    options: { hidden_size: isSize, momentum: isNumber, step: isNumber, recurrent_bias: isFlag },
    parameters: gated(4),
    states: (o) => ({ h: o.hidden_size, c: o.hidden_size, v: 4 * o.hidden_size }),
    gates: 4,
    recurrent: free,
    step: (o) => filtered(momentumFilter(o), step(lstm)),
  },
  adamlstm: {
    options: { hidden_size: isSize, momentum: isNumber, step: isNumber, decay: isNumber, recurrent_bias: isFlag },
    parameters: gated(4),
    states: (o) => ({ h: o.hidden_size, c: o.hidden_size, v: 4 * o.hidden_size, s: 4 * o.hidden_size }),
    gates: 4,
    recurrent: free,
    step: (o) => filtered(adaptiveFilter(o), step(lstm)),
  },
  scheduledrestartlstm: {
    options: { hidden_size: isSize, step: isNumber, restart: isSize, form: oneOf("A", "B"), recurrent_bias: isFlag },
    parameters: gated(4),
    states: ({ hidden_size: H, form }) =>
      form === "A" ? { h: H, c: H, iterate: 4 * H, phase: H } : { h: H, c: H, v: 4 * H, phase: 4 * H },
    gates: 4,
    recurrent: free,
    step: (o) => (o.form === "A" ? step(nesterov(o)) : filtered(scheduledFilter(o), step(lstm))),
  },
};
const { momentum: _, ...withoutMomentum } = MODELS.adamlstm.options;
MODELS.rmsproplstm = { ...MODELS.adamlstm, options: withoutMomentum };

// ---- running --------------------------------------------------------------------------------------------------------
// build(model, options) → {inputs, outputs, all, parameters, states, run}; run(params, x, state) → {y, h, final, pull},
// and pull(dy, dstate) → {params, x, state}.

const mapValues = (object, f) => Object.fromEntries(Object.entries(object).map(([key, value]) => [key, f(value, key)]));
const zerosLike = (arrays) => mapValues(arrays, (array) => zeros(...array.shape));

function checkOptions(name, options, checks) {
  for (const [key, check] of Object.entries(checks)) {
    if (!Object.hasOwn(options, key)) throw new Error(`${name} needs the option ${key}`);
    if (!check(options[key])) throw new Error(`${name} knows no ${key} = ${JSON.stringify(options[key])}`);
  }
  const unknown = Object.keys(options).find((key) => !Object.hasOwn(checks, key) && !NEUTRAL.includes(key));
  if (unknown !== undefined) throw new Error(`${name} knows no option ${unknown}`);
}

const readoutShapes = (outputs, width) =>
  outputs === null ? {} : { readout: [outputs, width], readout_bias: [outputs] };

/** y = V φ + c for every row φ of the features, or y = φ: → [y, (dy, g) → gradient of the features]. */
function readOut(params, features) {
  if (!params.readout) return [features, (dy) => dy];
  const V = params.readout;
  const places = Array.from({ length: sizeOf(features.shape.slice(0, -1)) }, (_, i) => i);
  const flat = (array) => ({ shape: [places.length, array.shape.at(-1)], data: array.data });
  const y = zeros(...features.shape.slice(0, -1), V.shape[0]);
  for (const i of places) row(flat(y), i).set(affine(V, row(flat(features), i), params.readout_bias));
  const pull = (dy, g) => {
    const gradient = zeros(...features.shape);
    for (const i of places) {
      const out = row(flat(dy), i);
      addOuter(g.readout, out, row(flat(features), i));
      addTo(g.readout_bias.data, out);
      row(flat(gradient), i).set(transposedTimes(V, out));
    }
    return gradient;
  };
  return [y, pull];
}

/** The same numbers without the first axis, of length 1. */
const single = ({ shape, data }) => ({ shape: shape.slice(1), data });

/** Steps first..end−1 of an array, sharing its memory. */
function stretch(array, first, end) {
  const [, ...rest] = array.shape;
  return { shape: [end - first, ...rest], data: array.data.subarray(first * sizeOf(rest), end * sizeOf(rest)) };
}

const sequenceOf = (arrays, b) => mapValues(arrays, (array) => row(array, b).slice());
const batchOf = (sequences, widths) =>
  mapValues(widths, (width, key) => ({
    shape: [sequences.length, width],
    data: joined(...sequences.map((s) => s[key])),
  }));

/** The general step of section 2 and its backward pass. */
function recurrence(model, o, widths, params, x, state) {
  const [steps, batch] = x.shape;
  const all = o.readout === "all";
  const given = Object.keys(state).length > 0;
  const [R, pullR] = model.recurrent(o, params);
  const w = { ...params, R };
  const driveBias = model.biasInside || o.activation === "modrelu" ? undefined : params.bias;
  const oneStep = model.step(o);
  const start = (b) => {
    if (given) return sequenceOf(state, b);
    const rest = mapValues(widths, (width) => new Float64Array(width));
    return params.initial_state ? { ...rest, h: params.initial_state.data } : rest;
  };

  const states = Array.from({ length: batch }, (_, b) => start(b));
  const pulls = [];
  const h = zeros(steps + 1, batch, widths.h);
  states.forEach((s, b) => row(h, 0, b).set(s.h));
  for (let t = 1; t <= steps; t++) {
    pulls[t] = states.map((s, b) => {
      const [next, pull] = oneStep(affine(params.input, row(x, t - 1, b), driveBias), s, w);
      states[b] = next;
      row(h, t, b).set(next.h);
      return pull;
    });
  }
  const features = all ? stretch(h, 1, steps + 1) : single(stretch(h, steps, steps + 1));
  const [y, pullReadout] = readOut(params, features);

  const pull = (dy, dstate) => {
    const g = { ...zerosLike(params), R: zeros(...R.shape) };
    const dx = zeros(...x.shape);
    const dFeatures = pullReadout(dy, g);
    const d = states.map((_, b) => sequenceOf(dstate, b));
    if (!all) d.forEach((gradient, b) => addTo(gradient.h, row(dFeatures, b)));
    for (let t = steps; t >= 1; t--) {
      for (let b = 0; b < batch; b++) {
        if (all) addTo(d[b].h, row(dFeatures, t - 1, b));
        const [du, old] = pulls[t][b](d[b], g);
        d[b] = old;
        addOuter(g.input, du, row(x, t - 1, b));
        if (driveBias) addTo(g.bias.data, du);
        row(dx, t - 1, b).set(transposedTimes(params.input, du));
      }
    }
    if (params.initial_state && !given) d.forEach((gradient) => addTo(g.initial_state.data, gradient.h));
    const { R: dR, ...gradients } = g;
    pullR(dR, gradients);
    return { params: gradients, x: dx, state: given ? batchOf(d, widths) : {} };
  };
  return { y, h, final: batchOf(states, widths), pull };
}

function buildRecurrence(name, model, o) {
  checkOptions(name, o, { ...COMMON, ...model.options });
  const states = model.states(o);
  const units = o.hidden_size ?? states.h;
  const gates = model.gates ?? 1;
  return {
    inputs: o.input_size,
    outputs: o.output_size ?? states.h,
    all: o.readout === "all",
    parameters: {
      ...model.parameters(o),
      input: [gates * units, o.input_size],
      bias: [(model.biases ?? gates) * units],
      ...readoutShapes(o.output_size, states.h),
    },
    states,
    run: (params, x, state) => recurrence(model, o, states, params, x, state),
  };
}

// ---- compositions (section 7) ---------------------------------------------------------------------------------------

const prefixed = (object, name) =>
  Object.fromEntries(Object.entries(object).map(([key, value]) => [`${name}.${key}`, value]));

function unprefixed(object, name) {
  const prefix = `${name}.`;
  const own = Object.entries(object).filter(([key]) => key.startsWith(prefix));
  return Object.fromEntries(own.map(([key, value]) => [key.slice(prefix.length), value]));
}

function buildPart(options) {
  const { model, ...rest } = options;
  return build(model, rest);
}

function buildStacked(options) {
  checkOptions("stacked", options, { layers: (value) => Array.isArray(value) && value.length > 0 });
  const layers = options.layers.map(buildPart);
  layers.slice(1).forEach((layer, k) => {
    if (!layers[k].all) throw new Error(`layer ${k} has to give its outputs of all steps`);
    if (layers[k].outputs !== layer.inputs) throw new Error(`layer ${k + 1} does not fit on layer ${k}`);
  });
  const collected = (parts) => Object.assign({}, ...parts.map((one, k) => prefixed(one, k)));
  return {
    inputs: layers[0].inputs,
    outputs: layers.at(-1).outputs,
    all: layers.at(-1).all,
    parameters: collected(layers.map((layer) => layer.parameters)),
    states: collected(layers.map((layer) => layer.states)),
    run(params, x, state) {
      const runs = [];
      layers.forEach((layer, k) => {
        runs.push(layer.run(unprefixed(params, k), k ? runs[k - 1].y : x, unprefixed(state, k)));
      });
      const pull = (dy, dstate) => {
        const found = [];
        for (let k = layers.length - 1; k >= 0; k--) {
          found[k] = runs[k].pull(k + 1 < layers.length ? found[k + 1].x : dy, unprefixed(dstate, k));
        }
        const gather = (key) => collected(found.map((one) => one[key]));
        return { params: gather("params"), x: found[0].x, state: gather("state") };
      };
      return { y: runs.at(-1).y, final: collected(runs.map((run) => run.final)), pull };
    },
  };
}

/** The steps of an array in the opposite order. */
function reversed(array) {
  const steps = array.shape[0];
  const result = zeros(...array.shape);
  for (let t = 0; t < steps; t++) stretch(result, t, t + 1).data.set(stretch(array, steps - 1 - t, steps - t).data);
  return result;
}

/** Two arrays of equal leading lengths side by side along the last axis, and the cut that undoes it. */
function beside(left, right) {
  const places = sizeOf(left.shape.slice(0, -1));
  const [n, m] = [left.shape.at(-1), right.shape.at(-1)];
  const whole = zeros(...left.shape.slice(0, -1), n + m);
  const cut = (array, first, width) => (i) => array.data.subarray(i * (n + m) + first, i * (n + m) + first + width);
  for (let i = 0; i < places; i++) {
    cut(whole, 0, n)(i).set(part(left.data, i, n));
    cut(whole, n, m)(i).set(part(right.data, i, m));
  }
  const pull = (gradient) => {
    const halves = [zeros(...left.shape), zeros(...right.shape)];
    for (let i = 0; i < places; i++) {
      part(halves[0].data, i, n).set(cut(gradient, 0, n)(i));
      part(halves[1].data, i, m).set(cut(gradient, n, m)(i));
    }
    return halves;
  };
  return [whole, pull];
}

function buildBidirectional(options) {
  const isPart = (value) => typeof value === "object" && value !== null;
  const { output_size, readout } = COMMON;
  checkOptions("bidirectional", options, { forward: isPart, backward: isPart, output_size, readout });
  const [forward, backward] = [buildPart(options.forward), buildPart(options.backward)];
  if (!forward.all || !backward.all) throw new Error("both parts have to give their outputs of all steps");
  if (forward.inputs !== backward.inputs) throw new Error("both parts have to read the same inputs");
  const all = options.readout === "all";
  const width = forward.outputs + backward.outputs;
  const collected = (one, other) => ({ ...prefixed(one, "forward"), ...prefixed(other, "backward") });
  return {
    inputs: forward.inputs,
    outputs: options.output_size ?? width,
    all,
    parameters: {
      ...collected(forward.parameters, backward.parameters),
      ...readoutShapes(options.output_size, width),
    },
    states: collected(forward.states, backward.states),
    run(params, x, state) {
      const steps = x.shape[0];
      const there = forward.run(unprefixed(params, "forward"), x, unprefixed(state, "forward"));
      const back = backward.run(unprefixed(params, "backward"), reversed(x), unprefixed(state, "backward"));
      const last = (array) => stretch(array, steps - 1, steps);
      const [joint, pullJoint] = all ? beside(there.y, reversed(back.y)) : beside(last(there.y), last(back.y));
      const [y, pullReadout] = readOut(params, all ? joint : single(joint));
      const atTheEnd = (gradient, like) => {
        const whole = zeros(...like.shape);
        last(whole).data.set(gradient.data);
        return whole;
      };
      const pull = (dy, dstate) => {
        const g = zerosLike(params);
        const [dThere, dBack] = pullJoint(pullReadout(dy, g));
        const one = there.pull(all ? dThere : atTheEnd(dThere, there.y), unprefixed(dstate, "forward"));
        const other = back.pull(all ? reversed(dBack) : atTheEnd(dBack, back.y), unprefixed(dstate, "backward"));
        const dx = { shape: x.shape, data: added(one.x.data, reversed(other.x).data) };
        return {
          params: { ...g, ...collected(one.params, other.params) },
          x: dx,
          state: collected(one.state, other.state),
        };
      };
      return { y, final: collected(there.final, back.final), pull };
    },
  };
}

function build(name, options) {
  if (name === "stacked") return buildStacked(options);
  if (name === "bidirectional") return buildBidirectional(options);
  if (!Object.hasOwn(MODELS, name)) throw new Error(`there is no model ${name} here`);
  return buildRecurrence(name, MODELS[name], options);
}

// ---- the line protocol (section 10) ---------------------------------------------------------------------------------

const incoming = ({ shape, data }) => ({ shape, data: Float64Array.from(data) });
const printable = (number) => {
  if (Number.isNaN(number)) return "nan";
  return Number.isFinite(number) ? number : number > 0 ? "inf" : "-inf";
};
const outgoing = ({ shape, data }) => ({ shape, data: Array.from(data, printable) });

/** The arrays of a request, if they are those that have to be there. */
function expectArrays(what, arrays, shapes) {
  for (const key of new Set([...Object.keys(arrays), ...Object.keys(shapes)])) {
    const [found, expected] = [arrays[key]?.shape, shapes[key]].map((shape) => JSON.stringify(shape) ?? "nothing");
    if (found !== expected) throw new Error(`${what} ${key} should be ${expected}, not ${found}`);
  }
  return mapValues(arrays, incoming);
}

let current = null;

function start({ protocol }) {
  if (protocol !== 1) throw new Error(`there is no protocol ${protocol} here`);
  return { name: "JavaScript example client", dtype: "float64" };
}

function define(request) {
  current = null;
  const network = build(request.model, request.options);
  const [steps, batch] = request.x.shape;
  const { x } = expectArrays("input", { x: request.x }, { x: [steps, batch, network.inputs] });
  const params = expectArrays("parameter", request.params, network.parameters);
  const stateShapes = mapValues(network.states, (width) => [batch, width]);
  const state = expectArrays("state", request.state, Object.keys(request.state).length ? stateShapes : {});
  current = { run: network.run(params, x, state), stateShapes };
  return {};
}

function evaluate() {
  const { y, h, final } = current.run;
  return { y: outgoing(y), state: mapValues(final, outgoing), ...(h && { h: outgoing(h) }) };
}

function gradients(request) {
  const { run, stateShapes } = current;
  const { dy } = expectArrays("cotangent", { dy: request.dy }, { dy: run.y.shape });
  const found = run.pull(dy, expectArrays("cotangent of", request.dstate, stateShapes));
  return { params: mapValues(found.params, outgoing), x: outgoing(found.x), state: mapValues(found.state, outgoing) };
}

function answer(request) {
  if (request.kind === "start") return start(request);
  if (request.kind === "define") return define(request);
  const kinds = { evaluate, gradients };
  if (!Object.hasOwn(kinds, request.kind)) throw new Error(`there is no request ${request.kind}`);
  if (current === null) throw new Error("no case is defined");
  return kinds[request.kind](request);
}

async function* linesOf(stream) {
  stream.setEncoding("utf8");
  let pieces = [];
  for await (const chunk of stream) {
    const [first, ...others] = chunk.split("\n");
    pieces.push(first);
    for (const piece of others) {
      yield pieces.join("");
      pieces = [piece];
    }
  }
}

for await (const line of linesOf(process.stdin)) {
  let id = null;
  let reply;
  try {
    const request = JSON.parse(line);
    id = request.id ?? null;
    if (request.kind === "stop") break;
    reply = { ok: true, ...answer(request) };
  } catch (error) {
    console.error(error.stack);
    reply = { ok: false, error: error.message };
  }
  process.stdout.write(`${JSON.stringify({ id, ...reply })}\n`);
}
