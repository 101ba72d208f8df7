"""Labelled equations of the chapter on homogeneous networks, at 50 digits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mpmath as mp
from identity_kinds import Asymptotic, Definition, Entry, Identity, Inequality, Random

Vector = list[mp.mpf]


def dot(a: Sequence, b: Sequence) -> mp.mpf:
    return mp.fsum(x * y for x, y in zip(a, b, strict=True))


def norm(a: Sequence) -> mp.mpf:
    return mp.sqrt(dot(a, a))


def unit(a: Sequence) -> Vector:
    size = norm(a)
    return [x / size for x in a]


def plus(a: Sequence, b: Sequence, factor: mp.mpf = 1) -> Vector:
    return [x + factor * y for x, y in zip(a, b, strict=True)]


def gradient(f: Callable[[Vector], mp.mpf], at: Vector) -> Vector:
    """Difference quotients: at 150 digits, so that 50 are left."""
    with mp.workdps(150):
        h, found = mp.mpf(10) ** -50, []
        for i in range(len(at)):
            up, down = list(at), list(at)
            up[i] += h
            down[i] -= h
            found.append((f(up) - f(down)) / (2 * h))
    return [+x for x in found]


def along(f: Callable[[Vector], mp.mpf], at: Vector, way: Vector) -> mp.mpf:
    """The derivative of f along a way."""
    return gradient(lambda s: f(plus(at, way, s[0])), [mp.mpf(0)])[0]


def exponential(q: Sequence) -> mp.mpf:
    return mp.fsum(mp.exp(-one) for one in q)


def logistic(q: Sequence) -> mp.mpf:
    return mp.fsum(mp.log1p(mp.exp(-one)) for one in q)


def single(loss: Callable, value: mp.mpf) -> mp.mpf:
    """The margin at which a single sample has this loss."""
    return -mp.log(value) if loss is exponential else -mp.log(mp.expm1(value))


@dataclass
class Case:
    """A network of order `order` at θ, all margins positive, 𝓛 < ℓ(0)."""

    margins: Callable[[Vector], Vector]
    theta: Vector
    order: int
    loss: Callable[[Sequence], mp.mpf]

    def total(self, theta: Vector) -> mp.mpf:
        return self.loss(self.margins(theta))

    def smoothed(self, theta: Vector) -> mp.mpf:
        return single(self.loss, self.total(theta)) / norm(theta) ** self.order

    @property
    def push(self) -> Vector:
        """−∇𝓛."""
        return [-x for x in gradient(self.total, self.theta)]

    @property
    def nu(self) -> mp.mpf:
        return dot(self.theta, self.push) / self.order

    @property
    def h(self) -> mp.mpf:
        """f′(q̄)q̄ with f = −log ℓ, at the margin of a single sample with this loss."""
        q = single(self.loss, self.total(self.theta))
        slope = gradient(lambda at: -mp.log(self.loss(at)), [q])[0]
        return slope * q

    @property
    def speeds(self) -> tuple[mp.mpf, mp.mpf]:
        """d log ρ/dt and ‖dθ̂/dt‖."""
        push = self.push
        turn = [
            along(lambda at, i=i: at[i] / norm(at), self.theta, push)
            for i in range(len(self.theta))
        ]
        return along(lambda at: mp.log(norm(at)), self.theta, push), norm(turn)


def products(random: Random, samples: int) -> tuple[Callable[[Vector], Vector], Vector, int]:
    """Return Σ aᵢ⟨wᵢ, x⟩² at two neurons, with labels that make all margins positive."""
    inputs = [[random.uniform(-1, 1) for _ in range(2)] for _ in range(samples)]
    theta = [random.uniform(-1, 1) for _ in range(6)]

    def outputs(at: Vector) -> Vector:
        return [at[0] * max(dot(at[1:3], x), 0) ** 2 + at[3] * dot(at[4:6], x) ** 2 for x in inputs]

    labels = [mp.sign(one) for one in outputs(theta)]
    return (lambda at: [y * one for y, one in zip(labels, outputs(at), strict=True)]), theta, 3


def linear(random: Random, samples: int) -> tuple[Callable[[Vector], Vector], Vector, int]:
    """Return ⟨w, z⟩."""
    theta = [random.uniform(-1, 1) for _ in range(3)]
    rows = [[random.uniform(-1, 1) for _ in range(3)] for _ in range(samples)]
    rows = [[mp.sign(dot(z, theta)) * x for x in z] for z in rows]
    return (lambda at: [dot(z, at) for z in rows]), theta, 1


def case(
    random: Random, *, losses: Sequence = (exponential, logistic), most: int = 3, aligned: int = 0
) -> Case:
    """Draw a network with up to `most` samples; one in `aligned` has θ along ∇q of one sample."""
    samples = random.integer(1, most)
    if aligned and random.integer(1, aligned) == 1:
        # a·b² with b² = 2a²: θ is an eigenvector, and there is one sample.
        scale = random.uniform(0.5, 2)
        margins, theta, order = (lambda at: [at[0] * at[1] ** 2]), [scale, scale * mp.sqrt(2)], 3
    else:
        margins, theta, order = (products, linear)[random.integer(0, 1)](random, samples)
    loss = losses[random.integer(0, len(losses) - 1)]
    # Large enough that the loss is below that of one sample at margin 0.
    factor = ((random.uniform(1, 4) + mp.log(3)) / min(margins(theta))) ** (mp.mpf(1) / order)
    return Case(margins, [factor * x for x in theta], order, loss)


def euler(random: Random):
    one = case(random)
    q = one.margins(one.theta)
    return [
        dot(one.theta, gradient(lambda at, j=j: one.margins(at)[j], one.theta))
        for j in range(len(q))
    ], [one.order * x for x in q]


def nu(random: Random):
    one = case(random, losses=(exponential,))
    return mp.fsum(mp.exp(-q) * q for q in one.margins(one.theta)), one.nu


def normalized(random: Random):
    one = case(random)
    return (
        min(one.margins(one.theta)) / norm(one.theta) ** one.order,
        min(one.margins(unit(one.theta))),
    )


def sandwich(random: Random):
    n = random.integer(2, 4)
    # Sometimes one margin is alone, sometimes they are nearly equal.
    apart = random.log_uniform(1e-12, 1e3)
    q = [3 + apart * random.uniform(0, 1) for _ in range(n)]
    low = -mp.log(exponential(q))
    return low, min(q), low + mp.log(n)


def separable_plane(random: Random, samples: int = 3) -> list[Vector]:
    angles = [random.uniform(-1.2, 1.2) for _ in range(samples)]
    return [[r * mp.cos(a), r * mp.sin(a)] for a in angles if (r := random.uniform(0.5, 2))]


def normal_solution(rows: list[Vector]) -> tuple[Vector, Vector]:
    """Return ŵ and multipliers by trying all sets of at most two support vectors."""
    for i, z in enumerate(rows):
        w = [x / dot(z, z) for x in z]
        if all(dot(w, other) >= 1 - mp.mpf(10) ** -40 for other in rows):
            return w, [1 / dot(z, z) if j == i else mp.mpf(0) for j in range(len(rows))]
    for i, a in enumerate(rows):
        for j, b in enumerate(rows[:i]):
            gram = mp.matrix([[dot(a, a), dot(a, b)], [dot(a, b), dot(b, b)]])
            lam = mp.lu_solve(gram, mp.matrix([1, 1]))
            w = [lam[0] * x + lam[1] * y for x, y in zip(a, b, strict=True)]
            if min(lam) >= 0 and all(dot(w, z) >= 1 - mp.mpf(10) ** -40 for z in rows):
                found = [mp.mpf(0)] * len(rows)
                found[i], found[j] = lam[0], lam[1]
                return w, found
    raise AssertionError("no normal solution")


def svm(random: Random):
    rows = separable_plane(random)
    # The margin as a function of the angle is largest at a sample, or where two are equal.
    ways = [unit(z) for z in rows]
    for i, a in enumerate(rows):
        for b in rows[:i]:
            across = [a[1] - b[1], b[0] - a[0]]
            ways += [unit(across), unit([-x for x in across])]
    gamma = max(min(dot(z, u) for z in rows) for u in ways)
    w, lam = normal_solution(rows)
    return [norm(w), mp.fsum(lam)], [1 / gamma, 1 / gamma**2]


# Orthogonal samples z₁, z₂: each ⟨z, w⟩ has a flow of its own, d⟨z, w⟩/dt = ‖z‖²e^(−⟨z, w⟩), and
# e^⟨z, w⟩ grows linearly.
SQUARES = [mp.mpf(2), mp.mpf("0.7")]
BEGINNINGS = [mp.mpf("0.3"), mp.mpf(-1)]


def orthogonal_margins(log_t: mp.mpf) -> Vector:
    return [log_t + mp.log(s + mp.exp(b - log_t)) for s, b in zip(SQUARES, BEGINNINGS, strict=True)]


def orthogonal_norm(q: Vector) -> mp.mpf:
    return mp.sqrt(mp.fsum(x**2 / s for x, s in zip(q, SQUARES, strict=True)))


GAMMA = 1 / mp.sqrt(mp.fsum(1 / s for s in SQUARES))
WEIGHTS = [GAMMA**2 / s for s in SQUARES]


def offset_left(log_t: mp.mpf) -> mp.mpf:
    # ŵ has multipliers 1/‖z‖², so that ⟨z, ω⟩ = log ‖z‖²; both by solving the equation for ω.
    omega = [mp.findroot(lambda v, s=s: mp.exp(-v) - 1 / s, 0) for s in SQUARES]
    left = [q - log_t for q in orthogonal_margins(log_t)]
    return orthogonal_norm(left) / orthogonal_norm(omega)


def loss_in_time(log_t: mp.mpf) -> mp.mpf:
    return mp.exp(log_t + mp.log(exponential(orthogonal_margins(log_t)))) * GAMMA**2


def gap(log_t: mp.mpf) -> mp.mpf:
    q = orthogonal_margins(log_t)
    limit = mp.fsum(p * mp.log(max(WEIGHTS) / p) for p in WEIGHTS)
    return (1 - min(q) / orthogonal_norm(q) / GAMMA) * log_t / limit


def smoothed_gap(log_t: mp.mpf) -> mp.mpf:
    q = orthogonal_margins(log_t)
    limit = -mp.fsum(p * mp.log(p) for p in WEIGHTS)
    return (1 + mp.log(exponential(q)) / orthogonal_norm(q) / GAMMA) * log_t / limit


def logistic_slope(random: Random):
    q = random.uniform(-3, 6)
    found = gradient(lambda at: -mp.log(mp.log1p(mp.exp(-at[0]))), [q])[0]
    return found, 1 / ((1 + mp.exp(q)) * mp.log1p(mp.exp(-q)))


def smoothed(random: Random):
    one = case(random, losses=(logistic,))
    found = mp.findroot(
        lambda v: mp.log1p(mp.exp(-v)) - one.total(one.theta),
        single(exponential, one.total(one.theta)),
    )
    return found / norm(one.theta) ** one.order, one.smoothed(one.theta)


def climbs(random: Random):
    one = case(random)
    growing, turning = one.speeds
    climb = along(lambda at: mp.log(one.smoothed(at)), one.theta, one.push)
    return one.order * turning**2 / growing, climb


def nu_bound(random: Random):
    one = case(random)
    return one.total(one.theta) * one.h, one.nu


def growth(random: Random):
    one = case(random)
    growing, turning = one.speeds
    climb = along(lambda at: mp.log(one.smoothed(at)), one.theta, one.push)
    more = one.nu / (one.total(one.theta) * one.h) - 1
    bound = one.order * turning**2 / growing
    return climb, bound + more * (one.order * growing + bound)


def entropy(random: Random):
    one = case(random, losses=(exponential,))
    q, total = one.margins(one.theta), one.total(one.theta)
    p = [mp.exp(-x) / total for x in q]
    return one.nu / total, -mp.log(total) - mp.fsum(x * mp.log(x) for x in p)


def beta(random: Random):
    one = case(random)
    growing, turning = one.speeds
    cosine = dot(unit(one.theta), unit(one.push))
    return turning / growing, mp.sqrt(cosine**-2 - 1)


def budget(random: Random):
    # q = ab² of n equal samples: b² − 2a² = k is conserved, and a runs from one end to the other.
    n, k = random.integer(1, 3), random.log_uniform(1e-2, 10)
    ends = sorted(random.uniform(1.5, 4) for _ in range(2))

    def at(a: mp.mpf) -> tuple[mp.mpf, mp.mpf, mp.mpf]:
        b = mp.sqrt(k + 2 * a * a)
        return b, mp.hypot(a, b), a * b * b

    def spent(a: mp.mpf) -> mp.mpf:
        b, rho, _ = at(a)
        # −∇𝓛 is along (b², 2ab), and da : db = b² : 2ab.
        cosine = 3 * a * b * b / rho / mp.hypot(b * b, 2 * a * b)
        return (cosine**-2 - 1) * (a + 2 * a) / rho**2

    def smooth(a: mp.mpf) -> mp.mpf:
        _, rho, q = at(a)
        return (q - mp.log(n)) / rho**3

    return mp.quad(spent, ends), mp.log(smooth(ends[1]) / smooth(ends[0])) / 3


def speed(random: Random):
    one = case(random, losses=(exponential,), aligned=4)
    u, L = -mp.log(one.total(one.theta)), one.order
    left = along(lambda at: 1 / one.total(at), one.theta, one.push)
    low = L**2 * one.smoothed(one.theta) ** (mp.mpf(2) / L) * u ** (2 - mp.mpf(2) / L)
    return low, left


def sharp(order: int) -> Callable[[mp.mpf], mp.mpf]:
    power, margin = 2 - mp.mpf(2) / order, mp.mpf("0.3")

    def ratio(u: mp.mpf) -> mp.mpf:
        # Φ = γ̄ρ^L with one sample: dρ/dt = Lγ̄ρ^(L−1)e^(−u) with u = γ̄ρ^L, and t = ∫ dt/du du; as
        # u runs to u − x, x from 0 up, 𝓛t is an integral of e^(−x).
        def weight(x: mp.mpf) -> mp.mpf:
            rho = ((u - x) / margin) ** (mp.mpf(1) / order)
            return mp.exp(-x) / (order * margin * rho ** (order - 1)) ** 2

        with mp.workdps(20):
            time = mp.quad(weight, [0, 1, 5, 20, 60])
        return order**2 * margin ** (mp.mpf(2) / order) * time * u**power

    return ratio


def residual(random: Random):
    one = case(random, losses=(exponential,))
    L, theta, q = one.order, one.theta, one.margins(one.theta)
    least, rho, push = min(q), norm(theta), one.push
    lam = [least ** (1 - mp.mpf(2) / L) * rho / norm(push) * mp.exp(-x) for x in q]
    here = [x * least ** (-mp.mpf(1) / L) for x in theta]
    slopes = [gradient(lambda at, j=j: one.margins(at)[j], here) for j in range(len(q))]
    left = list(here)
    for weight, slope in zip(lam, slopes, strict=True):
        left = plus(left, slope, -weight)
    cosine = dot(unit(theta), unit(push))
    bar = least / rho**L
    # Squared: a residual near 0 keeps its digits.
    return dot(left, left), 2 * (1 - cosine) * bar ** (-mp.mpf(2) / L)


def complementarity(random: Random):
    if random.integer(1, 4) == 1:
        # The pair that the bound is sharpest for: one margin is the other and 1, along ŵ.
        size = random.log_uniform(10, 1e4)
        one = Case(lambda at: list(at), [size, size + 1], 1, exponential)
    else:
        one = case(random, losses=(exponential,))
    L, q = one.order, one.margins(one.theta)
    least, rho = min(q), norm(one.theta)
    lam = [least ** (1 - mp.mpf(2) / L) * rho / norm(one.push) * mp.exp(-x) for x in q]
    delta = mp.fsum(a * (x / least - 1) for a, x in zip(lam, q, strict=True))
    u = -mp.log(one.total(one.theta))
    bar = least / rho**L
    return delta, (len(q) - 1) / (mp.e * L * bar ** (mp.mpf(2) / L) * u)


def tangent(random: Random):
    # Two neurons, samples (r, 0) and (0, s): each neuron for one, b² = 2a² and ab²r² = 1.
    lengths = [random.uniform(0.5, 2) for _ in range(2)]
    theta, rows = [], []
    for i, r in enumerate(lengths):
        a = (2 * r * r) ** (-mp.mpf(1) / 3)
        b = mp.sqrt(2) * a
        theta += [a, b]
        row = [mp.mpf(0)] * 4
        row[2 * i : 2 * i + 2] = [b * b * r * r, 2 * a * b * r * r]
        rows.append(row)
    # The least v with ⟨row, v⟩ ≥ 3, by its dual: both constraints are active, as multipliers show.
    gram = mp.matrix([[dot(a, b) for b in rows] for a in rows])
    lam = mp.lu_solve(gram, mp.matrix([3, 3]))
    assert min(lam) > 0
    v = [lam[0] * x + lam[1] * y for x, y in zip(*rows, strict=True)]
    return v, theta


def modified(random: Random):
    L, u0 = random.integer(1, 5), random.uniform(2, 8)
    u, rho = u0 * random.uniform(1, 50), random.uniform(0.5, 5)
    # log u less what steps with the share μ of waste may lose from here to the end.
    # With v = u/x the way to infinity is that of x to 0, and dv = v²/u dx.
    spent = mp.quad(
        lambda x: 2 * (u0 / (2 * (v := u / x))) * (1 + 1 / (L * v)) / v * v**2 / u, [0, 1]
    )
    closed = u / rho**L * mp.exp(-u0 * (1 / u + 1 / (2 * L * u * u)))
    return mp.exp(mp.log(u) - spent) / rho**L, closed


def phi(random: Random):
    L, u0 = random.integer(1, 5), random.uniform(2, 8)
    u = u0 * random.uniform(1, 20)
    found = gradient(lambda at: mp.log(at[0]) - u0 * (1 / at[0] + 1 / (2 * L * at[0] ** 2)), [u])[0]
    return found, 1 / u + u0 / u**2 + u0 / (L * u**3)


def convex_in_the_loss(random: Random):
    L, u0 = random.integer(1, 5), random.uniform(2, 6)
    u = u0 * random.uniform(1, 3)

    def modified_of(loss: Vector) -> mp.mpf:
        v = -mp.log(loss[0])
        return mp.log(v) - u0 * (1 / v + 1 / (2 * L * v * v))

    loss = mp.exp(-u)
    with mp.workdps(120):
        h = loss * mp.mpf(10) ** -40
        second = (
            modified_of([loss + h]) - 2 * modified_of([loss]) + modified_of([loss - h])
        ) / h**2
    found = second * loss**2 * u**4
    return found, u**3 + (u0 - 1) * u**2 - (2 - mp.mpf(1) / L) * u0 * u - 3 * u0 / L


def convexity_is_positive(random: Random):
    L, u0 = random.integer(1, 5), 2 + random.log_uniform(1e-4, 1)
    u = u0 * (1 + random.log_uniform(1e-4, 1))
    # At u = u₀ = 2 what is left of u₀(…) is 4 − 2/L, and nowhere is it less.
    return 4 - mp.mpf(2) / L, u**3 + (u0 - 1) * u**2 - (2 - mp.mpf(1) / L) * u0 * u - 3 * u0 / L


def enough(random: Random):
    L, u0 = random.integer(1, 5), random.uniform(2, 8)
    u = u0 * random.log_uniform(1, 1e6)
    mu = u0 / (2 * u)
    return (1 / u + mu / (L * u * u)) / (1 - mu), 1 / u + u0 / u**2 + u0 / (L * u**3)


def condition(random: Random):
    # One sample, q = sρ^L on a line: the curvature of 𝓛 is at most 2Cκ where the step begins.
    L, s = random.integer(1, 4), random.log_uniform(0.1, 10)
    u0 = random.log_uniform(2, 1e3)
    rho = (u0 / s) ** (mp.mpf(1) / L)
    first, second = L * s, L * (L - 1) * s
    start = s * mp.exp(-(1 + 1 / (2 * L * u0)))
    constant = (first**2 + second / rho**L) / 2 * start ** (-2 + mp.mpf(2) / L)
    kappa = mp.exp(-u0) * u0 ** (2 - mp.mpf(2) / L)
    with mp.workdps(120):
        h = rho * mp.mpf(10) ** -40

        def total(at: mp.mpf) -> mp.mpf:
            return mp.exp(u0 - s * at**L)

        curvature = abs(total(rho + h) - 2 * total(rho) + total(rho - h)) / h**2 * mp.exp(-u0)
    return curvature, 2 * constant * kappa


def cycle(random: Random):
    g = random.uniform(1.2, 1.6)
    samples, order = [[3, -1], [1, 2]], [0, 1, 1]
    w, alpha = [mp.mpf(0)] * 2, mp.mpf(1)
    for k in range(330):
        w, alpha = plus(w, samples[order[k % 3]], alpha), alpha * g
    last = [samples[order[(329 - i) % 3]] for i in range(3)]
    total = plus(plus(last[0], last[1], 1 / g), last[2], g**-2)
    share = [x * g**329 / (1 - g**-3) for x in total]
    return [*unit(w), norm(w)], [*unit(total), norm(share)]


def deep_gap(order: int) -> Callable[[mp.mpf], mp.mpf]:
    left = mp.mpf("0.8")  # Σm

    def ratio(log_t: mp.mpf) -> mp.mpf:
        q = orthogonal_margins(log_t)
        size = orthogonal_norm(q)
        square = order * size ** (mp.mpf(2) / order) + left
        bar = min(q) / square ** (mp.mpf(order) / 2)
        linear_part = mp.fsum(p * mp.log(max(WEIGHTS) / p) for p in WEIGHTS) / (GAMMA * size)
        predicted = left / 2 * size ** (-mp.mpf(2) / order) + linear_part
        return (1 - bar * order ** (mp.mpf(order) / 2) / GAMMA) / predicted

    return ratio


def exclusive_or(random: Random):
    angle = random.uniform(0, 2 * mp.pi)
    points = [((1, 1), 1), ((-1, -1), 1), ((1, -1), -1), ((-1, 1), -1)]
    u = [mp.cos(angle), mp.sin(angle)]
    value = mp.fsum(y * max(dot(u, x), 0) for x, y in points) / 4
    return abs(value) / 2, abs(abs(u[0] + u[1]) - abs(u[0] - u[1])) / 8


def exclusive_or_bound(random: Random):
    angle = mp.pi / 4 + random.log_uniform(1e-9, 1)
    u = [mp.cos(angle), mp.sin(angle)]
    return abs(abs(u[0] + u[1]) - abs(u[0] - u[1])) / 8, mp.sqrt(2) / 8


def lipschitz(random: Random):
    # A row of pixels, windows of three with the weights (a, b, a), then a linear layer along the
    # direction that is stretched most; its eigenvalues are b + 2a cos.
    pixels = random.integer(3, 60)
    b = random.uniform(0.2, 2)
    a = b if random.integer(0, 1) else random.uniform(-2, 2)
    c = random.uniform(0.2, 2) if random.integer(0, 1) else mp.sqrt(2 * a * a + b * b)
    way = mp.pi / (pixels + 1)
    stretch = max(abs(b + 2 * a * mp.cos(k * way)) for k in range(1, pixels + 1)) * c
    kernel = mp.sqrt(2 * a * a + b * b)
    square = kernel**2 + c**2
    return [stretch, mp.sqrt(3) * kernel * c], [mp.sqrt(3) * kernel * c, mp.sqrt(3) * square / 2]


def one_neuron(random: Random):
    a = mp.sqrt(mp.mpf(1) / 3) + random.sign() * random.log_uniform(1e-9, 0.4)
    return abs(a) * (1 - a * a), 2 / (3 * mp.sqrt(3))


def two_limits(random: Random):
    # Each neuron for its own sample, or one for both, with random sizes of the flow's shape.
    a = random.uniform(0.5, 2)
    apart = a * 2 * a * a / (2 * (a * a + 2 * a * a)) ** mp.mpf("1.5")
    together = a * 2 * a * a / 2 / (a * a + 2 * a * a) ** mp.mpf("1.5")
    return [apart + a, together + a], [1 / (3 * mp.sqrt(6)) + a, 1 / (3 * mp.sqrt(3)) + a]


LATE = ("1e2", "1e4", "1e6")

ENTRIES: dict[str, Entry] = {
    "eq-hm-loss": Definition("margins, loss and norm"),
    "eq-hm-homogeneous": Definition("the order of homogeneity"),
    "eq-hm-euler": Identity(euler),
    "eq-hm-nu": Identity(nu),
    "eq-hm-margins": Identity(normalized),
    "eq-hm-sandwich": Inequality(lambda random: sandwich(random)[:2], nearness=1e-6),
    "eq-hm-sandwich: right": Inequality(lambda random: sandwich(random)[1:], nearness=1e-6),
    "eq-hm-svm": Identity(svm),
    "eq-hm-soudry": Asymptotic(offset_left, (2, 10, 40), 1e-15),
    "eq-hm-gaps": Asymptotic(gap, LATE, 1e-5),
    "eq-hm-gaps: loss": Asymptotic(loss_in_time, (2, 10, 40), 1e-15),
    "eq-hm-gaps: smoothed": Asymptotic(smoothed_gap, LATE, 1e-5),
    "eq-hm-logistic": Identity(logistic_slope),
    "eq-hm-smoothed": Identity(smoothed, draws=5),
    "eq-hm-climbs": Inequality(climbs, nearness=1e-25, draws=20),
    "eq-hm-nu-bound": Inequality(nu_bound, nearness=1e-25, draws=20),
    "eq-hm-growth": Identity(growth, draws=15),
    "eq-hm-growth: entropy": Identity(entropy, draws=15),
    "eq-hm-beta": Identity(beta, draws=15),
    "eq-hm-budget": Inequality(budget, nearness=1e-20, draws=6),
    "eq-hm-speed": Inequality(speed, nearness=1e-25, draws=20),
    "eq-hm-sharp": Asymptotic(sharp(3), ("1e2", "1e3", "1e4"), 2e-4),
    "eq-hm-sharp: order 2": Asymptotic(sharp(2), ("1e2", "1e3", "1e4"), 2e-4),
    "eq-hm-step": Definition("a step of the trainer"),
    "eq-hm-problem": Definition("the hard-margin problem"),
    "eq-hm-kkt": Definition("KKT points"),
    "eq-hm-multipliers": Definition("the multipliers that the gradient offers"),
    "eq-hm-residuals": Identity(residual, draws=15),
    "eq-hm-residuals: complementarity": Inequality(complementarity, nearness=0.27, draws=20),
    "eq-hm-tangent": Identity(tangent),
    "eq-hm-modified": Identity(modified, draws=5),
    "eq-hm-condition": Inequality(condition, nearness=1e-25),
    "eq-hm-phi": Identity(phi),
    "thm-hm-descent: convexity": Identity(convex_in_the_loss),
    "thm-hm-descent: convexity is positive": Inequality(convexity_is_positive, nearness=0.05),
    "thm-hm-descent: enough": Inequality(enough, nearness=1e-5),
    "eq-hm-cycle": Identity(cycle, draws=3),
    "eq-hm-deep-gap": Asymptotic(deep_gap(3), ("1e3", "1e6", "1e9"), 1e-3),
    "eq-hm-deep-gap: order 2": Asymptotic(deep_gap(2), LATE, 1e-3),
    "eq-hm-xor": Identity(exclusive_or),
    "eq-hm-xor: maximum": Inequality(exclusive_or_bound, nearness=1e-8),
    "eq-hm-lipschitz": Inequality(lipschitz, nearness=1e-2),
    "thm-hm-two: one neuron": Inequality(one_neuron, nearness=1e-10),
    "thm-hm-two: margins": Identity(two_limits),
}
