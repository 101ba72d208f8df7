"""The labelled equations of the chapter on two-layer networks."""

import itertools

import sympy
from identity_kinds import Asymptotic, Definition, Entry, Identity, Inequality, Random, Symbolic
from mpmath import diff, erfc, exp, findroot, log, lu_solve, matrix, mpf, quad, sqrt, workdps

# Networks, their loss and descent, from their definitions.


def sigma(z, rho):
    return z if z >= 0 else rho * z


def slope(z, rho):
    return mpf(1) if z >= 0 else mpf(rho)


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def inputs_of(W, X):
    return [[dot(w, x) for x in X] for w in W]


def signs_of(W):
    return [1] * (len(W) // 2) + [-1] * (len(W) // 2)


def margins(W, X, y, rho):
    m = len(W) // 2
    return [
        label * sum(s * sigma(dot(w, x), rho) for s, w in zip(signs_of(W), W, strict=True)) / m
        for x, label in zip(X, y, strict=True)
    ]


def pulls(q):
    return [1 / (1 + exp(value)) for value in q]


def mean_loss(W, X, y, rho):
    q = margins(W, X, y, rho)
    return sum(log(1 + exp(-value)) for value in q) / len(q)


def descended(W, X, y, rho, eta):
    """One step: the gradient by central differences of the loss."""
    return [
        [
            W[r][j]
            - eta
            * diff(
                lambda value, r=r, j=j: mean_loss(
                    [
                        [value if (a, b) == (r, j) else W[a][b] for b in range(len(W[0]))]
                        for a in range(len(W))
                    ],
                    X,
                    y,
                    rho,
                ),
                W[r][j],
            )
            for j in range(len(W[0]))
        ]
        for r in range(len(W))
    ]


def rows(random: Random, number: int, size: int):
    return [list(random.vector(size)) for _ in range(number)]


def network(random: Random, *, m=2, n=3, d=3):
    y = [1, -1, 1][:n]
    return rows(random, 2 * m, d), rows(random, n, d), y


def norm(entries):
    return sqrt(sum(value**2 for value in entries))


def step(random: Random):
    W, X, y = network(random)
    rho, eta, m, n = random.uniform(0.1, 0.9), random.uniform(0.1, 2), 2, 3
    numeric = descended(W, X, y, rho, eta)
    g = pulls(margins(W, X, y, rho))
    said = [
        [
            w[j]
            + eta
            / (n * m)
            * s
            * sum(g[i] * y[i] * slope(dot(w, X[i]), rho) * X[i][j] for i in range(n))
            for j in range(3)
        ]
        for s, w in zip(signs_of(W), W, strict=True)
    ]
    return numeric, said


# Data: C, and samples for which it is a given number.


def gram_with(random: Random, c, n, spread=1):
    """Squared norms from 1 to `spread`, inner products of random signs as large as C allows."""
    squares = [random.uniform(1, spread) for _ in range(n)]
    squares[0], squares[-1] = mpf(1), mpf(spread)
    gram = matrix(n, n)
    for i, k in itertools.combinations_with_replacement(range(n), 2):
        most = min(squares[i], squares[k]) / (n * c)
        gram[i, k] = gram[k, i] = squares[i] if i == k else random.sign() * most
    return gram


def orthogonality(gram):
    n = gram.rows
    return min(
        gram[i, i] / (n * max(abs(gram[i, k]) for k in range(n) if k != i)) for i in range(n)
    )


def kernel(gram, y, rho):
    n = gram.rows
    K = matrix(n, n)
    for i in range(n):
        for k in range(n):
            K[i, k] = gram[i, k] * (1 + rho**2 if y[i] == y[k] else -2 * rho)
    return K


def multipliers(gram, y, rho):
    return lu_solve(kernel(gram, y, rho), matrix([1] * gram.rows))


def gauss(n):
    """The mean of the largest of n(n − 1)/2 normal numbers, over 2√(log n)."""
    with workdps(12):
        pairs, top = n * (n - 1) / 2, 2 * sqrt(log(n))
        mean = quad(lambda u: 1 - (1 - erfc(u / sqrt(2))) ** pairs, [0, top / 2, top, 2 * top])
    return mean / top


def theorem_data(random: Random):
    """Slope, D, C and a Gram matrix on the edge of what the theorem on the pattern allows."""
    rho = random.uniform(0.05, 1)
    spread = random.uniform(1, 2)
    c = 4 * spread * max(12 * spread, 1 / rho)
    n = random.integer(2, 6)
    return rho, spread, c, gram_with(random, c, n, spread), [1, -1] * 3


def push(random: Random):
    """The least growth of an input in the labels' pattern, with everything against it."""
    rho, _spread, c, gram, y = theorem_data(random)
    n, i = gram.rows, 0
    g = [random.uniform(0.01, 0.5) for _ in range(n)]
    s = random.sign()
    change = sum(s * y[k] * (1 if s == y[k] else rho) * g[k] * gram[k, i] for k in range(n)) * (
        s * y[i]
    )
    bound = gram[i, i] * (rho * g[i] - max(g) / c)
    return bound, change


def push_worst(random: Random):
    """With every inner product against sample 0, all pulls equal, and many samples."""
    rho, n, c = random.uniform(0.05, 0.9), 400, mpf(50)
    g = random.uniform(0.1, 0.5)
    return g * (rho - 1 / c), rho * g - (n - 1) * g / (n * c)


def step_of_margins(random: Random):
    """In a frozen pattern that of the labels: margins after a step by the network, and by K."""
    _m, n, rho, h = 2, 3, random.uniform(0.1, 0.9), mpf("1e-12")
    X, y = [list(random.vector(4)) for _ in range(n)], [1, -1, 1]
    # Weights in the labels' pattern, by solving for inputs.
    gram = matrix([[dot(a, b) for b in X] for a in X])
    W = []
    for s in (1, 1, -1, -1):
        wanted = matrix([s * label * random.uniform(1, 2) for label in y])
        W.append([dot(lu_solve(gram, wanted), [x[j] for x in X]) for j in range(4)])
    g = pulls(margins(W, X, y, rho))
    after = [
        [
            w[j] + h * s * sum(g[i] * y[i] * slope(dot(w, X[i]), rho) * X[i][j] for i in range(n))
            for j in range(4)
        ]
        for s, w in zip(signs_of(W), W, strict=True)
    ]
    moved = [b - a for a, b in zip(margins(W, X, y, rho), margins(after, X, y, rho), strict=True)]
    K = kernel(gram, y, rho)
    return [value / h for value in moved], list(K * matrix(g))


def limit_rows(random: Random):
    """Margins of v± are all 1, and their norm is that of α."""
    rho, m = random.uniform(0.4, 0.9), random.integer(1, 4)
    X, y = [list(random.vector(5)) for _ in range(4)], [1, -1, 1, -1]
    for i in range(4):
        X[i][i] += 30  # far enough from each other that the pattern is consistent
    gram = matrix([[dot(a, b) for b in X] for a in X])
    alpha = multipliers(gram, y, rho)
    v = {
        s: [
            sum((1 if y[i] == s else -rho) * alpha[i] * X[i][j] for i in range(4)) for j in range(5)
        ]
        for s in (1, -1)
    }
    W = [v[1]] * m + [v[-1]] * m
    size = sqrt(sum(dot(w, w) for w in W))
    return [*margins(W, X, y, rho), 1 / size], [1] * 4 + [1 / sqrt(m * sum(alpha))]


def late_offsets(time):
    """e^{−b_i} of logistic descent on features with Gram matrix K/m, for one and two samples."""
    # In continuous time q' = (η/nm) K g, integrated for two coupled samples by steps in log t.
    K = [[mpf(2), mpf("0.3")], [mpf("0.3"), mpf(3)]]
    alpha = lu_solve(matrix(K), matrix([1, 1]))
    q, now = [mpf(0), mpf(0)], mpf(0)
    size = mpf("0.02")
    while now < log(time):

        def rate(q, now):
            g = pulls(q)
            return [exp(now) * (row[0] * g[0] + row[1] * g[1]) for row in K]

        first = rate(q, now)
        middle = rate([a + size / 2 * b for a, b in zip(q, first, strict=True)], now + size / 2)
        q = [a + size * b for a, b in zip(q, middle, strict=True)]
        now += size
    return exp(now - q[0]) / alpha[0]


def clock(count):
    """L·τ under steps η/L, from steps of the shares by the definition."""
    count = int(count)
    eta, K = mpf("0.4"), [[mpf(2), mpf("0.3")], [mpf("0.3"), mpf(3)]]
    alpha = lu_solve(matrix(K), matrix([1, 1]))
    q, tau = [mpf(0), mpf("0.2")], mpf(0)
    for _ in range(count):
        g, loss = pulls(q), sum(log(1 + exp(-value)) for value in q) / 2
        tau += eta / loss
        # n = 2, m = 1
        q = [a + eta / loss / 2 * dot(row, g) for a, row in zip(q, K, strict=True)]
    loss = sum(log(1 + exp(-value)) for value in q) / 2
    delta = eta / sum(alpha)
    return loss * tau * (exp(delta) - 1) / eta


def offdiagonal(random: Random):
    rho, spread, c, gram, y = theorem_data(random)
    n, y = gram.rows, y[: gram.rows]
    K, alpha = kernel(gram, y, rho), multipliers(gram, y, rho)
    off = [sum(abs(K[i, k] * alpha[k]) for k in range(n) if k != i) for i in range(n)]
    return max(off), spread / (c - 1)


def offdiagonal_nearest(random: Random):
    """All inner products of one sign and equal labels but many samples: nearly attained."""
    n, c = 300, mpf(60) + random.uniform(0, 10)
    # Equal norms 1, every product −1/(nC), one label: (1 + ρ²) cancels.
    off = mpf(n - 1) / (n * c)
    return off / (1 - off), 1 / (c - 1)


def best_slope(random: Random):
    rho, _spread, c, gram, y = theorem_data(random)
    n, y = gram.rows, y[: gram.rows]
    alpha = multipliers(gram, y, rho)
    ci = [random.uniform(rho, 1) if random.sign() > 0 else rho for _ in range(n)]
    i = 0
    against = alpha[i] * sum(
        (ci[k] if y[k] > 0 else -rho) * alpha[k] * gram[k, i] for k in range(n)
    )
    return alpha[i] * gram[i, i] * (rho * alpha[i] - max(alpha) / c), against


def best_derivative(random: Random):
    """Half the derivative of ‖v(c)‖² in c_i, by a difference."""
    rho, _, _, gram, y = theorem_data(random)
    n, y = gram.rows, y[: gram.rows]
    alpha = multipliers(gram, y, rho)
    c = [random.uniform(rho, 1) for _ in range(n)]

    def square(first):
        b = [alpha[k] * ((first if k == 0 else c[k]) if y[k] > 0 else -rho) for k in range(n)]
        return sum(b[i] * b[k] * gram[i, k] for i in range(n) for k in range(n))

    said = alpha[0] * sum(alpha[k] * (c[k] if y[k] > 0 else -rho) * gram[k, 0] for k in range(n))
    return diff(square, c[0]) / 2, said


def hyperplane(random: Random):
    """Least over largest y u·x, which bounds the quotient of the margins."""
    rho, spread, c, gram, y = theorem_data(random)
    n, y = gram.rows, y[: gram.rows]
    alpha = multipliers(gram, y, rho)
    outputs = [y[i] * sum(alpha[k] * y[k] * gram[k, i] for k in range(n)) for i in range(n)]
    return (c - 1 - 2 * spread) / (c - 1 + 2 * spread), min(outputs) / max(outputs)


def whole_rank(random: Random):
    """‖V‖² over its largest squared singular value, of rows v₊ and v₋ in the plane."""
    v, u, m = random.vector(3), random.vector(3), random.integer(1, 5)
    a, b, c = dot(v, v), dot(u, u), dot(v, u)
    largest = (a + b) / 2 + sqrt((a - b) ** 2 / 4 + c**2)
    # The largest eigenvalue of m(vvᵀ + uuᵀ), 3 × 3, as a root of its characteristic polynomial.
    M = matrix(3, 3)
    for i in range(3):
        for k in range(3):
            M[i, k] = m * (v[i] * v[k] + u[i] * u[k])

    def characteristic(x):
        A = M - x * matrix([[1, 0, 0], [0, 1, 0], [0, 0, 1]])
        return (
            A[0, 0] * (A[1, 1] * A[2, 2] - A[1, 2] * A[2, 1])
            - A[0, 1] * (A[1, 0] * A[2, 2] - A[1, 2] * A[2, 0])
            + A[0, 2] * (A[1, 0] * A[2, 1] - A[1, 1] * A[2, 0])
        )

    top = findroot(characteristic, m * (a + b), tol=mpf(10) ** -80)
    return m * (a + b) / top, (a + b) / largest


def balanced_rank() -> sympy.Expr:
    rho = sympy.Symbol("rho", positive=True)
    M = sympy.Matrix([[1 + rho**2, -2 * rho], [-2 * rho, 1 + rho**2]])
    return (
        M.trace() / (1 + rho) ** 2
        - 2 * (1 + rho**2) / (1 + rho) ** 2
        + (M.charpoly().as_expr().subs(M.charpoly().gen, (1 + rho) ** 2))
    )


def rate(scale):
    """(sr − 1)‖W‖² of rows T·v + E, over ‖E‖² − ‖Ev̂‖², for two rows in the plane."""
    v, e = [mpf(3), mpf(4)], [mpf("0.7"), mpf("-0.2")]
    W = [
        [scale * a + b for a, b in zip(v, e, strict=True)],
        [scale * a - b for a, b in zip(v, e, strict=True)],
    ]
    a = dot(W[0], W[0])
    b, c = dot(W[1], W[1]), dot(W[0], W[1])
    top = (a + b) / 2 + sqrt((a - b) ** 2 / 4 + c**2)
    off = 2 * (dot(e, e) - (dot(e, v) / norm(v)) ** 2)
    return ((a + b) / top - 1) * (a + b) / off


def own_input(random: Random):
    """Margins are 1: the own input is positive as long as the opposite one is above −1/ρ."""
    rho = random.uniform(0.05, 1)
    opposite = random.uniform(-2 / rho, 0)
    own = findroot(lambda z: z - rho * opposite - 1, 0)
    return [own, 1 if own > 0 else 0], [1 + rho * opposite, 1 if opposite > -1 / rho else 0]


def phase_threshold() -> sympy.Expr:
    """Where −ρ/(1+ρ²) + (1−ρ²)/(1+ρ²)·α₀S = 0, in units of the standard deviation of S."""
    rho, n, d, L = sympy.symbols("rho n d L", positive=True)  # L = log n
    S = sympy.Symbol("S")
    alpha = 1 / ((1 + rho**2) * d)
    (border,) = sympy.solve(-rho / (1 + rho**2) + (1 - rho**2) / (1 + rho**2) * alpha * S, S)
    chi = d * rho**2 / (n * L)
    return border / sympy.sqrt(n * d / 2) - (1 + rho**2) / (1 - rho**2) * sympy.sqrt(2 * chi * L)


def first_order_input() -> sympy.Expr:
    """v_{−y}·x to first order in the sums S, S′ of inner products."""
    rho, d, S, T = sympy.symbols("rho d S T", positive=True)
    alpha = 1 / ((1 + rho**2) * d)
    own = 1 / (1 + rho**2) - alpha * T + 2 * rho / (1 + rho**2) * alpha * S  # α_i‖x_i‖²
    said = -rho / (1 + rho**2) + (1 - rho**2) / (1 + rho**2) * alpha * S
    return -rho * own + alpha * (S - rho * T) - said


def start(random: Random):
    """A union of 2mn tails of the normal distribution against δ."""
    pairs, failure = random.integer(1, 500) * 2, random.log_uniform(1e-6, 0.5)
    u = sqrt(2 * log(pairs / failure))
    return pairs * erfc(u / sqrt(2)), failure


def start_nearest(random: Random):
    """The tail itself, P(|N| > u) ≤ e^{−u²/2}, near u = 0."""
    u = random.log_uniform(1e-4, 8)
    return erfc(u / sqrt(2)), exp(-(u**2) / 2)


# The convex problem with a pattern on own samples.


def concave_margins(W, X, y, rho, held):
    m, signs = len(W) // 2, signs_of(W)
    return [
        y[i]
        / mpf(m)
        * sum(
            s * (held[r][i] * dot(W[r], X[i]) if s == y[i] else sigma(dot(W[r], X[i]), rho))
            for r, s in enumerate(signs)
        )
        for i in range(len(X))
    ]


def supergradients(W, X, y, rho, held):
    m, signs = len(W) // 2, signs_of(W)
    return [
        [
            [
                y[i]
                * s
                / mpf(m)
                * (held[r][i] if s == y[i] else slope(dot(W[r], X[i]), rho))
                * value
                for value in X[i]
            ]
            for r, s in enumerate(signs)
        ]
        for i in range(len(X))
    ]


def flat(W):
    return [value for row in W for value in row]


def case(random: Random):
    W, X, y = network(random)
    rho = random.uniform(0, 1)
    held = [[random.uniform(0, 1) for _ in X] for _ in W]
    return W, X, y, rho, held


def homogeneous(random: Random):
    W, X, y, rho, held = case(random)
    xi = supergradients(W, X, y, rho, held)
    return [dot(flat(part), flat(W)) for part in xi], concave_margins(W, X, y, rho, held)


def superadditive(random: Random):
    W, X, y, rho, held = case(random)
    U = rows(random, 4, 3)
    if random.integer(0, 1):
        U = [[2 * a + b / 50 for a, b in zip(w, u, strict=True)] for w, u in zip(W, U, strict=True)]
    xi = supergradients(W, X, y, rho, held)
    return concave_margins(U, X, y, rho, held), [dot(flat(part), flat(U)) for part in xi]


def own_margin(random: Random):
    """With the network's own slopes the concave margins are its margins."""
    W, X, y = network(random)
    rho = random.uniform(0, 1)
    held = [[slope(dot(w, x), rho) for x in X] for w in W]
    return concave_margins(W, X, y, rho, held), margins(W, X, y, rho)


def weighted_pulls(random: Random):
    n = random.integer(1, 5)
    q = [random.uniform(-6, 6) if random.integer(0, 1) else random.uniform(0, 60) for _ in range(n)]
    g = pulls(q)
    return dot(g, q), (max(min(q), 0) + n) * sum(g)


def weighted_pulls_nearest(random: Random):
    q = [random.uniform(100, 400)]
    g = pulls(q)
    return dot(g, q), (q[0] + 1) * sum(g)


def growth(random: Random):
    """Orthonormal samples and one own-active neuron of either sign, where γ = √((1+ρ²)/n)."""
    n, rho, eta = 3, random.uniform(0, 1), random.log_uniform(0.1, 100)
    X, y = [[mpf(i == j) for j in range(n)] for i in range(n)], [1, -1, 1]
    size = random.log_uniform(0.1, 1e4)
    if random.integer(0, 1):
        W = [[size * (1 if s == label else -rho) for label in y] for s in (1, -1)]
    else:
        W = [[size * value for value in row] for row in rows(random, 2, n)]
    held = [[1] * n] * 2
    q = concave_margins(W, X, y, rho, held)
    g, xi = pulls(q), supergradients(W, X, y, rho, held)
    moved = [
        w + eta / n * sum(g[i] * flat(xi[i])[k] for i in range(n)) for k, w in enumerate(flat(W))
    ]
    s, b = eta / n * sum(g), sqrt(mpf(2))
    gamma, length = sqrt((1 + rho**2) / n), norm(flat(W))
    return dot(moved, moved), (length + gamma * s) ** 2 + 2 * (n + eta * b**2 / 2) * s


# ReLU on nearly orthogonal data.


def relu_data(random: Random):
    spread, share = random.uniform(1, 2), random.uniform(0.2, 1)
    c = 48 * spread**2 / share**2
    n = random.integer(2, 6)
    return spread, share, c, gram_with(random, c, n, spread)


def relu_push(random: Random):
    """An active own input, and minus an opposite one, with any activity elsewhere."""
    _, _, c, gram = relu_data(random)
    n = gram.rows
    g = [random.uniform(0.1, 0.5) for _ in range(n)]
    y = [random.sign() for _ in range(n)]
    change = gram[0, 0] * g[0] + sum(
        random.integer(0, 1) * y[0] * y[k] * g[k] * gram[k, 0] for k in range(1, n)
    )
    return gram[0, 0] * (g[0] - max(g) / c), change


def relu_growth(random: Random):
    """Growth of the own part over h between its bounds, for a random number of active neurons."""
    _, share, c, gram = relu_data(random)
    n, m = gram.rows, 20
    active = random.integer(int(m * share) + 1, m) if share < 0.99 else m
    g = [random.uniform(0.2, 0.5) for _ in range(n)]
    gain = mpf(0)
    for r in range(m):
        push = gram[0, 0] * g[0] if r < active else mpf(0)
        push += sum(random.integer(0, 1) * random.sign() * g[k] * gram[k, 0] for k in range(1, n))
        # An inactive neuron starts at its kink at best.
        gain += push if r < active else max(push, 0)
    gain /= m
    low = share * gram[0, 0] * (g[0] - max(g) / c)
    high = gram[0, 0] * (g[0] + max(g) / c)
    return [low, gain], [gain, high]


def relu_gap(random: Random):
    """The bounds on growth put together, pulls within the factor 6D/b."""
    spread, share = random.uniform(1, 3), random.uniform(0.1, 1)
    c, most = 48 * spread**2 / share**2, 6 * spread / share
    gk = random.log_uniform(1e-3, 0.08)
    gi = gk * random.log_uniform(1e-3, 1)
    top = most * gk if random.integer(0, 1) else gk
    left = spread * (gi + top / c) - share * (gk - top / c)
    return left, spread * gi - mpf(3) / 4 * share * gk


def relu_gap_nearest(random: Random):
    """At D = b = 1 and the largest pull allowed it is attained."""
    gk = random.uniform(0.01, 0.08)
    gi = gk * random.uniform(0.1, 1)
    return gi + 6 * gk / 48 - (gk - 6 * gk / 48), gi - mpf(3) / 4 * gk


def gap_constants(_: Random):
    """(8/3)·e^{1/8 + max g} against 5.15, and 5.15·e^{1/8} against 6."""
    pull = 1 / (1 + exp(-mpf(1) / 8))
    first = mpf(8) / 3 * exp(mpf(1) / 8 + pull)
    return [pull, first, mpf("5.15") * exp(mpf(1) / 8)], [mpf("0.54"), mpf("5.15"), mpf(6)]


def pattern_constants(_: Random):
    """Constants of the proof on the labels' pattern, at its worst ρ."""
    low = 1 / (1 + exp(mpf(1) / 4))
    high = 1 / (1 + exp(-mpf(1) / 4))
    return (
        [
            mpf("0.43"),
            high,
            mpf("0.25"),
            mpf("0.57") * 49 / 48,
            mpf(1) / 4 + mpf("0.72"),
            # (1 + ρ)·0.59/(1 + ρ²) is largest at ρ = √2 − 1.
            mpf("0.59") * sqrt(2) / (1 + (sqrt(2) - 1) ** 2),
            exp(mpf(1) / 2) * (mpf(12) / 5 - 1),
        ],
        [
            low,
            mpf("0.57"),
            mpf("0.43") * (1 - exp(mpf(1) / 2) / 4),
            mpf("0.59"),
            log(4),
            mpf("0.72"),
            mpf(4),
        ],
    )


def pull_constants(_: Random):
    """The largest q/(1 + e^q) against 0.28, and e^{q}/(1 + e^{q}) at −1/8 against 0.46."""
    top = findroot(lambda q: diff(lambda z: z / (1 + exp(z)), q), 1.2)
    return [top / (1 + exp(top)), mpf("0.46")], [mpf("0.28"), 1 / (1 + exp(mpf(1) / 8))]


def relu_late(time):
    """t·L of one own-active sample, stepped: b = 1, R = D = 1, and 1 − b/8 is for the others."""
    steps, q, h = int(time), mpf(0), mpf("0.5")
    for _ in range(steps):
        q += h / (1 + exp(q))
    return time * log(1 + exp(-q)) * h


def relu_late_factor(random: Random):
    """Growth loses the share G/C of the pull, which is b/8 at D = 1."""
    spread, share = 1 + random.integer(0, 1) * random.uniform(0, 2), random.uniform(0.1, 1)
    c, most = 48 * spread**2 / share**2, 6 * spread / share
    return 1 / (1 - most / c), 1 / (1 - share / 8)


def rank_bound(random: Random):
    """The quotient of both norms at their bounds, C at its least, against the statement."""
    spread, share = random.uniform(1, 3), random.uniform(0.1, 1)
    c = 48 * spread**2 / share**2
    most = 6 * spread / share
    plus, minus = random.integer(1, 9), random.integer(1, 9)
    beta = [random.uniform(share, 1) for _ in range(plus)]
    omega = [random.uniform(1, most) for _ in range(plus)]
    if random.integer(0, 1):
        beta, omega = [share] * plus, [1] * plus
    top = most if random.integer(0, 1) else max(omega)
    frobenius = (
        spread
        * (1 + 1 / c)
        * (sum(b * w**2 for b, w in zip(beta, omega, strict=True)) + minus / c**2 * top**2)
    )
    spectral = (1 - 1 / c) * sum(b**2 * w**2 for b, w in zip(beta, omega, strict=True))
    bound = spread * (c + 1) / (c - 1) * (1 / share + mpf(minus) / (64 * plus))
    return frobenius / spectral, bound


ENTRIES: dict[str, Entry] = {
    "eq-two-net": Definition("the network"),
    "eq-two-loss": Definition("the loss, a mean"),
    "eq-two-step": Identity(step, draws=3, digits=15),
    "eq-two-c": Definition("the orthogonality C of samples"),
    "eq-two-gauss": Asymptotic(gauss, scales=(10, 1000, 10**5), tolerance=0.08),
    "eq-two-hypotheses": Definition("what the theorem on the pattern asks"),
    "eq-two-push": Inequality(push, nearness=0.1, draws=80),
    "eq-two-push: nearly attained": Inequality(push_worst, nearness=0.01),
    "thm-two-pattern: constants": Inequality(pattern_constants, nearness=0.02, draws=1),
    "eq-two-start": Inequality(start, nearness=0.9),
    "eq-two-start: the tail": Inequality(start_nearest, nearness=0.001),
    "eq-two-kernel": Identity(step_of_margins, draws=5, digits=25),
    "eq-two-system": Asymptotic(late_offsets, scales=(20, 100, 1000), tolerance=0.01),
    "eq-two-v": Identity(limit_rows, draws=5),
    "eq-two-alpha": Inequality(offdiagonal, nearness=0.6),
    "eq-two-alpha: nearly attained": Inequality(offdiagonal_nearest, nearness=0.01),
    "eq-two-clock": Asymptotic(clock, scales=(10, 40, 160), tolerance=1e-6),
    "eq-two-best": Inequality(best_slope, nearness=0.1),
    "eq-two-best: derivative": Identity(best_derivative, draws=5, digits=15),
    "eq-two-svm": Inequality(hyperplane, nearness=0.1),
    "eq-two-rate": Asymptotic(rate, scales=(1, 10, 100), tolerance=1e-4),
    "eq-two-whole": Identity(whole_rank, draws=5),
    "thm-two-rank: balanced orthogonal samples": Symbolic(balanced_rank),
    "eq-two-consistent": Identity(own_input),
    "eq-two-phase": Symbolic(phase_threshold),
    "eq-two-phase: to first order": Symbolic(first_order_input),
    "eq-two-own-margin": Identity(own_margin, draws=5),
    "eq-two-own": Definition("the problem with a given pattern on own samples"),
    "eq-two-super": Inequality(superadditive, nearness=1e-30),
    "eq-two-super: homogeneous": Identity(homogeneous, draws=5),
    "eq-two-pulls": Inequality(weighted_pulls, nearness=0.1),
    "eq-two-pulls: nearly attained": Inequality(weighted_pulls_nearest, nearness=0.01),
    "thm-two-own: constants": Inequality(pull_constants, nearness=0.02, draws=1),
    "eq-two-growth": Inequality(growth, nearness=0.01),
    "eq-two-slide": Definition("the problem of neurons that slide"),
    "eq-two-relu-push": Inequality(relu_push, nearness=0.01),
    "eq-two-relu-hypotheses": Definition("what the theorem on ReLU networks asks"),
    "eq-two-relu-growth": Inequality(relu_growth, nearness=0.02),
    "eq-two-relu-gap": Inequality(relu_gap, nearness=0.1),
    "eq-two-relu-gap: attained": Inequality(relu_gap_nearest, nearness=1e-20),
    "lem-two-gap: constants": Inequality(gap_constants, nearness=0.005, draws=1),
    "eq-two-relu-loss": Asymptotic(relu_late, scales=(30, 300, 3000), tolerance=0.01),
    "eq-two-relu-loss: the factor": Inequality(relu_late_factor, nearness=1e-20),
    "eq-two-relu-rank": Inequality(rank_bound, nearness=0.02),
}
