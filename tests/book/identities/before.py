"""The equations of the two lectures before everything, each by a second route."""

import mpmath as mp
from identity_kinds import Definition, Entry, Identity, Inequality, Random


def entropy_divergence(a, b):
    """Return D_q(a, b) of q = Σ w log w − w by its closed form."""
    return mp.fsum(x * mp.log(x / z) - x + z for x, z in zip(a, b, strict=True))


def hyperbolic(w, root):
    """Return the hyperbolic entropy of one coordinate, by its closed form."""
    z = 2 * w / root
    return root / 4 * (1 - mp.sqrt(1 + z * z) + z * mp.asinh(z))


def partials(function, point):
    """Return the gradient by differences."""
    return [
        mp.diff(lambda t, i=i: function([p + (t if j == i else 0) for j, p in enumerate(point)]), 0)
        for i in range(len(point))
    ]


def positive(random: Random, size: int) -> list:
    return [random.log_uniform(0.2, 3) for _ in range(size)]


def tangent(random: Random):
    """f = log Σ exp, whose gradient is the softmax."""
    there = list(random.vector(3))
    here = [x + random.uniform(-1, 1) * random.log_uniform(1e-2, 1) for x in there]
    total = mp.fsum(map(mp.exp, there))
    slope = [mp.exp(x) / total for x in there]
    below = mp.log(total) + mp.fsum(s * (a - b) for s, a, b in zip(slope, here, there, strict=True))
    return below, mp.log(mp.fsum(map(mp.exp, here)))


def three_points(random: Random):
    a, b, c = (positive(random, 2) for _ in range(3))

    def growth(s):
        return mp.fsum((x - z) * mp.log((z + s * (x - z)) / z) for x, z in zip(a, c, strict=True))

    last = mp.fsum(mp.log(y / z) * (x - y) for x, y, z in zip(a, b, c, strict=True))
    right = entropy_divergence(a, b) + entropy_divergence(b, c) + last
    return mp.quad(growth, [0, 1]), right


def least_on_a_line(random: Random):
    """Minimize the hyperbolic entropy on x·w = y, d = 2, along the line; return w, its slope, x."""
    x = [random.sign() * random.uniform(0.5, 2) for _ in range(2)]
    roots = [random.log_uniform(0.05, 2) for _ in range(2)]
    y = random.uniform(0.5, 2)

    def point(s):
        return [y / (2 * x[0]) + s * x[1], y / (2 * x[1]) - s * x[0]]

    def slopes(s):
        return [mp.asinh(2 * w / root) / 2 for w, root in zip(point(s), roots, strict=True)]

    # The slope along the line rises, and changes its sign between these two.
    ends = sorted((-y / (2 * x[0] * x[1]), y / (2 * x[0] * x[1])))
    ends = [ends[0] - 1, ends[1] + 1]
    s = mp.findroot(
        lambda s: x[1] * slopes(s)[0] - x[0] * slopes(s)[1], ends, solver="anderson", tol=1e-80
    )
    return point(s), slopes(s), x, y, roots


def linear(random: Random):
    _, slope, x, _, _ = least_on_a_line(random)
    multiplier = mp.fdot(slope, x) / mp.fdot(x, x)
    return slope, [multiplier * entry for entry in x]


def pythagoras(random: Random):
    """Project on w₁ + c w₂ = y in the divergence of the entropy."""
    start, c = positive(random, 2), random.uniform(0.5, 2)
    y = random.uniform(1, 4)

    def below(second):
        return mp.log(second / start[1]) - c * mp.log((y - c * second) / start[0])

    # The slope tends to −∞ and to ∞ at the ends of the segment.
    ends = [y / c * mp.mpf("1e-9"), y / c * (1 - mp.mpf("1e-9"))]
    second = mp.findroot(below, ends, solver="anderson", tol=1e-80)
    nearest = [y - c * second, second]
    other = random.uniform(0.1, 0.9) * y / c
    other = [y - c * other, other]
    return entropy_divergence(other, start), entropy_divergence(
        other, nearest
    ) + entropy_divergence(nearest, start)


def conjugate(p, root):
    """Return q*(p) from the definition: the stationary point of pw − q(w)."""
    w = mp.findroot(
        lambda w: p - mp.diff(lambda z: hyperbolic(z, root), w), root / 2 * mp.sinh(2 * p)
    )
    return p * w - hyperbolic(w, root)


def fenchel(random: Random):
    p, root = random.uniform(-2, 2), random.log_uniform(0.1, 2)
    w = root / 2 * mp.sinh(2 * p) + random.sign() * random.log_uniform(1e-2, 1)
    return p * w, hyperbolic(w, root) + conjugate(p, root)


def weak(random: Random):
    w, slope, x, y, roots = least_on_a_line(random)
    aside, off = random.uniform(-1, 1), random.log_uniform(1e-2, 1)
    nu = mp.fdot(slope, x) / mp.fdot(x, x) * (1 + off)
    w = [w[0] + aside * off * x[1], w[1] - aside * off * x[0]]
    dual = mp.fsum(
        root / 4 * (mp.cosh(2 * nu * entry) - 1) for entry, root in zip(x, roots, strict=True)
    )
    return y * nu - dual, mp.fsum(map(hyperbolic, w, roots))


def two_samples(random: Random):
    """Two samples in three dimensions, both with positive multipliers."""
    first, second = ([1 + random.uniform(-0.1, 0.1) for _ in range(3)] for _ in range(2))
    first[2] += 2
    second[0] += 2
    gram = mp.matrix([[mp.fdot(a, b) for b in (first, second)] for a in (first, second)])
    multipliers = mp.lu_solve(gram, mp.matrix([1, 1]))
    assert min(multipliers) > 0
    return first, second, list(multipliers)


def shortest_allowed(first, second):
    """The least norm on the line where both margins are 1, along that line."""
    third = mp.matrix([[first[0], first[1]], [second[0], second[1]]])
    base = [*mp.lu_solve(third, mp.matrix([1, 1])), mp.mpf(0)]
    along = [
        first[1] * second[2] - first[2] * second[1],
        first[2] * second[0] - first[0] * second[2],
        first[0] * second[1] - first[1] * second[0],
    ]
    s = -mp.fdot(base, along) / mp.fdot(along, along)
    return [b + s * a for b, a in zip(base, along, strict=True)]


def hard_margin(random: Random):
    first, second, (a, b) = two_samples(random)
    return shortest_allowed(first, second), [
        a * x + b * z for x, z in zip(first, second, strict=True)
    ]


def hard_margin_dual(random: Random):
    first, second, best = two_samples(random)
    w = shortest_allowed(first, second)
    off = random.log_uniform(1e-3, 1)
    w = [x + off * random.uniform(0, 1) for x in w]  # inputs are positive: margins only grow
    a, b = (multiplier * (1 + off * random.uniform(-1, 1)) for multiplier in best)
    mixed = [a * x + b * z for x, z in zip(first, second, strict=True)]
    return a + b - mp.fdot(mixed, mixed) / 2, mp.fdot(w, w) / 2


def worst_point(random: Random):
    """The stationary point of the norm on c₁u³ + c₂v³ = 1, found along the angle."""
    c, e = positive(random, 2)

    def radius(angle):
        return (c * mp.cos(angle) ** 3 + e * mp.sin(angle) ** 3) ** (-mp.mpf(1) / 3)

    angle = mp.findroot(lambda a: mp.diff(radius, a), mp.atan2(c, e) + mp.mpf("0.01"))
    point = [radius(angle) * mp.cos(angle), radius(angle) * mp.sin(angle)]
    multiplier = mp.fdot(point, point) / 3
    return point, [multiplier * 3 * c * point[0] ** 2, multiplier * 3 * e * point[1] ** 2]


def steps(random: Random):
    """L = −aθ²/2, of which flow and descent are powers."""
    rate, step = random.log_uniform(0.01, 1), random.log_uniform(0.001, 0.5)
    k, start = random.integer(1, 6), random.uniform(0.5, 2)
    horizon = k * step
    apart = abs((1 + rate * step) ** k - mp.exp(rate * horizon)) * start
    largest = rate**2 * mp.exp(rate * horizon) * start
    return apart, step * largest / (2 * rate) * mp.expm1(rate * horizon)


def falls(random: Random):
    theta = list(random.vector(3))

    def loss(point):
        return (1 - point[0] * point[1] * point[2]) ** 2 / 2 + mp.sin(point[0]) * point[2]

    slope = partials(loss, theta)
    along = mp.diff(lambda h: loss([x - h * s for x, s in zip(theta, slope, strict=True)]), 0)
    return along, -mp.fdot(slope, slope)


def kernel(random: Random):
    theta = list(random.vector(3))

    def predictor(point):
        return [point[0] * point[1], point[1] * point[2] ** 2 + mp.sin(point[0])]

    def outer(w):
        return (w[0] - 1) ** 2 / 2 + mp.exp(w[0] * w[1] / 10)

    slope = partials(lambda point: outer(predictor(point)), theta)

    def moved(h, i):
        return predictor([x - h * s for x, s in zip(theta, slope, strict=True)])[i]

    jacobian = mp.matrix(
        [partials(lambda point, i=i: predictor(point)[i], theta) for i in range(2)]
    )
    pulled = jacobian * jacobian.T * mp.matrix(partials(outer, predictor(theta)))
    return [mp.diff(lambda h, i=i: moved(h, i), 0) for i in range(2)], -pulled


def conserved(random: Random):
    """The flow solves (u + v)˙ = r(u + v), (u − v)˙ = −r(u − v), for any r."""
    u, v, P = random.uniform(-2, 2), random.uniform(-2, 2), random.uniform(-1, 1)
    total, difference = (u + v) * mp.exp(P), (u - v) * mp.exp(-P)
    later = (total + difference) / 2, (total - difference) / 2
    delta = u**2 - v**2
    return (
        [later[0] ** 2 - later[1] ** 2, later[0] ** 2 + later[1] ** 2],
        [delta, mp.sqrt(delta**2 + 4 * (later[0] * later[1]) ** 2)],
    )


def layers(random: Random):
    theta, target = list(random.vector(8)), random.matrix(2, 2)

    def split(point):
        return mp.matrix([point[:2], point[2:4]]), mp.matrix([point[4:6], point[6:]])

    def loss(point):
        first, second = split(point)
        apart = second * first - target
        return mp.fsum(entry**2 for entry in apart) / 2

    slope = partials(loss, theta)

    def squares(h):
        first, second = split([x - h * s for x, s in zip(theta, slope, strict=True)])
        return second.T * second, first * first.T

    def rate(which):
        return [
            mp.diff(lambda h, i=i, j=j: squares(h)[which][i, j], 0) for i in (0, 1) for j in (0, 1)
        ]

    return rate(0), rate(1)


def exponential(random: Random):
    z = [list(random.vector(2)) for _ in range(3)]
    w = list(random.vector(2))
    return z, w, lambda point: mp.fsum(mp.exp(-mp.fdot(row, point)) for row in z)


def clock(random: Random):
    _, w, loss = exponential(random)
    return (
        [-slope / loss(w) for slope in partials(loss, w)],
        [-slope for slope in partials(lambda point: mp.log(loss(point)), w)],
    )


def shortest(random: Random):
    """F = max(g₁·θ, g₂·θ): stay on the kink, against the shortest mixture of both gradients."""
    height = random.uniform(0.3, 1)
    first = [random.uniform(0.2, 1), height]
    second = [-random.uniform(0.2, 1), height + random.uniform(-0.05, 0.05)]
    edge = [a - b for a, b in zip(first, second, strict=True)]
    across = mp.fdot(first, edge) / mp.fdot(edge, edge)
    velocity = [-(a - across * e) for a, e in zip(first, edge, strict=True)]

    def length(s):
        return mp.fsum((s * a + (1 - s) * b) ** 2 for a, b in zip(first, second, strict=True))

    share = mp.findroot(lambda s: mp.diff(length, s), mp.mpf("0.5"))
    assert 0 < share < 1
    return [mp.fdot(first, velocity), -mp.fdot(velocity, velocity)], [-length(share)] * 2


def euler(random: Random):
    theta, order = positive(random, 3), random.uniform(0.5, 4)
    a, b = random.uniform(0, 1) * order, random.uniform(0, 1) * order

    def function(point):
        return point[0] ** a * point[1] ** (order - a) - 2 * point[1] ** b * point[2] ** (order - b)

    return mp.fdot(theta, partials(function, theta)), order * function(theta)


def log_domain(random: Random):
    z, w, loss = exponential(random)
    far = [50 * x for x in w]
    q = [mp.fdot(row, far) for row in z]
    shifted = [mp.exp(min(q) - margin) for margin in q]
    pull = [mp.fsum(s * row[i] for s, row in zip(shifted, z, strict=True)) for i in range(2)]
    return (
        [mp.log(loss(far)), *(-slope for slope in partials(lambda v: mp.log(loss(v)), far))],
        [-min(q) + mp.log(mp.fsum(shifted)), *(entry / mp.fsum(shifted) for entry in pull)],
    )


ENTRIES: dict[str, Entry] = {
    "eq-before-tangent": Inequality(tangent, nearness=1e-3),
    "eq-before-bregman": Definition("the Bregman divergence"),
    "eq-before-three-points": Identity(three_points, draws=4),
    "eq-before-linear": Identity(linear, draws=10),
    "eq-before-pythagoras": Identity(pythagoras, draws=10),
    "eq-before-conjugate": Inequality(fenchel, nearness=1e-2, draws=20),
    "eq-before-weak": Inequality(weak, nearness=0.05, draws=10),
    "eq-before-kkt": Identity(hard_margin),
    "eq-before-svm": Inequality(hard_margin_dual, nearness=1e-2),
    "eq-before-kkt-general": Identity(worst_point, draws=10),
    "eq-before-flow": Definition("gradient flow"),
    "eq-before-steps": Inequality(steps, nearness=0.1),
    "eq-before-falls": Identity(falls),
    "eq-before-kernel": Identity(kernel, draws=10),
    "eq-before-speed": Identity(conserved),
    "eq-before-layers": Identity(layers, draws=3),
    "eq-before-clock": Identity(clock),
    "eq-before-clarke": Definition("Clarke's subdifferential"),
    "eq-before-shortest": Identity(shortest),
    "eq-before-euler": Identity(euler),
    "eq-before-log": Identity(log_domain),
}
