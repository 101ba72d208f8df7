"""The equations of the chapter on time warping."""

from collections.abc import Callable

import mpmath
import numpy as np
from identity_kinds import Asymptotic, Definition, Entry, Identity, Inequality, Random
from mpmath import mp
from scipy.integrate import solve_ivp

Vector = mpmath.matrix
HALF = mpmath.mpf(1) / 2


def norm(v: Vector) -> mpmath.mpf:
    return mpmath.sqrt(dot(v, v))


def dot(u: Vector, v: Vector) -> mpmath.mpf:
    return mpmath.fsum(u[i] * v[i] for i in range(len(u)))


def outer(u: Vector, v: Vector) -> mpmath.matrix:
    return u * v.T


def pinv(X: mpmath.matrix) -> mpmath.matrix:
    return X.T * (X * X.T) ** -1


def seen(X: mpmath.matrix, v: Vector) -> Vector:
    """Πv."""
    return pinv(X) * (X * v)


def gradient(function: Callable[[Vector], mpmath.mpf], at: Vector) -> Vector:
    """Return the gradient by differences at raised precision."""

    def along(i: int) -> mpmath.mpf:
        def moved(x: mpmath.mpf) -> mpmath.mpf:
            point = at.copy()
            point[i] = x
            return function(point)

        return mpmath.diff(moved, at[i])

    return mpmath.matrix([along(i) for i in range(len(at))])


def derivatives(metric: Callable[[Vector], mpmath.matrix], at: Vector) -> list[mpmath.matrix]:
    """Return ∂H/∂w_l for each l."""
    d = len(at)
    step = mpmath.mpf(10) ** -30

    def along(i: int) -> mpmath.matrix:
        move = mpmath.matrix(d, 1)
        move[i] = step
        return (metric(at + move) - metric(at - move)) / (2 * step)

    with mp.workdps(100):
        return [along(i) for i in range(d)]


def defect(metric: Callable[[Vector], mpmath.matrix], at: Vector) -> list:
    """Return T_ijl = ∂H_ij/∂w_l − ∂H_il/∂w_j as nested lists."""
    slopes, d = derivatives(metric, at), range(len(at))
    return [[[slopes[k][i, j] - slopes[j][i, k] for k in d] for j in d] for i in d]


def candidate(metric: Callable[[Vector], mpmath.matrix], at: Vector) -> Vector:
    inverse, T, d = metric(at) ** -1, defect(metric, at), len(at)
    pairs = [(i, j) for i in range(d) for j in range(d)]
    return mpmath.matrix(
        [-mpmath.fsum(inverse[i, j] * T[i][j][k] for i, j in pairs) / (d - 1) for k in range(d)]
    )


class Neuron:
    """A random neuron with two samples in three dimensions, by definitions alone."""

    def __init__(self, random: Random, *, n: int = 2, d: int = 3, size: float = 1.0) -> None:
        self.X, self.y = random.matrix(n, d), random.vector(n)
        self.w = random.vector(d, scale=size)
        self.a = random.sign() * random.uniform(0.3, 2)

    def loss(self, state: Vector) -> mpmath.mpf:
        a, w = state[0], state[1:, 0]
        rest = self.y - a * (self.X * w)
        return dot(rest, rest) / 2

    @property
    def state(self) -> Vector:
        return mpmath.matrix([self.a, *self.w])

    @property
    def velocity(self) -> Vector:
        return -gradient(self.loss, self.state)

    @property
    def pull(self) -> Vector:
        """Xᵀr."""
        return self.X.T * (self.y - self.a * (self.X * self.w))

    @property
    def predictor(self) -> Vector:
        return self.a * self.w

    @property
    def delta(self) -> mpmath.mpf:
        return self.a**2 - dot(self.w, self.w)

    @property
    def c(self) -> mpmath.mpf:
        visible = seen(self.X, self.w)
        return self.a**2 - dot(visible, visible)


def sizes(delta: mpmath.mpf, predictor: Vector) -> tuple[mpmath.mpf, mpmath.mpf]:
    """Return R and a²."""
    root = mpmath.sqrt(dot(predictor, predictor) + delta**2 / 4)
    return root, root + delta / 2


def neuron_metric(delta: mpmath.mpf) -> Callable[[Vector], mpmath.matrix]:
    """Return H as a function of w̃, by inverting a²I + w̃w̃ᵀ/a²."""

    def metric(at: Vector) -> mpmath.matrix:
        squared = sizes(delta, at)[1]
        return (squared * mpmath.eye(len(at)) + outer(at, at) / squared) ** -1

    return metric


def radial(delta: mpmath.mpf, x: mpmath.mpf) -> mpmath.mpf:
    """Return q̂ by its closed form, up to a constant."""
    a = mpmath.sqrt(mpmath.sqrt(x**2 + delta**2 / 4) + delta / 2)
    return a**3 - 3 * delta * a / 2


def slope(delta: mpmath.mpf, x: mpmath.mpf) -> mpmath.mpf:
    return mpmath.mpf(3) / 2 * mpmath.sqrt(mpmath.sqrt(x**2 + delta**2 / 4) - delta / 2)


def limit(net: Neuron, sign: int) -> tuple[mpmath.mpf, Vector]:
    """Return a∞ and w̃∞ of the closed form."""
    least = pinv(net.X) * net.y
    squared = (net.c + mpmath.sqrt(net.c**2 + 4 * dot(least, least))) / 2
    a = sign * mpmath.sqrt(squared)
    return a, least + a * (net.w - seen(net.X, net.w))


def kernel(net: Neuron) -> Vector:
    """Return the limit of the linearized network, by its definition."""
    inverse = net.a**2 * mpmath.eye(len(net.w)) + outer(net.w, net.w)
    rest = net.y - net.X * net.predictor
    pull = (net.X * inverse * net.X.T) ** -1 * rest
    return net.predictor + inverse * net.X.T * pull


def flow(random: Random):
    net = Neuron(random)
    return net.velocity, [dot(net.w, net.pull), *(net.a * net.pull)]


def conserved(random: Random):
    net = Neuron(random)
    v = net.velocity
    return 2 * net.a * v[0], 2 * dot(net.w, v[1:, 0])


def conserved_visible(random: Random):
    net = Neuron(random)
    v = net.velocity
    return 2 * net.a * v[0], 2 * dot(seen(net.X, net.w), v[1:, 0])


def layer_sizes(random: Random):
    net = Neuron(random)
    root, squared = sizes(net.delta, net.predictor)
    return [net.a**2, dot(net.w, net.w)], [squared, root - net.delta / 2]


def metric_inverse(random: Random):
    net = Neuron(random)
    root, squared = sizes(net.delta, net.predictor)
    flat = net.a**2 * mpmath.eye(3) + outer(net.w, net.w)
    at = net.predictor
    return flat**-1, mpmath.eye(3) / squared - outer(at, at) / (2 * root * squared**2)


def neuron_defect(random: Random):
    net = Neuron(random)
    at, (root, squared) = net.predictor, sizes(net.delta, net.predictor)
    closed = [
        [
            [-((i == j) * at[k] - (i == k) * at[j]) / (2 * root * squared**2) for k in range(3)]
            for j in range(3)
        ]
        for i in range(3)
    ]
    return defect(neuron_metric(net.delta), at), closed


def first_layer(random: Random):
    net = Neuron(random)
    return mpmath.sign(net.a) * net.velocity[1:, 0] / abs(net.a), net.pull


def the_warp(random: Random):
    net = Neuron(random)
    return 1.5 * abs(net.a), 1.5 * mpmath.sqrt(sizes(net.delta, net.predictor)[1])


def disguised(random: Random, d: int):
    """Return a metric that is a Hessian divided by g, and ∇log g."""
    mixing, bend = random.matrix(d + 1, d, scale=0.5), random.vector(d)

    def log_g(w: Vector) -> mpmath.mpf:
        return mpmath.sin(dot(bend, w)) + w[0] * w[d - 1] / 3

    def metric(w: Vector) -> mpmath.matrix:
        weights = (mixing * w).apply(mpmath.exp)
        shares = weights / mpmath.fsum(weights)
        spread = mpmath.diag(list(shares)) - outer(shares, shares)
        return (mpmath.eye(d) + mixing.T * spread * mixing) / mpmath.exp(log_g(w))

    return metric, lambda w: gradient(log_g, w)


def found(random: Random):
    metric, truth = disguised(random, 3)
    w = random.vector(3)
    return candidate(metric, w), truth(w)


def left_over(metric: Callable[[Vector], mpmath.matrix], w: Vector):
    """T_ijl against H_il φ_j − H_ij φ_l."""
    H, phi, d = metric(w), candidate(metric, w), range(len(w))
    closed = [[[H[i, k] * phi[j] - H[i, j] * phi[k] for k in d] for j in d] for i in d]
    return defect(metric, w), closed


def any_metric(random: Random, d: int):
    """Return a positive definite metric that no clock mends."""
    bends = [random.vector(d, scale=0.5) for _ in range(d)]

    def metric(w: Vector) -> mpmath.matrix:
        rows = mpmath.eye(d) + outer(w, bends[0]) / 4
        return rows.T * rows + mpmath.diag([mpmath.exp(dot(bend, w)) for bend in bends])

    return metric


def in_the_plane(random: Random):
    return left_over(any_metric(random, 2), random.vector(2))


def contraction(random: Random):
    d = 4
    half, spin = random.matrix(d, d), random.matrix(d, d)
    H, F = half * half.T + mpmath.eye(d), spin - spin.T
    inverse = H**-1

    def summed(m: int, k: int) -> mpmath.mpf:
        return mpmath.fsum(
            inverse[i, j] * (H[i, j] * F[m, k] + H[i, m] * F[k, j] + H[i, k] * F[j, m])
            for i in range(d)
            for j in range(d)
        )

    pairs = [(0, 1), (1, 3), (2, 0)]
    return [summed(*pair) for pair in pairs], [(d - 2) * F[pair] for pair in pairs]


def cyclic_sum(random: Random):
    """The sum of derivatives of H_il φ_j − H_ij φ_l, for any H and φ, by its two groups."""
    metric, push = any_metric(random, 3), any_metric(random, 3)
    w = random.vector(3)

    def phi(at: Vector) -> Vector:
        return push(at)[:, 0]

    cycles = [(0, 1, 2), (1, 2, 0), (2, 0, 1)]
    H, dH, T = metric(w), derivatives(metric, w), defect(metric, w)
    d_phi, at = derivatives(phi, w), phi(w)
    left, right = [], []
    for i in range(3):
        left.append(
            mpmath.fsum(
                dH[k][i, m] * at[j]
                + H[i, m] * d_phi[k][j]
                - dH[k][i, j] * at[m]
                - H[i, j] * d_phi[k][m]
                for j, m, k in cycles
            )
        )
        right.append(
            mpmath.fsum(
                T[i][m][k] * at[j] + H[i, j] * (d_phi[m][k] - d_phi[k][m]) for j, m, k in cycles
            )
        )
    return left, right


def neuron_gradient(random: Random):
    net = Neuron(random)
    at, (root, squared) = net.predictor, sizes(net.delta, net.predictor)
    closed = list(at / (2 * root * squared))
    logarithm = gradient(lambda w: mpmath.log(sizes(net.delta, w)[1]) / 2, at)
    return [*candidate(neuron_metric(net.delta), at), *logarithm], [*closed, *closed]


def slope_of_closed_form(random: Random):
    delta, x = random.uniform(-2, 2), random.uniform(0.1, 3)
    return mpmath.diff(lambda z: radial(delta, z), x), slope(delta, x)


def integral_of_slope(random: Random):
    delta, x = random.uniform(-2, 2), random.uniform(0.1, 3)
    integral = mpmath.quad(lambda z: slope(delta, z), [0, x])
    return integral, radial(delta, x) - radial(delta, mpmath.mpf(0))


def stationary(random: Random):
    net = Neuron(random)
    sign = int(mpmath.sign(net.a))
    w = limit(net, sign)[1]
    z = -1.5 * sign * net.w
    pull = gradient(lambda at: radial(net.delta, norm(at)) + dot(z, at), w)
    # What ∇q is made of, within the row space; nothing may be left outside of it.
    return pull, seen(net.X, pull)


def stationary_after_a_flip(random: Random):
    net = Neuron(random, size=3)
    sign = -int(mpmath.sign(net.a))
    w = limit(net, sign)[1]
    pull = gradient(lambda at: radial(net.delta, norm(at)) - 1.5 * sign * dot(net.w, at), w)
    return pull, seen(net.X, pull)


def mirror_variable(random: Random):
    net = Neuron(random)
    w = random.vector(3) * mpmath.sqrt(1 + abs(net.delta))
    if dot(w, w) + net.delta < 0.1:
        w = 3 * w
    a = mpmath.sign(net.a) * mpmath.sqrt(net.delta + dot(w, w))
    z = -1.5 * mpmath.sign(net.a) * net.w
    pull = gradient(lambda at: radial(net.delta, norm(at)) + dot(z, at), a * w)
    return pull, 1.5 * mpmath.sign(a) * (w - net.w)


def end_of_the_flow(random: Random):
    """The closed form interpolates, and keeps δ and what the data do not see."""
    net = Neuron(random)
    a, predictor = limit(net, int(mpmath.sign(net.a)))
    w = predictor / a
    hidden = w - seen(net.X, w)
    kept = net.w - seen(net.X, net.w)
    return [*(net.X * predictor), a**2 - dot(w, w), *hidden], [*net.y, net.delta, *kept]


def average(random: Random):
    net, truth = Neuron(random), random.vector(3)
    a, predictor = limit(net, int(mpmath.sign(net.a)))
    least, hidden = pinv(net.X) * net.y, net.w - seen(net.X, net.w)
    error = dot(predictor - truth, predictor - truth)
    floor = dot(least - truth, least - truth)
    return error, floor + a**2 * dot(hidden, hidden) - 2 * a * dot(hidden, truth)


def shape(random: Random):
    net = Neuron(random)
    outer_size, size = abs(net.a), norm(net.w)
    scale, s = outer_size * size, (outer_size - size) / (outer_size + size)
    kappa = (1 - s) / (1 + s)
    return (
        [net.a**2, size**2, net.delta, size / outer_size],
        [scale / kappa, scale * kappa, 4 * scale * s / (1 - s**2), kappa],
    )


def fixed(scale, s, *, sign: int = 1, seed: int = 0) -> Neuron:
    """Return the neuron of this scale and shape on one fixed problem."""
    net = Neuron(Random(seed))
    unit = net.w / norm(net.w)
    kappa = (1 - s) / (1 + s)
    net.a, net.w = sign * mpmath.sqrt(scale / kappa), sign * mpmath.sqrt(scale * kappa) * unit
    return net


def small_start(scale):
    net = fixed(scale, mpmath.mpf("0.2"), sign=-1)
    least, hidden = pinv(net.X) * net.y, net.w - seen(net.X, net.w)
    correction = limit(net, -1)[1] - least
    return dot(correction, hidden) / (-mpmath.sqrt(norm(least)) * dot(hidden, hidden))


def kernel_in_one_number(random: Random):
    net = Neuron(random)
    least, visible = pinv(net.X) * net.y, seen(net.X, net.w)
    a = net.a + dot(visible, least - net.a * visible) / (net.a**2 + dot(visible, visible))
    return kernel(net), least + a * (net.w - visible)


def gap(scale):
    net = fixed(mpmath.mpf("0.7"), 1 - scale)
    least, start = pinv(net.X) * net.y, net.predictor
    missing = least - seen(net.X, start)
    hidden = start - seen(net.X, start)
    difference = limit(net, 1)[1] - kernel(net)
    return dot(difference, hidden) / (dot(missing, missing) / (2 * net.a**4) * dot(hidden, hidden))


def gap_that_stays(scale):
    s = mpmath.mpf("0.1")
    net = fixed(1 / scale, s)
    start, linear = net.predictor, kernel(net)
    visible = seen(net.X, start)
    e = dot(visible, visible) / dot(start, start)
    chi = e * ((1 - s) / (1 + s)) ** 2
    missed = abs(mpmath.sqrt(1 - chi) - 1 / (1 + chi))
    closed = mpmath.sqrt(1 - e) * missed
    closed /= mpmath.sqrt(e + (1 - e) * chi**2 / (1 + chi) ** 2)
    return norm(limit(net, 1)[1] - linear) / norm(linear - start) / closed


def golden(random: Random):
    """The two numbers cross at (√5 − 1)/2."""
    del random
    chi = (mpmath.sqrt(5) - 1) / 2
    return mpmath.sqrt(1 - chi), 1 / (1 + chi)


def curvature(random: Random):
    net = Neuron(random)
    s = (abs(net.a) - norm(net.w)) / (abs(net.a) + norm(net.w))
    unit = net.predictor / norm(net.predictor)
    B = mpmath.eye(3) - (1 - s) ** 2 / (2 * (1 + s**2)) * outer(unit, unit)
    slopes = derivatives(lambda w: slope(net.delta, norm(w)) * w / norm(w), net.predictor)
    hessian = mpmath.matrix([[slopes[j][i] for j in range(3)] for i in range(3)])
    return hessian, 3 / (2 * abs(net.a)) * B


def orthonormal(random: Random) -> Neuron:
    net = Neuron(random, d=4)
    net.X = mpmath.qr(net.X.T, mode="skinny")[0].T
    return net


def invariant(net: Neuron) -> Callable[[Vector], mpmath.mpf]:
    least = pinv(net.X) * net.y
    c = net.c
    mu = (c + mpmath.sqrt(c**2 + 4 * dot(least, least))) / 2
    return lambda state: dot(seen(net.X, state[1:, 0]), least) + state[0] * mu


def invariant_at_the_end(random: Random):
    net = orthonormal(random)
    a, predictor = limit(net, random.sign())
    least = pinv(net.X) * net.y
    end = invariant(net)(mpmath.matrix([a, *(predictor / a)]))
    return end, dot(least, least) / a + a**3


def invariant_moves(random: Random):
    net = orthonormal(random)
    F, least = invariant(net), pinv(net.X) * net.y
    mu = (net.c + mpmath.sqrt(net.c**2 + 4 * dot(least, least))) / 2
    return dot(gradient(F, net.state), net.velocity), (mu - net.a**2) * F(net.state)


def certificate(random: Random):
    net = Neuron(random)
    X, y, a, w = net.X, net.y, net.a, net.w
    images, pull = X * w, X.T * y
    force, v = dot(w, pull), net.velocity
    moved = dot(pull, v[1:, 0])
    loss = dot(y, y) / 2 - a * force + a**2 * dot(images, images) / 2
    turned = dot(pull, X.T * images)
    return (
        [net.loss(net.state), v[0], moved],
        [loss, force - a * dot(images, images), a * (dot(pull, pull) - a * turned)],
    )


def balanced(random: Random):
    net = Neuron(random)
    net.w = net.w / norm(net.w) * abs(net.a)
    w, start = limit(net, int(mpmath.sign(net.a)))[1], net.predictor
    pull = gradient(lambda at: norm(at) ** 1.5 - 1.5 * dot(start, at) / mpmath.sqrt(norm(start)), w)
    return pull, seen(net.X, pull)


def bound(random: Random):
    """What is conserved is the same at the end, so any network is the end of some flow."""
    m = random.integer(1, 3)
    X, a, W = random.matrix(2, 4), random.vector(m), random.matrix(m, 4)
    visible = W * (pinv(X) * X)
    hidden = W - visible
    least = visible.T * a
    top = max(mpmath.eigsy(outer(a, a) - visible * visible.T, eigvals_only=True))
    size = mpmath.sqrt(max(mpmath.eigsy(hidden * hidden.T, eigvals_only=True)))
    root = mpmath.sqrt((top + mpmath.sqrt(top**2 + 4 * dot(least, least))) / 2)
    return norm(hidden.T * a), size * root


def escape(scale):
    """By an ordinary integration in double precision."""
    source = np.random.default_rng(4)
    X, y = source.normal(size=(2, 4)), source.normal(size=2)
    a, W = source.normal(size=3), source.normal(size=(3, 4))

    def velocity(_, state):
        outputs, inputs = state[:3], state[3:].reshape(3, 4)
        pull = X.T @ (y - X @ (inputs.T @ outputs))
        return np.concatenate([inputs @ pull, np.outer(outputs, pull).ravel()])

    start = float(scale) * np.concatenate([a, W.ravel()])
    end = solve_ivp(velocity, (0, 60), start, method="LSODA", rtol=1e-10, atol=1e-14).y[:, -1]
    least = np.linalg.pinv(X) @ y
    pull = X.T @ y
    v = a + W @ pull / np.linalg.norm(pull)
    direction = (W - W @ np.linalg.pinv(X) @ X).T @ v / np.linalg.norm(v)
    correction = (end[:3] @ end[3:].reshape(3, 4) - least) / float(scale)
    predicted = np.sqrt(np.linalg.norm(least)) * direction
    return mpmath.mpf(float(1 + np.linalg.norm(correction - predicted) / np.linalg.norm(predicted)))


def leaving(random: Random):
    """The part of a start that survives exp((A − ω)t), against ½(v, vbᵀ)."""
    m, d = 2, 2
    pull, a, W = random.vector(d), random.vector(m), random.matrix(m, d)
    rate = norm(pull)
    b = pull / rate

    def turn(state: Vector) -> Vector:
        outputs = state[:m, 0]
        inputs = mpmath.matrix([[state[m + d * i + j] for j in range(d)] for i in range(m)])
        moved = outer(outputs, pull)
        return mpmath.matrix([*(inputs * pull), *(moved[i, j] for i in range(m) for j in range(d))])

    size = m + m * d
    A = mpmath.matrix(size, size)
    for column in range(size):
        unit = mpmath.matrix(size, 1)
        unit[column] = 1
        A[:, column] = turn(unit)
    start = mpmath.matrix([*a, *(W[i, j] for i in range(m) for j in range(d))])
    # exp((A − ω)t) by repeated squaring, until e^(−ωt) is nothing.
    decay = mpmath.expm((A - rate * mpmath.eye(size)) / rate)
    for _ in range(8):
        decay = decay * decay
    v = a + W * b
    return decay * start, HALF * mpmath.matrix(
        [*v, *(v[i] * b[j] for i in range(m) for j in range(d))]
    )


def own_clock(random: Random):
    X, y = random.matrix(2, 3), random.vector(2)
    a, W = random.vector(2), random.matrix(2, 3)

    def loss(state: Vector) -> mpmath.mpf:
        inputs = mpmath.matrix([[state[3 * i + j] for j in range(3)] for i in range(2)])
        rest = y - X * (inputs.T * a)
        return dot(rest, rest) / 2

    at = mpmath.matrix([W[i, j] for i in range(2) for j in range(3)])
    velocity = -gradient(loss, at)
    pull = X.T * (y - X * (W.T * a))
    left = [mpmath.sign(a[i]) * velocity[3 * i + j] for i in range(2) for j in range(3)]
    return left, [abs(a[i]) * pull[j] for i in range(2) for j in range(3)]


def two_forms_of_c(random: Random):
    net = Neuron(random)
    rest = net.w - seen(net.X, net.w)
    return net.c, net.delta + dot(rest, rest)


def plane(random: Random):
    """The velocity of a and p where rows are orthonormal, and what closes in a, p and c."""
    net = Neuron(random)
    net.X = mpmath.qr(net.X.T, mode="skinny")[0].T
    least, v = pinv(net.X) * net.y, net.velocity
    size = norm(least)
    a, p, c = net.a, dot(seen(net.X, net.w), least) / size, net.c
    moves = [v[0], dot(seen(net.X, v[1:, 0]), least) / size]
    return moves, [size * p - a * (a**2 - c), a * (size - a * p)]


def mean_squares(random: Random):
    """Expected squares of the weights of one neuron, summed entry by entry."""
    d, m, k = (random.integer(1, 9) for _ in range(3))

    def second_moment(variance: mpmath.mpf) -> mpmath.mpf:
        width = mpmath.sqrt(variance)
        return 2 * mpmath.quad(lambda x: x**2 * mpmath.npdf(x, 0, width), [0, 14 * width])

    leaving = mpmath.fsum([second_moment(mpmath.mpf(2) / (m + k))] * k)
    entering = mpmath.fsum([second_moment(mpmath.mpf(2) / (d + m))] * d)
    m, d, k = map(mpmath.mpf, (m, d, k))
    closed = [2 * k / (m + k), 2 * d / (d + m), 2 * m * (k - d) / ((m + k) * (d + m))]
    return [leaving, entering, leaving - entering], closed


class Waiting:
    """A leaky neuron with one sample behind its kink, as it was after the way P."""

    def __init__(self, random: Random) -> None:
        self.x, self.y = random.vector(3), random.uniform(0.3, 2)
        self.slope, self.a0 = random.uniform(0.1, 1), random.uniform(1, 2)
        self.p0 = -self.a0 * random.uniform(0.2, 0.9)
        self.end = mpmath.log((self.a0 - self.p0) / (self.a0 + self.p0)) / 2

    def at(self, way: mpmath.mpf) -> tuple[mpmath.mpf, mpmath.mpf]:
        plus = (self.a0 + self.p0) * mpmath.exp(way)
        minus = (self.a0 - self.p0) * mpmath.exp(-way)
        return (plus + minus) / 2, (plus - minus) / 2

    def pace(self, way: mpmath.mpf, slope: mpmath.mpf) -> mpmath.mpf:
        """Return the integrand dt/dP."""
        a, p = self.at(way)
        size = norm(self.x)
        return 1 / (slope * size * (self.y - slope * size * a * p))


def waits(random: Random):
    """Velocity of (a, p) by the loss times dt/dP, against the derivative of (a, p) in P."""
    case = Waiting(random)
    way, size = case.end * random.uniform(0.1, 0.9), norm(case.x)

    def loss(state: Vector) -> mpmath.mpf:
        return (case.y - case.slope * size * state[0] * state[1]) ** 2 / 2

    velocity = -gradient(loss, mpmath.matrix(case.at(way)))
    pace = case.pace(way, case.slope)
    slopes = [mpmath.diff(lambda z, i=i: case.at(z)[i], way) for i in (0, 1)]
    end = case.at(case.end)
    return (
        [*(pace * velocity), end[0] ** 2, end[1] + 1],
        [*slopes, case.a0**2 - case.p0**2, 1],
    )


def long_wait(slope: mpmath.mpf) -> mpmath.mpf:
    case = Waiting(Random(0))
    time = mpmath.quad(lambda way: case.pace(way, slope), [0, case.end])
    return slope * time * norm(case.x) * case.y / case.end


def sliding(random: Random):
    """Speeds of wᵀx₁ on both sides of its kink, by the loss, against the bounds on C."""
    X, slope_below = random.matrix(3, 4), random.uniform(0.1, 0.9)
    x, a = X[0, :].T, random.sign() * random.uniform(0.5, 2)
    y = random.vector(3)
    y[0] = -mpmath.sign(a) * random.uniform(0.2, 2)
    w = random.vector(4)
    w -= x * dot(x, w) / dot(x, x)
    slopes = [1 if dot(X[k, :].T, w) > 0 else slope_below for k in range(3)]

    def speed(own: mpmath.mpf) -> mpmath.mpf:
        h = [own, *slopes[1:]]

        def loss(at: Vector) -> mpmath.mpf:
            return mpmath.fsum((y[k] - a * h[k] * dot(X[k, :].T, at)) ** 2 / 2 for k in range(3))

        return dot(-gradient(loss, w), x)

    C = mpmath.fsum(
        slopes[k] * (y[k] - a * slopes[k] * dot(X[k, :].T, w)) * dot(x, X[k, :].T) for k in (1, 2)
    )
    force, bound = mpmath.sign(a) * C, abs(y[0]) * dot(x, x)
    sides = [abs(a) * (force - bound), abs(a) * (force - slope_below * bound)]
    return [speed(mpmath.mpf(1)), speed(slope_below)], sides


def boost(pull: Vector) -> mpmath.matrix:
    """Q, with Xᵀr beside and below the corner."""
    d = len(pull)
    Q = mpmath.matrix(d + 1, d + 1)
    for i in range(d):
        Q[0, i + 1] = Q[i + 1, 0] = pull[i]
    return Q


def lorentz(random: Random):
    Z, Q = random.matrix(3, 3), boost(random.vector(2))
    J = mpmath.diag([1, -1, -1])

    def form(t: mpmath.mpf) -> mpmath.matrix:
        moved = Z + t * (Z * Q)
        return moved.T * moved * J * (moved.T * moved)

    step = mpmath.mpf(10) ** -30
    with mp.workdps(100):
        left = (form(step) - form(-step)) / (2 * step)
    here = form(mpmath.mpf(0))
    return left, Q * here + here * Q


def isotropic(random: Random):
    d, length = 2, random.uniform(0.5, 2)
    columns = mpmath.qr(random.matrix(4, d + 1), mode="skinny")[0] * length
    # The flow Z' = ZQ, first with one force and then with another.
    Z = columns * mpmath.expm(boost(random.vector(d))) * mpmath.expm(boost(random.vector(d)))
    a, W = Z[:, 0], Z[:, 1:]
    predictor = W.T * a
    whole = mpmath.sqrt(dot(predictor, predictor) + length**4) + length**2
    left = dot(a, a) * mpmath.eye(d) + W.T * W
    return left, whole * mpmath.eye(d) + outer(predictor, predictor) / whole


def leaky_targets(random: Random):
    slope_below, y, sign = random.uniform(0.05, 1), random.vector(3), random.sign()
    target = [y[j] if sign * y[j] >= 0 else y[j] / slope_below for j in range(3)]

    def sigma(z: mpmath.mpf) -> mpmath.mpf:
        return z if z >= 0 else slope_below * z

    return [sign * sigma(sign * t) for t in target], y


ENTRIES: dict[str, Entry] = {
    "eq-warp-flow": Identity(flow, draws=5),
    "eq-warp-delta": Definition("balancedness"),
    "eq-warp-delta: conserved": Identity(conserved, draws=5),
    "eq-warp-sizes": Identity(layer_sizes),
    "eq-warp-metric": Identity(metric_inverse),
    "eq-warp-defect": Identity(neuron_defect, draws=5, digits=25),
    "eq-warp-first-layer": Identity(first_layer, draws=5),
    "eq-warp-clock": Definition("the clock τ"),
    "eq-warp-g": Identity(the_warp),
    "eq-warp-candidate": Identity(found, draws=5, digits=25),
    "eq-warp-test": Identity(
        lambda random: left_over(disguised(random, 3)[0], random.vector(3)), draws=3, digits=25
    ),
    "eq-warp-test: in the plane, for any metric": Identity(in_the_plane, draws=5, digits=25),
    "eq-warp-cyclic": Identity(contraction, draws=5),
    "eq-warp-cyclic: the sum": Identity(cyclic_sum, draws=3, digits=25),
    "eq-warp-neuron-gradient": Identity(neuron_gradient, draws=5, digits=25),
    "eq-warp-slope": Identity(slope_of_closed_form),
    "eq-warp-slope: the closed form is its integral": Identity(
        integral_of_slope, draws=4, digits=20
    ),
    "eq-warp-c": Definition("what is conserved of the visible part"),
    "eq-warp-c: conserved": Identity(conserved_visible, draws=5),
    "eq-warp-c: by the balancedness": Identity(two_forms_of_c),
    "eq-warp-problem": Identity(stationary, draws=8),
    "eq-warp-mirror": Identity(mirror_variable, draws=8),
    "eq-warp-explicit": Identity(end_of_the_flow),
    "eq-warp-average": Identity(average),
    "eq-warp-shape": Identity(shape),
    "eq-warp-anti": Asymptotic(small_start, ("1e-2", "1e-4", "1e-6"), 1e-5),
    "eq-warp-kernel": Identity(kernel_in_one_number),
    "eq-warp-gap": Asymptotic(gap, ("1e-2", "1e-4", "1e-6"), 1e-5),
    "eq-warp-stays": Asymptotic(gap_that_stays, ("1e-4", "1e-6", "1e-8"), 1e-5),
    "eq-warp-stays: where it is 0": Identity(golden, draws=1),
    "eq-warp-mahalanobis": Identity(curvature, draws=8, digits=25),
    "eq-warp-xavier": Identity(mean_squares, draws=3),
    "eq-warp-flipped": Identity(stationary_after_a_flip, draws=8),
    "eq-warp-orthogonal": Identity(invariant_at_the_end, draws=8),
    "eq-warp-invariant": Identity(invariant_moves, draws=5),
    "eq-warp-plane": Identity(plane, draws=5),
    "eq-warp-certificate": Identity(certificate, draws=5),
    "eq-warp-balanced": Identity(balanced, draws=8),
    "eq-warp-bound": Inequality(bound, nearness=1e-12),
    "eq-warp-escape": Asymptotic(escape, ("1e-1", "1e-2", "1e-3"), 1e-3),
    "eq-warp-leaving": Identity(leaving, draws=3),
    "eq-warp-own": Identity(own_clock, draws=3),
    "eq-warp-lorentz": Identity(lorentz, draws=8, digits=25),
    "eq-warp-isotropic": Identity(isotropic, draws=5),
    "eq-warp-targets": Identity(leaky_targets),
    "eq-warp-slide": Identity(sliding, draws=5),
    "eq-warp-wait": Identity(waits, draws=8),
    "eq-warp-wait: for small slopes": Asymptotic(long_wait, ("1e-2", "1e-4", "1e-6"), 1e-5),
}
