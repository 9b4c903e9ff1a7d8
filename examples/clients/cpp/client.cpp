// A client of the golden vectors of enrnn_ref in one file: every model, its values and all of its gradients.
//
// Written from SPECIFICATION.md, which stands beside the vectors; "section" below means a section of that text.
// Only forward passes are written here. They compute with `Var`, a number that records how it came about, and
// one sweep backwards over the record gives every gradient. The one derivative that is not left to the record is
// that of the spectral radius, which has a closed form in the eigenvectors.
//
//   1 differentiation · 2 vectors and matrices · 3 spectral radius · 4 options and parameters
//   5 recurrent matrices · 6 cells and filters · 7 models · 8 compositions · 9 the line protocol

#include <algorithm>
#include <cmath>
#include <complex>
#include <functional>
#include <initializer_list>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace {

using json = nlohmann::json;
using std::size_t;

// A request that is declined: an unknown model or option, or arrays that do not fit.
struct Declined : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// ------------------------------------------------------------------------------------------ 1 differentiation

constexpr size_t CONSTANT = std::numeric_limits<size_t>::max();

// A number and its place on the tape. Numbers that depend on no variable have no place and cost nothing.
struct Var {
    double value = 0;
    size_t place = CONSTANT;

    Var() = default;
    Var(double constant) : value(constant) {}
    Var(double value_, size_t place_) : value(value_), place(place_) {}
};

// The slopes of a result with respect to what it was computed from.
using Slopes = std::vector<std::pair<Var, double>>;

class Tape {
public:
    Var variable(double value) {
        ends_.push_back(edges_.size());
        return {value, ends_.size() - 1};
    }

    Var record(double value, const Slopes& slopes) {
        const size_t before = edges_.size();
        for (const auto& [argument, slope] : slopes)
            if (argument.place != CONSTANT) edges_.push_back({argument.place, slope});
        return edges_.size() == before ? Var(value) : variable(value);
    }

    // Derivatives of L = Σ weight · value with respect to everything on the tape.
    std::vector<double> sweep(const Slopes& weights) const {
        std::vector<double> gradient(ends_.size(), 0.0);
        for (const auto& [result, weight] : weights)
            if (result.place != CONSTANT) gradient[result.place] += weight;
        for (size_t place = ends_.size(); place-- > 0;) {
            if (gradient[place] == 0) continue;  // also keeps 0 times an infinite slope out
            for (size_t e = place == 0 ? 0 : ends_[place - 1]; e < ends_[place]; ++e)
                gradient[edges_[e].argument] += gradient[place] * edges_[e].slope;
        }
        return gradient;
    }

    void clear() {
        edges_.clear();
        ends_.clear();
    }

private:
    struct Edge {
        size_t argument;
        double slope;
    };
    std::vector<Edge> edges_;
    std::vector<size_t> ends_;  // the edges of a place end here and begin where those of the place before end
};

Tape tape;

Var operator+(Var a, Var b) { return tape.record(a.value + b.value, {{a, 1}, {b, 1}}); }
Var operator-(Var a, Var b) { return tape.record(a.value - b.value, {{a, 1}, {b, -1}}); }
Var operator-(Var a) { return tape.record(-a.value, {{a, -1}}); }
Var operator*(Var a, Var b) { return tape.record(a.value * b.value, {{a, b.value}, {b, a.value}}); }
Var operator/(Var a, Var b) {
    const double ratio = a.value / b.value;
    return tape.record(ratio, {{a, 1 / b.value}, {b, -ratio / b.value}});
}

Var sin(Var a) { return tape.record(std::sin(a.value), {{a, std::cos(a.value)}}); }
Var cos(Var a) { return tape.record(std::cos(a.value), {{a, -std::sin(a.value)}}); }
Var sqrt(Var a) {
    const double root = std::sqrt(a.value);
    return tape.record(root, {{a, 0.5 / root}});
}
Var abs(Var a) { return tape.record(std::abs(a.value), {{a, a.value < 0 ? -1 : 1}}); }  // slope +1 at 0: section 8

double logistic(double z) { return z >= 0 ? 1 / (1 + std::exp(-z)) : std::exp(z) / (1 + std::exp(z)); }
Var sigmoid(Var z) { return tape.record(logistic(z.value), {{z, logistic(z.value) * logistic(-z.value)}}); }

Var tanh(Var z) {
    // 1 − tanh² without the difference, which loses the digits of a saturated unit.
    const double e = std::exp(-2 * std::abs(z.value));
    return tape.record(std::tanh(z.value), {{z, 4 * e / ((1 + e) * (1 + e))}});
}

Var relu(Var z) { return z.value > 0 ? z : Var(0); }

Var modrelu(Var z, Var b) {
    const bool on = std::abs(z.value) + b.value > 0 && z.value != 0;
    if (!on) return 0;
    const double sign = z.value > 0 ? 1 : -1;
    return tape.record(sign * (std::abs(z.value) + b.value), {{z, 1}, {b, sign}});
}

struct Plane {
    Var real, imag;
};

// Complex modReLU: κ is added to |z|² under the root, ε to the modulus that divides.
Plane modrelu(Plane z, Var b, double kappa, double eps) {
    const double p = z.real.value, q = z.imag.value;
    const double m = kappa == 0 ? std::hypot(p, q) : std::sqrt(p * p + q * q + kappa);
    if (!(m > 0 && m + b.value > 0)) return {0, 0};
    const double e = p / m, f = q / m, t = m / (m + eps), k = (b.value - eps) / (m + eps);
    const double scale = (m + b.value) / (m + eps);
    // The slope of p' with respect to p is 1 + k (1 − t e²). As e² + f² + κ/m² = 1, this needs no difference.
    const double pp = 1 + k * (eps + f * q + kappa / m) / (m + eps);
    const double qq = 1 + k * (eps + e * p + kappa / m) / (m + eps);
    const double pq = -k * t * e * f;
    return {tape.record(scale * p, {{z.real, pp}, {z.imag, pq}, {b, t * e}}),
            tape.record(scale * q, {{z.real, pq}, {z.imag, qq}, {b, t * f}})};
}

// ---------------------------------------------------------------------------------- 2 vectors and matrices

struct Vec : std::vector<Var> {
    using std::vector<Var>::vector;
};

template <class Function>
Vec entrywise(Function f, const Vec& a) {
    Vec result;
    for (const Var& entry : a) result.push_back(f(entry));
    return result;
}

template <class Function>
Vec entrywise(Function f, const Vec& a, const Vec& b) {
    if (a.size() != b.size()) throw Declined("vectors of different lengths meet");
    Vec result;
    for (size_t i = 0; i < a.size(); ++i) result.push_back(f(a[i], b[i]));
    return result;
}

Vec operator+(const Vec& a, const Vec& b) { return entrywise([](Var p, Var q) { return p + q; }, a, b); }
Vec operator-(const Vec& a, const Vec& b) { return entrywise([](Var p, Var q) { return p - q; }, a, b); }
Vec operator*(const Vec& a, const Vec& b) { return entrywise([](Var p, Var q) { return p * q; }, a, b); }
Vec operator/(const Vec& a, const Vec& b) { return entrywise([](Var p, Var q) { return p / q; }, a, b); }
Vec operator*(double factor, const Vec& a) { return entrywise([=](Var p) { return factor * p; }, a); }
Vec sigmoid(const Vec& z) { return entrywise([](Var p) { return sigmoid(p); }, z); }
Vec tanh(const Vec& z) { return entrywise([](Var p) { return tanh(p); }, z); }
Vec relu(const Vec& z) { return entrywise([](Var p) { return relu(p); }, z); }
Vec modrelu(const Vec& z, const Vec& b) { return entrywise([](Var p, Var q) { return modrelu(p, q); }, z, b); }

Vec slice(const Vec& a, size_t from, size_t count) { return Vec(a.begin() + from, a.begin() + from + count); }

Vec concatenated(const Vec& a, const Vec& b) {
    Vec result = a;
    result.insert(result.end(), b.begin(), b.end());
    return result;
}

class Mat {
public:
    Mat() = default;
    Mat(size_t rows, size_t cols) : rows_(rows), cols_(cols), entries_(rows * cols) {}
    Mat(size_t rows, size_t cols, const Vec& row_major) : rows_(rows), cols_(cols), entries_(row_major) {}

    size_t rows() const { return rows_; }
    size_t cols() const { return cols_; }
    Var& operator()(size_t i, size_t j) { return entries_[i * cols_ + j]; }
    const Var& operator()(size_t i, size_t j) const { return entries_[i * cols_ + j]; }

private:
    size_t rows_ = 0, cols_ = 0;
    Vec entries_;
};

// Σ a_k b_k as one entry of the record.
template <class A, class B>
Var inner(size_t count, A a, B b) {
    double value = 0;
    Slopes slopes;
    slopes.reserve(2 * count);
    for (size_t k = 0; k < count; ++k) {
        const Var p = a(k), q = b(k);
        value += p.value * q.value;
        slopes.emplace_back(p, q.value);
        slopes.emplace_back(q, p.value);
    }
    return tape.record(value, slopes);
}

Vec operator*(const Mat& M, const Vec& a) {
    if (M.cols() != a.size()) throw Declined("a matrix and a vector of different sizes meet");
    Vec result;
    for (size_t i = 0; i < M.rows(); ++i)
        result.push_back(inner(a.size(), [&](size_t k) { return M(i, k); }, [&](size_t k) { return a[k]; }));
    return result;
}

Mat operator*(const Mat& P, const Mat& Q) {
    Mat result(P.rows(), Q.cols());
    for (size_t i = 0; i < P.rows(); ++i)
        for (size_t j = 0; j < Q.cols(); ++j)
            result(i, j) = inner(P.cols(), [&](size_t k) { return P(i, k); }, [&](size_t k) { return Q(k, j); });
    return result;
}

template <class Function>
Mat entrywise(Function f, const Mat& P) {
    Mat result(P.rows(), P.cols());
    for (size_t i = 0; i < P.rows(); ++i)
        for (size_t j = 0; j < P.cols(); ++j) result(i, j) = f(i, j);
    return result;
}

Mat operator+(const Mat& P, const Mat& Q) {
    return entrywise([&](size_t i, size_t j) { return P(i, j) + Q(i, j); }, P);
}
Mat operator-(const Mat& P, const Mat& Q) {
    return entrywise([&](size_t i, size_t j) { return P(i, j) - Q(i, j); }, P);
}
Mat operator*(double factor, const Mat& P) {
    return entrywise([&](size_t i, size_t j) { return factor * P(i, j); }, P);
}
Mat operator/(const Mat& P, Var divisor) {
    return entrywise([&](size_t i, size_t j) { return P(i, j) / divisor; }, P);
}

Mat identity(size_t n) {
    Mat result(n, n);
    for (size_t i = 0; i < n; ++i) result(i, i) = 1;
    return result;
}

Mat transposed(const Mat& P) {
    Mat result(P.cols(), P.rows());
    for (size_t i = 0; i < P.rows(); ++i)
        for (size_t j = 0; j < P.cols(); ++j) result(j, i) = P(i, j);
    return result;
}

Mat submatrix(const Mat& P, size_t row, size_t col, size_t rows, size_t cols) {
    Mat result(rows, cols);
    for (size_t i = 0; i < rows; ++i)
        for (size_t j = 0; j < cols; ++j) result(i, j) = P(row + i, col + j);
    return result;
}

void place(Mat& target, size_t row, size_t col, const Mat& block) {
    for (size_t i = 0; i < block.rows(); ++i)
        for (size_t j = 0; j < block.cols(); ++j) target(row + i, col + j) = block(i, j);
}

// A⁻¹ B by Gaussian elimination with partial pivoting.
Mat solve(Mat A, Mat B) {
    const size_t n = A.rows();
    for (size_t k = 0; k < n; ++k) {
        size_t pivot = k;
        for (size_t i = k + 1; i < n; ++i)
            if (std::abs(A(i, k).value) > std::abs(A(pivot, k).value)) pivot = i;
        for (size_t j = 0; j < n; ++j) std::swap(A(k, j), A(pivot, j));
        for (size_t j = 0; j < B.cols(); ++j) std::swap(B(k, j), B(pivot, j));
        for (size_t i = k + 1; i < n; ++i) {
            const Var factor = A(i, k) / A(k, k);
            for (size_t j = k + 1; j < n; ++j) A(i, j) = A(i, j) - factor * A(k, j);
            for (size_t j = 0; j < B.cols(); ++j) B(i, j) = B(i, j) - factor * B(k, j);
        }
    }
    for (size_t i = n; i-- > 0;)
        for (size_t j = 0; j < B.cols(); ++j) {
            for (size_t k = i + 1; k < n; ++k) B(i, j) = B(i, j) - A(i, k) * B(k, j);
            B(i, j) = B(i, j) / A(i, i);
        }
    return B;
}

// exp(A): scaled, Taylor series up to the 16th power by Horner's rule, squared back (section 11).
Mat exponential(const Mat& A) {
    double norm = 0;
    for (size_t j = 0; j < A.cols(); ++j) {
        double column = 0;
        for (size_t i = 0; i < A.rows(); ++i) column += std::abs(A(i, j).value);
        norm = std::max(norm, column);
    }
    int squarings = 0;
    while (norm > std::ldexp(0.25, squarings)) ++squarings;
    const Mat scaled = std::ldexp(1.0, -squarings) * A;
    Mat result = identity(A.rows());
    for (int k = 16; k >= 1; --k) result = identity(A.rows()) + scaled * result / Var(k);
    for (; squarings > 0; --squarings) result = result * result;
    return result;
}

// ------------------------------------------------------------------------------------------ 3 spectral radius

using Complex = std::complex<double>;
using ComplexVec = std::vector<Complex>;
using ComplexMat = std::vector<ComplexVec>;

// Similar to the argument and zero below the first subdiagonal; by elimination with pivots.
ComplexMat hessenberg(ComplexMat H) {
    const size_t n = H.size();
    for (size_t k = 0; k + 2 < n; ++k) {
        size_t pivot = k + 1;
        for (size_t i = k + 2; i < n; ++i)
            if (std::abs(H[i][k]) > std::abs(H[pivot][k])) pivot = i;
        std::swap(H[pivot], H[k + 1]);
        for (ComplexVec& row : H) std::swap(row[pivot], row[k + 1]);
        for (size_t i = k + 2; i < n; ++i) {
            if (H[i][k] == 0.0) continue;
            const Complex factor = H[i][k] / H[k + 1][k];
            for (size_t j = 0; j < n; ++j) H[i][j] -= factor * H[k + 1][j];
            for (size_t j = 0; j < n; ++j) H[j][k + 1] += factor * H[j][i];
        }
    }
    return H;
}

// One step of the QR iteration with shift μ on rows and columns lo..hi of a Hessenberg matrix.
void qr_step(ComplexMat& H, size_t lo, size_t hi, Complex shift) {
    std::vector<std::pair<Complex, Complex>> rotations;
    for (size_t k = lo; k <= hi; ++k) H[k][k] -= shift;
    for (size_t k = lo; k < hi; ++k) {
        const Complex x = H[k][k], y = H[k + 1][k];
        const double r = std::hypot(std::abs(x), std::abs(y));
        const Complex c = r == 0 ? 1 : x / r, s = r == 0 ? 0 : y / r;
        rotations.emplace_back(c, s);
        for (size_t j = lo; j <= hi; ++j) {
            const Complex upper = H[k][j], lower = H[k + 1][j];
            H[k][j] = std::conj(c) * upper + std::conj(s) * lower;
            H[k + 1][j] = c * lower - s * upper;
        }
    }
    for (size_t k = lo; k < hi; ++k) {
        const auto [c, s] = rotations[k - lo];
        for (size_t i = lo; i <= hi; ++i) {
            const Complex left = H[i][k], right = H[i][k + 1];
            H[i][k] = left * c + right * s;
            H[i][k + 1] = right * std::conj(c) - left * std::conj(s);
        }
    }
    for (size_t k = lo; k <= hi; ++k) H[k][k] += shift;
}

ComplexVec eigenvalues(const ComplexMat& F) {
    constexpr double EPSILON = std::numeric_limits<double>::epsilon();
    constexpr int MOST_STEPS = 300;  // for one eigenvalue; a handful is usual
    ComplexMat H = hessenberg(F);
    ComplexVec found;
    size_t hi = H.size();  // one more than the last row that is left
    int steps = 0;
    while (hi > 0) {
        const size_t last = hi - 1;
        size_t lo = last;
        while (lo > 0 && std::abs(H[lo][lo - 1]) > EPSILON * (std::abs(H[lo - 1][lo - 1]) + std::abs(H[lo][lo]))) --lo;
        if (lo > 0) H[lo][lo - 1] = 0;
        if (lo == last) {
            found.push_back(H[last][last]);
            --hi;
            steps = 0;
            continue;
        }
        if (++steps > MOST_STEPS) throw Declined("the QR iteration does not converge");
        const Complex a = H[last - 1][last - 1], b = H[last - 1][last], c = H[last][last - 1], d = H[last][last];
        const Complex mean = 0.5 * (a + d), root = std::sqrt(0.25 * (a - d) * (a - d) + b * c);
        Complex shift = std::abs(mean + root - d) < std::abs(mean - root - d) ? mean + root : mean - root;
        if (steps % 10 == 0) shift = d + std::abs(c);
        qr_step(H, lo, last, shift);
    }
    return found;
}

// A⁻¹ b for a matrix that may be singular up to rounding: a pivot of 0 is replaced by `smallest`.
ComplexVec solve_nearly_singular(ComplexMat A, ComplexVec b, double smallest) {
    const size_t n = b.size();
    for (size_t k = 0; k < n; ++k) {
        size_t pivot = k;
        for (size_t i = k + 1; i < n; ++i)
            if (std::abs(A[i][k]) > std::abs(A[pivot][k])) pivot = i;
        std::swap(A[k], A[pivot]);
        std::swap(b[k], b[pivot]);
        if (A[k][k] == 0.0) A[k][k] = smallest;
        for (size_t i = k + 1; i < n; ++i) {
            const Complex factor = A[i][k] / A[k][k];
            for (size_t j = k; j < n; ++j) A[i][j] -= factor * A[k][j];
            b[i] -= factor * b[k];
        }
    }
    for (size_t i = n; i-- > 0;) {
        for (size_t k = i + 1; k < n; ++k) b[i] -= A[i][k] * b[k];
        b[i] /= A[i][i];
    }
    return b;
}

ComplexVec inverse_iteration_step(ComplexMat F, Complex lambda, const ComplexVec& start, double smallest) {
    for (size_t i = 0; i < F.size(); ++i) F[i][i] -= lambda;
    ComplexVec result = solve_nearly_singular(std::move(F), start, smallest);
    Complex largest = 0;
    for (const Complex& entry : result)
        if (std::abs(entry) > std::abs(largest)) largest = entry;
    for (Complex& entry : result) entry /= largest;
    return result;
}

// ρ(F) = max |λ|, with ∂ρ/∂F_ij = Re( conj(λ) w_i u_j / wᵀu ) / ρ for the leader λ and F u = λ u, Fᵀ w = λ w.
Var spectral_radius(const Mat& matrix) {
    const size_t n = matrix.rows();
    double largest = 0;
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < n; ++j) largest = std::max(largest, std::abs(matrix(i, j).value));
    if (largest == 0 || !std::isfinite(largest)) throw Declined("`short` has no leading eigenvalue");
    const int exponent = std::ilogb(largest);  // scaling by a power of two is exact and keeps squares in range

    ComplexMat F(n, ComplexVec(n)), transpose(n, ComplexVec(n));
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < n; ++j) F[i][j] = transpose[j][i] = std::ldexp(matrix(i, j).value, -exponent);

    Complex lambda = 0;
    for (const Complex& candidate : eigenvalues(F))
        if (std::abs(candidate) > std::abs(lambda)) lambda = candidate;

    ComplexVec u(n), w(n);
    for (size_t i = 0; i < n; ++i) {  // starts that no eigenvector is orthogonal to by accident
        u[i] = 1 + 0.01 * std::sin(static_cast<double>(i));
        w[i] = 1 + 0.01 * std::cos(static_cast<double>(i));
    }
    const double smallest = std::ldexp(static_cast<double>(n), -53);
    Complex product = 0;
    for (int repeat = 0; repeat < 3; ++repeat) {
        u = inverse_iteration_step(F, lambda, u, smallest);
        w = inverse_iteration_step(transpose, lambda, w, smallest);
        Complex quotient = 0;
        product = 0;
        for (size_t i = 0; i < n; ++i) {
            product += w[i] * u[i];
            for (size_t j = 0; j < n; ++j) quotient += w[i] * F[i][j] * u[j];
        }
        lambda = quotient / product;
    }

    const Complex direction = std::conj(lambda) / std::abs(lambda) / product;
    Slopes slopes;
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < n; ++j) slopes.emplace_back(matrix(i, j), std::real(direction * w[i] * u[j]));
    return tape.record(std::ldexp(std::abs(lambda), exponent), slopes);
}

// --------------------------------------------------------------------------------- 4 options and parameters

// The options of one model. What is asked for must be there, and what is there must have been asked for.
class Options {
public:
    explicit Options(const json& object) : object_(object) {}

    const json& at(const std::string& name) {
        read_.insert(name);
        if (!object_.contains(name)) throw Declined("the option " + name + " is missing");
        return object_.at(name);
    }
    size_t count(const std::string& name) {
        const json& value = at(name);
        if (!value.is_number_integer() || value.get<long long>() < 0) throw Declined(name + " is not a count");
        return value.get<size_t>();
    }
    bool absent(const std::string& name) { return at(name).is_null(); }
    double number(const std::string& name) { return at(name).get<double>(); }
    bool flag(const std::string& name) { return at(name).get<bool>(); }
    std::string word(const std::string& name, const std::set<std::string>& known) {
        const std::string value = at(name).get<std::string>();
        if (known.count(value) == 0) throw Declined(name + " = " + value + " is not supported");
        return value;
    }
    void finish() const {
        static const std::set<std::string> without_influence = {
            "model",           "recurrent_init", "forget_bias",  "angles",        "method",
            "modulus_penalty", "lower_decay",    "rebase_every", "project_every", "on_degenerate"};
        for (const auto& [name, value] : object_.items())
            if (read_.count(name) + without_influence.count(name) == 0)
                throw Declined("the option " + name + " is not supported");
    }

private:
    const json& object_;
    std::set<std::string> read_;
};

struct Array {
    std::vector<size_t> shape;
    Vec data;
};

std::vector<double> numbers(const json& array, const std::string& name, const std::vector<size_t>& shape) {
    if (array.at("shape").get<std::vector<size_t>>() != shape) throw Declined(name + " has not the expected shape");
    std::vector<double> result = array.at("data").get<std::vector<double>>();
    size_t size = 1;
    for (const size_t length : shape) size *= length;
    if (result.size() != size) throw Declined("shape and data of " + name + " do not fit");
    return result;
}

Array variables(const json& array, const std::string& name, const std::vector<size_t>& shape) {
    Array result{shape, {}};
    for (const double value : numbers(array, name, shape)) result.data.push_back(tape.variable(value));
    return result;
}

using Arrays = std::map<std::string, Array>;

// The parameters behind a prefix. Reading one makes its numbers variables, once.
class Params {
public:
    Params(const json& given, Arrays& read) : given_(given), read_(read) {}

    Params part(const std::string& prefix) const {
        Params result = *this;
        result.prefix_ += prefix + ".";
        return result;
    }
    Vec vector(const std::string& name, size_t size) const { return read(name, {size}).data; }
    Mat matrix(const std::string& name, size_t rows, size_t cols) const {
        return {rows, cols, read(name, {rows, cols}).data};
    }

private:
    const Array& read(const std::string& name, const std::vector<size_t>& shape) const {
        const std::string full = prefix_ + name;
        if (!given_.contains(full)) throw Declined("the parameter " + full + " is missing");
        return read_[full] = variables(given_.at(full), full, shape);
    }

    const json& given_;
    Arrays& read_;
    std::string prefix_;
};

// ------------------------------------------------------------------------------------ 5 recurrent matrices

// Numbers in the strict upper triangle, row by row; their negatives below.
Mat skew_symmetric(const Vec& upper, size_t n) {
    Mat A(n, n);
    size_t k = 0;
    for (size_t i = 0; i < n; ++i)
        for (size_t j = i + 1; j < n; ++j, ++k) {
            A(i, j) = upper[k];
            A(j, i) = -upper[k];
        }
    return A;
}

// Numbers in the upper triangle with the diagonal, row by row; the same below.
Mat symmetric(const Vec& upper, size_t n) {
    Mat Y(n, n);
    size_t k = 0;
    for (size_t i = 0; i < n; ++i)
        for (size_t j = i; j < n; ++j, ++k) Y(i, j) = Y(j, i) = upper[k];
    return Y;
}

size_t pairs(size_t n) { return n * (n - 1) / 2; }  // 0 for n = 0: the product is taken before the division

// W = (I + A)⁻¹ (I − A) D, as (2 (I + A)⁻¹ − I) D: here A enters once, and nothing cancels where A is large.
Mat cayley(const Mat& A, const Mat& D) { return 2 * solve(identity(A.rows()) + A, D) - D; }

Mat scaled_cayley(const Vec& skew, size_t n, size_t negative_ones) {
    if (negative_ones > n) throw Declined("more negative ones than units");
    Mat D = identity(n);
    for (size_t i = n - negative_ones; i < n; ++i) D(i, i) = -1;
    return cayley(skew_symmetric(skew, n), D);
}

// A complex matrix P + iQ as the real one that acts on real parts above imaginary parts.
Mat complex_blocks(const Mat& P, const Mat& Q) {
    const size_t n = P.rows();
    Mat result(2 * n, 2 * n);
    place(result, 0, 0, P);
    place(result, 0, n, -1 * Q);
    place(result, n, 0, Q);
    place(result, n, n, P);
    return result;
}

Mat unitary_cayley(const Vec& skew_real, const Vec& skew_imag, const Vec& phase, const std::string& order) {
    const size_t n = phase.size();
    Mat cosines(n, n), sines(n, n);
    for (size_t i = 0; i < n; ++i) {
        cosines(i, i) = cos(phase[i]);
        sines(i, i) = sin(phase[i]);
    }
    const Mat A = complex_blocks(skew_symmetric(skew_real, n), symmetric(skew_imag, n));
    const Mat W = cayley(A, complex_blocks(cosines, sines));
    if (order == "paper") return W;
    return complex_blocks(transposed(submatrix(W, 0, 0, n, n)), transposed(submatrix(W, n, 0, n, n)));
}

// P Θ Pᵀ with P = exp(A), 2×2 rotations times moduli on the diagonal of Θ and `lower` below it.
Mat non_normal_schur(const Vec& skew, const Vec& angle, const Vec& modulus, const Vec& lower, bool released) {
    const size_t n = 2 * angle.size();
    Mat theta(n, n);
    for (size_t k = 0; 2 * k < n; ++k) {
        theta(2 * k, 2 * k) = theta(2 * k + 1, 2 * k + 1) = modulus[k] * cos(angle[k]);
        theta(2 * k + 1, 2 * k) = modulus[k] * sin(angle[k]);
        theta(2 * k, 2 * k + 1) = -theta(2 * k + 1, 2 * k);
    }
    size_t next = 0;
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < i; ++j) {
            const bool inside_block = i / 2 == j / 2;
            if (released || !inside_block) theta(i, j) = theta(i, j) + lower[next++];
        }
    const Mat P = exponential(skew_symmetric(skew, n));
    return P * theta * transposed(P);
}

Mat eigenvalue_normalised(const Mat& F, double eps, const std::string& normalize) {
    if (F.rows() == 0 || normalize == "never") return F;
    const Var rho = spectral_radius(F);
    return normalize == "switch" && rho.value <= 1 ? F : F / (rho + eps);
}

// ------------------------------------------------------------------------------------- 6 cells and filters

using State = std::map<std::string, Vec>;  // of one sequence

const std::set<std::string> ACTIVATIONS = {"tanh", "relu", "modrelu", "identity"};

// `bias` is the b inside modReLU; the others have theirs in the drive.
Vec activate(const std::string& activation, const Vec& z, const Vec& bias) {
    if (activation == "tanh") return tanh(z);
    if (activation == "relu") return relu(z);
    if (activation == "modrelu") return modrelu(z, bias);
    return z;
}

// U x + b
struct Drive {
    Mat U;
    Vec b;
    Vec operator()(const Vec& x) const { return U * x + b; }
};

struct Peepholes {
    Vec i, f, o;
};

// h' before any projection; c becomes c'.
Vec lstm_cell(const Vec& z, Vec& c, const Peepholes& p) {
    const size_t n = c.size();
    const Vec i = sigmoid(slice(z, 0, n) + p.i * c);
    const Vec f = sigmoid(slice(z, n, n) + p.f * c);
    const Vec g = tanh(slice(z, 2 * n, n));
    c = f * c + i * g;
    const Vec o = sigmoid(slice(z, 3 * n, n) + p.o * c);  // sees the new c
    return o * tanh(c);
}

Vec lstm_cell(const Vec& z, Vec& c) {
    const Vec none(c.size());
    return lstm_cell(z, c, {none, none, none});
}

using Filter = std::function<Vec(const Vec& drive, State& state)>;  // the filtered drive; the states move on

Filter momentum_filter(double momentum, double step) {
    return [=](const Vec& u, State& s) { return s["v"] = momentum * s["v"] + step * u; };
}

Filter adaptive_filter(double momentum, double step, double decay) {
    return [=](const Vec& u, State& s) {
        s["v"] = momentum * s["v"] + step * u;
        s["s"] = entrywise([=](Var old, Var p) { return decay * abs(old) + (1 - decay) * (p * p); }, s["s"], u);
        return s["v"] / entrywise([](Var square) { return sqrt(square + 1e-16); }, s["s"]);
    };
}

// The momenta m = k/(k + 3) of this step; `phase` moves on. Both are constants of the derivative.
Vec scheduled_momentum(Vec& phase, size_t restart) {
    Vec momenta;
    for (Var& entry : phase) {
        double k = std::max(std::floor(entry.value + 0.25), 0.0);
        if (restart > 0) k = std::fmod(k, static_cast<double>(restart));
        momenta.push_back(k / (k + 3));
        entry = k + 1 == static_cast<double>(restart) ? 0 : k + 1;
    }
    return momenta;
}

Filter scheduled_filter(double step, size_t restart) {
    return [=](const Vec& u, State& s) {
        const Vec m = scheduled_momentum(s["phase"], restart);
        return s["v"] = m * s["v"] + step * u;
    };
}

// ------------------------------------------------------------------------------------------------ 7 models

using Sequence = std::vector<Vec>;                                // a vector for every step
using Step = std::function<void(const Vec& x, State& state)>;    // one step of one sequence
using Widths = std::map<std::string, size_t>;

// What is made of options and parameters, once, to be run for each sequence.
struct Model {
    size_t inputs = 0, outputs = 0;  // widths of x and y
    bool last = false;               // y of the last step only
    Widths states;
    bool has_h = true;
    State start;  // initial states, where no state is given, that are not zero
    std::function<Sequence(const Sequence& x, State& state, Sequence& h)> run;
};

// V h + c, or h itself.
struct Readout {
    bool absent;
    Mat V;
    Vec c;

    Readout(Options& o, const Params& p, size_t width) : absent(o.absent("output_size")) {
        if (absent) return;
        const size_t outputs = o.count("output_size");
        V = p.matrix("readout", outputs, width);
        c = p.vector("readout_bias", outputs);
    }
    size_t outputs(size_t width) const { return absent ? width : c.size(); }
    Vec operator()(const Vec& h) const { return absent ? h : V * h + c; }
};

bool reads_last(Options& o) { return o.word("readout", {"all", "last"}) == "last"; }

// A model that goes forward in time by `step` and reads out its state h.
Model recurrence(Options& o, const Params& p, const Widths& states, const Step& step) {
    Model model;
    model.inputs = o.count("input_size");
    model.states = states;
    model.last = reads_last(o);
    const Readout readout(o, p, states.at("h"));
    model.outputs = readout.outputs(states.at("h"));
    model.run = [=, last = model.last](const Sequence& x, State& state, Sequence& h) {
        Sequence y;
        h.push_back(state["h"]);
        for (size_t t = 0; t < x.size(); ++t) {
            step(x[t], state);
            h.push_back(state["h"]);
            if (!last || t + 1 == x.size()) y.push_back(readout(state["h"]));
        }
        return y;
    };
    return model;
}

// h' = act(U x + R h + b)
Model one_state(Options& o, const Params& p, const Mat& R, const std::string& activation) {
    const size_t n = R.rows();
    const Mat U = p.matrix("input", n, o.count("input_size"));
    const Vec bias = p.vector("bias", n);
    const Drive drive{U, activation == "modrelu" ? Vec(n) : bias};
    return recurrence(o, p, {{"h", n}}, [=](const Vec& x, State& s) {
        s["h"] = activate(activation, drive(x) + R * s["h"], bias);
    });
}

Model enrnn(Options& o, const Params& p) {
    const size_t L = o.count("long_size"), S = o.count("short_size");
    const Mat W_L = scaled_cayley(p.vector("skew", pairs(L)), L, o.count("negative_ones"));
    const std::string normalize = o.word("normalize", {"always", "never", "switch"});
    const Mat W_S = eigenvalue_normalised(p.matrix("short", S, S), o.number("eps"), normalize);
    Mat R(L + S, L + S);
    place(R, 0, 0, W_L);
    place(R, L, L, W_S);
    if (o.flag("coupled")) place(R, 0, L, p.matrix("coupling", L, S));
    return one_state(o, p, R, o.word("activation", ACTIVATIONS));
}

Model rnn(Options& o, const Params& p) {
    const size_t n = o.count("hidden_size");
    return one_state(o, p, p.matrix("recurrent", n, n), o.word("activation", ACTIVATIONS));
}

Model scornn(Options& o, const Params& p) {
    const size_t n = o.count("hidden_size");
    return one_state(o, p, scaled_cayley(p.vector("skew", pairs(n)), n, o.count("negative_ones")), "modrelu");
}

Model exprnn(Options& o, const Params& p) {
    const size_t n = o.count("hidden_size");
    return one_state(o, p, exponential(skew_symmetric(p.vector("skew", pairs(n)), n)), "modrelu");
}

Model nnrnn(Options& o, const Params& p) {
    const size_t n = o.count("hidden_size");
    if (n % 2 != 0) throw Declined("hidden_size of nnrnn is not even");
    const bool released = o.word("mask", {"strict", "released"}) == "released";
    const Vec lower = p.vector("lower", released ? pairs(n) : pairs(n) - n / 2);
    const Vec angle = p.vector("angle", n / 2), modulus = p.vector("modulus", n / 2);
    return one_state(o, p, non_normal_schur(p.vector("skew", pairs(n)), angle, modulus, lower, released), "modrelu");
}

Model scurnn(Options& o, const Params& p) {
    const size_t n = o.count("hidden_size");
    const double smoothing = o.word("modulus", {"exact", "released"}) == "released" ? 1e-5 : 0;
    const Mat R = unitary_cayley(p.vector("skew_real", pairs(n)), p.vector("skew_imag", pairs(n) + n),
                                 p.vector("phase", n), o.word("order", {"paper", "released"}));
    const Mat U = p.matrix("input", 2 * n, o.count("input_size"));
    const Vec bias = p.vector("bias", n);
    Model model = recurrence(o, p, {{"h", 2 * n}}, [=](const Vec& x, State& s) {
        const Vec z = U * x + R * s["h"];
        for (size_t i = 0; i < n; ++i) {
            const Plane unit = modrelu({z[i], z[n + i]}, bias[i], smoothing, smoothing);
            s["h"][i] = unit.real;
            s["h"][n + i] = unit.imag;
        }
    });
    model.start["h"] = p.vector("initial_state", 2 * n);
    return model;
}

Model lstm(Options& o, const Params& p) {
    const size_t n = o.count("hidden_size");
    const bool projected = !o.absent("projection_size");
    const size_t width = projected ? o.count("projection_size") : n;
    const Mat projection = projected ? p.matrix("projection", width, n) : Mat();
    const Mat R = p.matrix("recurrent", 4 * n, width);
    const Drive drive{p.matrix("input", 4 * n, o.count("input_size")), p.vector("bias", 4 * n)};
    const Vec none(n);
    Peepholes peepholes{none, none, none};
    if (o.flag("peephole")) {
        const Mat rows = p.matrix("peephole", 3, n);
        for (size_t i = 0; i < n; ++i) {
            peepholes.i[i] = rows(0, i);
            peepholes.f[i] = rows(1, i);
            peepholes.o[i] = rows(2, i);
        }
    }
    return recurrence(o, p, {{"h", width}, {"c", n}}, [=](const Vec& x, State& s) {
        const Vec m = lstm_cell(drive(x) + R * s["h"], s["c"], peepholes);
        s["h"] = projected ? projection * m : m;
    });
}

Model gru(Options& o, const Params& p) {
    const size_t n = o.count("hidden_size");
    const bool after = o.word("reset", {"after", "before"}) == "after";
    const Mat R = p.matrix("recurrent", 3 * n, n);
    const Mat R_gates = submatrix(R, 0, 0, 2 * n, n), R_n = submatrix(R, 2 * n, 0, n, n);
    const Vec b_p = after ? p.vector("recurrent_bias", 3 * n) : Vec(3 * n);
    const Vec b_gates = slice(b_p, 0, 2 * n), b_n = slice(b_p, 2 * n, n);
    const Drive drive{p.matrix("input", 3 * n, o.count("input_size")), p.vector("bias", 3 * n)};
    return recurrence(o, p, {{"h", n}}, [=](const Vec& x, State& s) {
        const Vec& h = s["h"];
        const Vec a = drive(x);
        const Vec gates = slice(a, 0, 2 * n) + (R_gates * h + b_gates);
        const Vec r = sigmoid(slice(gates, 0, n)), z_argument = slice(gates, n, n);
        const Vec candidate = after ? r * (R_n * h + b_n) : R_n * (r * h);
        const Vec k = tanh(slice(a, 2 * n, n) + candidate);
        s["h"] = sigmoid(-1 * z_argument) * k + sigmoid(z_argument) * h;  // σ(−a) = 1 − σ(a), with all digits
    });
}

Vec recurrent_bias(Options& o, const Params& p, size_t size) {
    return o.flag("recurrent_bias") ? p.vector("recurrent_bias", size) : Vec(size);
}

Model momentumrnn(Options& o, const Params& p) {
    const size_t n = o.count("hidden_size");
    const std::string activation = o.word("activation", ACTIVATIONS);
    const Filter filter = momentum_filter(o.number("momentum"), o.number("step"));
    const Mat R = p.matrix("recurrent", n, n), U = p.matrix("input", n, o.count("input_size"));
    const Vec bias = p.vector("bias", n), b_p = recurrent_bias(o, p, n);
    const Drive drive{U, activation == "modrelu" ? Vec(n) : bias};
    return recurrence(o, p, {{"h", n}, {"v", n}}, [=](const Vec& x, State& s) {
        const Vec a = filter(drive(x), s);
        s["h"] = activate(activation, a + (R * s["h"] + b_p), bias);
    });
}

// An LSTM behind a filter of its drive, whose states come with it.
Model filtered_lstm(Options& o, const Params& p, const Filter& filter, Widths states) {
    const size_t n = o.count("hidden_size");
    const Mat R = p.matrix("recurrent", 4 * n, n);
    const Vec b_p = recurrent_bias(o, p, 4 * n);
    const Drive drive{p.matrix("input", 4 * n, o.count("input_size")), p.vector("bias", 4 * n)};
    states["h"] = states["c"] = n;
    return recurrence(o, p, states, [=](const Vec& x, State& s) {
        const Vec a = filter(drive(x), s);
        s["h"] = lstm_cell(a + (R * s["h"] + b_p), s["c"]);
    });
}

Model momentumlstm(Options& o, const Params& p) {
    const size_t n = o.count("hidden_size");
    return filtered_lstm(o, p, momentum_filter(o.number("momentum"), o.number("step")), {{"v", 4 * n}});
}

Model adamlstm(Options& o, const Params& p) {
    const size_t n = o.count("hidden_size");
    const Filter filter = adaptive_filter(o.number("momentum"), o.number("step"), o.number("decay"));
    return filtered_lstm(o, p, filter, {{"v", 4 * n}, {"s", 4 * n}});
}

Model rmsproplstm(Options& o, const Params& p) {
    const size_t n = o.count("hidden_size");
    const Filter filter = adaptive_filter(0, o.number("step"), o.number("decay"));
    return filtered_lstm(o, p, filter, {{"v", 4 * n}, {"s", 4 * n}});
}

Model nesterov_lstm(Options& o, const Params& p) {
    const size_t n = o.count("hidden_size"), restart = o.count("restart");
    const double step = o.number("step");
    const Mat R = p.matrix("recurrent", 4 * n, n);
    const Vec b_p = recurrent_bias(o, p, 4 * n);
    const Drive drive{p.matrix("input", 4 * n, o.count("input_size")), p.vector("bias", 4 * n)};
    const Widths states = {{"h", n}, {"c", n}, {"iterate", 4 * n}, {"phase", n}};
    return recurrence(o, p, states, [=](const Vec& x, State& s) {
        const Vec m = scheduled_momentum(s["phase"], restart);
        const Vec m_gates = concatenated(concatenated(m, m), concatenated(m, m));
        const Vec before = s["iterate"];
        s["iterate"] = R * s["h"] + b_p - step * drive(x);
        s["h"] = lstm_cell(s["iterate"] + m_gates * (s["iterate"] - before), s["c"]);
    });
}

Model scheduledrestartlstm(Options& o, const Params& p) {
    if (o.word("form", {"A", "B"}) == "A") return nesterov_lstm(o, p);
    const size_t n = o.count("hidden_size");
    const Filter filter = scheduled_filter(o.number("step"), o.count("restart"));
    return filtered_lstm(o, p, filter, {{"v", 4 * n}, {"phase", 4 * n}});
}

// ------------------------------------------------------------------------------------------ 8 compositions

Model build(const std::string& name, const json& options, const Params& params);

Model build_part(const json& options, const Params& params) {
    return build(options.at("model").get<std::string>(), options, params);
}

// The part's states and its start take their places in the whole behind the prefix.
void adopt(Model& whole, const Model& part, const std::string& prefix) {
    for (const auto& [name, width] : part.states) whole.states[prefix + "." + name] = width;
    for (const auto& [name, value] : part.start) whole.start[prefix + "." + name] = value;
}

// The part run on its share of the whole's state.
Sequence run_part(const Model& part, const std::string& prefix, const Sequence& x, State& state) {
    State own;
    Sequence h;
    for (const auto& [name, width] : part.states) own[name] = state[prefix + "." + name];
    Sequence y = part.run(x, own, h);
    for (const auto& [name, width] : part.states) state[prefix + "." + name] = own[name];
    return y;
}

Model stacked(Options& o, const Params& p) {
    std::vector<Model> layers;
    Model model;
    for (const json& options : o.at("layers")) {
        const std::string prefix = std::to_string(layers.size());
        const Model layer = build_part(options, p.part(prefix));
        if (!layers.empty() && layers.back().last) throw Declined("a lower layer gives its last output only");
        if (!layers.empty() && layers.back().outputs != layer.inputs) throw Declined("layers of different widths meet");
        adopt(model, layer, prefix);
        layers.push_back(layer);
    }
    if (layers.empty()) throw Declined("a stack without layers");
    model.inputs = layers.front().inputs;
    model.outputs = layers.back().outputs;
    model.last = layers.back().last;
    model.has_h = false;
    model.run = [=](const Sequence& x, State& state, Sequence&) {
        Sequence y = x;
        for (size_t k = 0; k < layers.size(); ++k) y = run_part(layers[k], std::to_string(k), y, state);
        return y;
    };
    return model;
}

Model bidirectional(Options& o, const Params& p) {
    const Model forward = build_part(o.at("forward"), p.part("forward"));
    const Model backward = build_part(o.at("backward"), p.part("backward"));
    if (forward.inputs != backward.inputs) throw Declined("the two directions read different inputs");
    if (forward.last || backward.last) throw Declined("a direction gives its last output only");
    const size_t width = forward.outputs + backward.outputs;
    const Readout readout(o, p, width);
    Model model;
    model.inputs = forward.inputs;
    model.outputs = readout.outputs(width);
    model.last = reads_last(o);
    model.has_h = false;
    adopt(model, forward, "forward");
    adopt(model, backward, "backward");
    model.run = [=, last = model.last](const Sequence& x, State& state, Sequence&) {
        const Sequence f = run_part(forward, "forward", x, state);
        const Sequence b = run_part(backward, "backward", Sequence(x.rbegin(), x.rend()), state);
        if (last) return Sequence{readout(concatenated(f.back(), b.back()))};  // each at its own end
        Sequence y;
        for (size_t t = 0; t < x.size(); ++t) y.push_back(readout(concatenated(f[t], b[x.size() - 1 - t])));
        return y;
    };
    return model;
}

Model build(const std::string& name, const json& options, const Params& params) {
    static const std::map<std::string, Model (*)(Options&, const Params&)> models = {
        {"enrnn", enrnn},
        {"rnn", rnn},
        {"scornn", scornn},
        {"scurnn", scurnn},
        {"exprnn", exprnn},
        {"nnrnn", nnrnn},
        {"lstm", lstm},
        {"gru", gru},
        {"momentumrnn", momentumrnn},
        {"momentumlstm", momentumlstm},
        {"adamlstm", adamlstm},
        {"rmsproplstm", rmsproplstm},
        {"scheduledrestartlstm", scheduledrestartlstm},
        {"stacked", stacked},
        {"bidirectional", bidirectional},
    };
    const auto found = models.find(name);
    if (found == models.end()) throw Declined("the model " + name + " is not supported");
    Options checked(options);
    const Model model = found->second(checked, params);
    checked.finish();
    return model;
}

// -------------------------------------------------------------------------------------- 9 the line protocol

// JSON has no infinite numbers.
json as_json(double value) {
    if (std::isfinite(value)) return value;
    return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

json values(const Array& array) {
    json data = json::array();
    for (const Var& entry : array.data) data.push_back(as_json(entry.value));
    return {{"shape", array.shape}, {"data", data}};
}

json values(const Arrays& arrays) {
    json result = json::object();
    for (const auto& [name, array] : arrays) result[name] = values(array);
    return result;
}

json derivatives(const Array& array, const std::vector<double>& gradient) {
    json data = json::array();
    for (const Var& entry : array.data) data.push_back(as_json(gradient[entry.place]));
    return {{"shape", array.shape}, {"data", data}};
}

json derivatives(const Arrays& arrays, const std::vector<double>& gradient) {
    json result = json::object();
    for (const auto& [name, array] : arrays) result[name] = derivatives(array, gradient);
    return result;
}

void add_weights(Slopes& weights, const Array& array, const json& cotangent, const std::string& name) {
    const std::vector<double> given = numbers(cotangent, name, array.shape);
    for (size_t i = 0; i < given.size(); ++i) weights.emplace_back(array.data[i], given[i]);
}

// The last case defined: its variables, and its results as they stand on the tape.
struct Case {
    Arrays params, initial, final;
    Array x, y, h;
    bool has_h = false;

    explicit Case(const json& request);
    json evaluate() const;
    json gradients(const json& request) const;
};

// Row [.., i, ..] of width `width` at flat place `row`.
Vec row_of(const Array& array, size_t row, size_t width) { return slice(array.data, row * width, width); }

void append(Array& array, const Vec& row) { array.data.insert(array.data.end(), row.begin(), row.end()); }

Case::Case(const json& request) {
    tape.clear();
    const Params given(request.at("params"), params);
    const Model model = build(request.at("model").get<std::string>(), request.at("options"), given);
    for (const auto& [name, array] : request.at("params").items())
        if (params.count(name) == 0) throw Declined("the model has no parameter " + name);

    const std::vector<size_t> shape = request.at("x").at("shape").get<std::vector<size_t>>();
    if (shape.size() != 3 || shape[2] != model.inputs || shape[0] == 0) throw Declined("x is not [T, B, I] with T > 0");
    const size_t T = shape[0], B = shape[1];
    x = variables(request.at("x"), "x", shape);

    const json& state = request.at("state");
    if (!state.empty()) {
        if (state.size() != model.states.size()) throw Declined("the state is neither complete nor empty");
        for (const auto& [name, width] : model.states) {
            if (!state.contains(name)) throw Declined("the state " + name + " is missing");
            initial[name] = variables(state.at(name), "the state " + name, {B, width});
        }
    }

    std::vector<Sequence> ys, hs;
    for (const auto& [name, width] : model.states) final[name] = {{B, width}, {}};
    for (size_t b = 0; b < B; ++b) {
        State now;
        for (const auto& [name, width] : model.states) {
            const auto started = model.start.find(name);
            now[name] = started == model.start.end() ? Vec(width) : started->second;
            if (!initial.empty()) now[name] = row_of(initial.at(name), b, width);
        }
        Sequence inputs, hidden;
        for (size_t t = 0; t < T; ++t) inputs.push_back(row_of(x, t * B + b, model.inputs));
        ys.push_back(model.run(inputs, now, hidden));
        hs.push_back(hidden);
        for (const auto& [name, value] : now) append(final.at(name), value);
    }

    // Sequences were run one after the other; the arrays have time first.
    y.shape = model.last ? std::vector<size_t>{B, model.outputs} : std::vector<size_t>{T, B, model.outputs};
    for (size_t t = 0; t < (model.last ? 1 : T); ++t)
        for (size_t b = 0; b < B; ++b) append(y, ys[b][t]);
    has_h = model.has_h;
    if (!has_h) return;
    h.shape = {T + 1, B, model.states.at("h")};
    for (size_t t = 0; t <= T; ++t)
        for (size_t b = 0; b < B; ++b) append(h, hs[b][t]);
}

json Case::evaluate() const {
    json reply = {{"y", values(y)}, {"state", values(final)}};
    if (has_h) reply["h"] = values(h);
    return reply;
}

json Case::gradients(const json& request) const {
    Slopes weights;
    add_weights(weights, y, request.at("dy"), "dy");
    const json& dstate = request.at("dstate");
    if (dstate.size() != final.size()) throw Declined("dstate does not hold the final states");
    for (const auto& [name, array] : final) add_weights(weights, array, dstate.at(name), "dstate " + name);
    const std::vector<double> gradient = tape.sweep(weights);
    return {{"params", derivatives(params, gradient)},
            {"x", derivatives(x, gradient)},
            {"state", derivatives(initial, gradient)}};
}

json answer(const json& request, std::unique_ptr<Case>& current) {
    const std::string kind = request.at("kind").get<std::string>();
    if (kind == "start") {
        if (request.at("protocol") != 1) throw Declined("only version 1 of the protocol is known");
        return {{"name", "C++ example client"}, {"dtype", "float64"}};
    }
    if (kind == "define") {
        current.reset();
        current = std::make_unique<Case>(request);
        return json::object();
    }
    if (kind != "evaluate" && kind != "gradients") throw Declined("unknown kind of request: " + kind);
    if (!current) throw Declined("no case is defined");
    return kind == "evaluate" ? current->evaluate() : current->gradients(request);
}

}  // namespace

int main() {
    std::unique_ptr<Case> current;
    std::string line;
    while (std::getline(std::cin, line)) {
        const json request = json::parse(line, nullptr, false);
        if (!request.is_object() || !request.contains("id")) {
            std::cerr << "what came is no request: " << line.substr(0, 200) << '\n';
            return 1;
        }
        if (request.value("kind", json()) == "stop") return 0;
        json reply;
        try {
            reply = answer(request, current);
            reply["ok"] = true;
        } catch (const std::exception& error) {
            reply = {{"ok", false}, {"error", error.what()}};
            std::cerr << error.what() << '\n';
        }
        reply["id"] = request["id"];
        std::cout << reply.dump() << std::endl;
    }
    return 0;
}
