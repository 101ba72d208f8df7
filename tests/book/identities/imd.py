"""The equations of the chapter on infinitesimal mirror descent, each by a second route."""

import mpmath as mp
import sympy as sp
from identity_kinds import Asymptotic, Definition, Entry, Identity, Inequality, Random, Symbolic


def entropy(w, root):
    """Return q_k(w), √k = `root`, by quadrature of its definition."""
    return mp.quad(lambda z: mp.asinh(2 * z / root) / 2, [0, w])


def closed(w, root):
    """Return q_k(w) by its closed form, which an entry of its own compares with the integral."""
    z = 2 * w / root
    return root / 4 * (1 - mp.sqrt(1 + z * z) + z * mp.asinh(z))


def slope(w, root):
    return mp.asinh(2 * w / root) / 2


def divergence(a, b, root):
    """Return D_q(a, b) in one coordinate."""
    return closed(a, root) - closed(b, root) - slope(b, root) * (a - b)


def one_coordinate(random: Random):
    """Return dw/dt and d/dt ½ arcsinh(2w/|δ|) along u' = v r, v' = u r, by differences."""
    u, v, y = random.uniform(0.5, 2), random.uniform(-2, 2), random.uniform(-2, 2)
    r, kept = y - u * v, u * u - v * v

    def w(t):
        return (u + t * v * r) * (v + t * u * r)

    speed = mp.diff(w, 0)
    mirror = mp.diff(lambda t: mp.asinh(2 * w(t) / abs(kept)) / 2, 0)
    return [speed, mirror], [mp.sqrt(kept**2 + 4 * w(0) ** 2) * r, r]


def start(random: Random) -> list:
    """Draw u₊, v₊, u₋, v₋ of one coordinate."""
    return [random.sign() * random.log_uniform(0.2, 2) for _ in range(4)]


def predictor(weights):
    u, v, x, z = weights
    return u * v - x * z


def flowed(weights, P):
    """Return the weights after the linear flow u' = v, v' = u, x' = −z, z' = −x of length P."""
    zero = mp.mpf(0)
    generator = mp.matrix(
        [
            [zero, P, zero, zero],
            [P, zero, zero, zero],
            [zero, zero, zero, -P],
            [zero, zero, -P, zero],
        ]
    )
    return list(mp.expm(generator) * mp.matrix(weights))


def constants(weights):
    """Return A and B."""
    u, v, x, z = weights
    return (u + v) ** 2 + (x - z) ** 2, (u - v) ** 2 + (x + z) ** 2


def root_k(weights):
    A, B = constants(weights)
    return mp.sqrt(A * B)


def loss_of(weights, x, y):
    """Return ½(Σ x_i w_i − y)² for a list of coordinates' weights, given flat."""
    w = [predictor(weights[4 * i : 4 * i + 4]) for i in range(len(x))]
    return (mp.fdot(x, w) - y) ** 2 / 2


def partials(function, point):
    """Return the gradient by differences."""
    return [
        mp.diff(lambda t, i=i: function([p + (t if j == i else 0) for j, p in enumerate(point)]), 0)
        for i in range(len(point))
    ]


def problem(random: Random):
    """Draw the weights of two coordinates, and a sample with its label."""
    weights = start(random) + start(random)
    x = [random.sign() * random.uniform(0.3, 2) for _ in range(2)]
    return weights, x, random.uniform(-2, 2)


def metric_flow(random: Random):
    weights, x, y = problem(random)
    force = [-g for g in partials(lambda p: loss_of(p, x, y), weights)]

    def w(i, point):
        return predictor(point[4 * i : 4 * i + 4])

    moved = [
        mp.diff(lambda t, i=i: w(i, [p + t * f for p, f in zip(weights, force, strict=True)]), 0)
        for i in range(2)
    ]
    jacobian = [partials(lambda p, i=i: w(i, p), weights) for i in range(2)]
    r = y - mp.fdot(x, [w(i, weights) for i in range(2)])
    pulled = [
        mp.fsum(mp.fdot(jacobian[i], jacobian[j]) * x[j] * r for j in range(2)) for i in range(2)
    ]
    return moved, pulled


def mirror_flow(random: Random):
    # q = exp(‖w‖²/2), which is not separable.
    w, x, y = random.vector(2), random.vector(2), random.uniform(-2, 2)

    def gradient(point):
        return point * mp.exp((point.T * point)[0] / 2)

    hessian = mp.exp((w.T * w)[0] / 2) * (mp.eye(2) + w * w.T)
    pull = x * (y - (x.T * w)[0])
    velocity = mp.lu_solve(hessian, pull)
    return [mp.diff(lambda t, i=i: gradient(w + t * velocity)[i], 0) for i in range(2)], pull


def row_space(random: Random):
    # q = ½wᵀAw: the flow by a matrix exponential, ν by quadrature of the residual along it.
    B, x, w0 = random.matrix(2, 2), random.vector(2), random.vector(2)
    A, y, time = B * B.T + mp.eye(2), random.uniform(-2, 2), random.uniform(0.1, 1)
    with mp.workdps(20):
        return _row_space(A, x, w0, y, time)


def _row_space(A, x, w0, y, time):
    inverse = A**-1
    generator = mp.zeros(3, 3)
    generator[:2, :2] = -inverse * x * x.T
    generator[:2, 2] = inverse * x * y

    def w(t):
        return (mp.expm(generator * t) * mp.matrix([*w0, 1]))[:2]

    nu = mp.quad(lambda t: y - (x.T * w(t))[0], [0, time])
    return A * (w(time) - w0), x * nu


def minimizer_on_the_line(roots, x, y, starts):
    """Return the w on x·w = y where the slope of the objective along the line vanishes."""
    particular = [y * x[0] / mp.fdot(x, x), y * x[1] / mp.fdot(x, x)]
    along = [-x[1], x[0]]

    def objective(s):
        w = [p + s * a for p, a in zip(particular, along, strict=True)]
        return mp.fsum(
            closed(wi, root) - wi * slope(w0, root)
            for wi, root, w0 in zip(w, roots, starts, strict=True)
        )

    s = mp.findroot(lambda s: mp.diff(objective, s), (mp.mpf(0), mp.mpf("0.1")), tol=1e-40)
    return [p + s * a for p, a in zip(particular, along, strict=True)]


def mirror_problem(random: Random):
    roots = [random.log_uniform(0.2, 5) for _ in range(2)]
    starts = [random.uniform(-1, 1) for _ in range(2)]
    x, y = [random.uniform(0.3, 2) for _ in range(2)], random.uniform(-2, 2)

    def w(nu):
        return [
            root / 2 * mp.sinh(2 * (slope(w0, root) + xi * nu))
            for root, w0, xi in zip(roots, starts, x, strict=True)
        ]

    nu = mp.findroot(lambda nu: mp.fdot(x, w(nu)) - y, (mp.mpf(0), mp.mpf("0.1")))
    return w(nu), minimizer_on_the_line(roots, x, y, starts)


def diagonal_problem(random: Random):
    weights, x, y = problem(random)
    halves = weights[:4], weights[4:]

    def w(nu):
        return [predictor(flowed(half, xi * nu)) for half, xi in zip(halves, x, strict=True)]

    nu = mp.findroot(lambda nu: mp.fdot(x, w(nu)) - y, (mp.mpf(0), mp.mpf("0.1")))
    roots, starts = [root_k(half) for half in halves], [predictor(half) for half in halves]
    return w(nu), minimizer_on_the_line(roots, x, y, starts)


def sums(random: Random):
    weights, x, y = problem(random)
    force = [-g for g in partials(lambda p: loss_of(p, x, y), weights)]
    w = [predictor(weights[:4]), predictor(weights[4:])]
    p = x[0] * (y - mp.fdot(x, w))
    u, v, a, b = weights[:4]
    du, dv, da, db = force[:4]
    left = [du + dv, da + db, du - dv, da - db]
    return left, [(u + v) * p, -(a + b) * p, -(u - v) * p, (a - b) * p]


def predictor_of_pulls(random: Random):
    weights, P = start(random), random.uniform(-2, 2)
    A, B = constants(weights)
    return predictor(flowed(weights, P)), (A * mp.exp(2 * P) - B * mp.exp(-2 * P)) / 4


def sinh(random: Random):
    weights, P = start(random), random.uniform(-2, 2)
    A, B = constants(weights)
    root, c = mp.sqrt(A * B), mp.log(A / B) / 2
    left = [predictor(flowed(weights, P)), mp.asinh(2 * predictor(weights) / root)]
    return left, [root / 2 * mp.sinh(2 * P + c), c]


def conserved(random: Random):
    weights = start(random)
    there = flowed(weights, random.uniform(-2, 2))

    def products(at):
        u, v, x, z = at
        return [u * u - v * v, x * x - z * z, (u + v) * (x + z), root_k(at)]

    return products(there), products(weights)


def hypentropy(random: Random):
    w, root = random.uniform(-3, 3), random.log_uniform(0.05, 20)
    return entropy(w, root), closed(w, root)


def curvature(random: Random):
    w, root = random.uniform(-3, 3), random.log_uniform(0.3, 20)
    second = mp.diff(lambda z: slope(z, root), w)
    return second, 1 / mp.sqrt(root**2 + 4 * w**2)


def dual(random: Random):
    weights, x, y = problem(random)
    halves, nu = (weights[:4], weights[4:]), random.uniform(-1, 1)

    def value(nu):
        total = -y * nu
        for half, xi in zip(halves, x, strict=True):
            A, B = constants(half)
            total += mp.sqrt(A * B) / 4 * mp.cosh(2 * xi * nu + mp.log(A / B) / 2)
        return total

    w = [predictor(flowed(half, xi * nu)) for half, xi in zip(halves, x, strict=True)]
    return -mp.diff(value, nu), y - mp.fdot(x, w)


def scale_and_shape(random: Random):
    u, v = (random.sign() * random.log_uniform(0.05, 5) for _ in range(2))
    alpha, s = abs(u * v), (abs(u) - abs(v)) / (abs(u) + abs(v))
    root = root_k([u, v, u, v])
    unbiased = 2 * (u * u + v * v)
    return [root, root], [4 * alpha * (1 + s * s) / (1 - s * s), unbiased]


def kernel_expansion(root):
    w = mp.mpf("0.7")
    return (entropy(w, root) - w**2 / (2 * root)) / (-(w**4) / (6 * root**3))


def rich_terms(w, root):
    return mp.log(1 / root) * abs(w) / 2 + abs(w) * (mp.log(4 * abs(w)) - 1) / 2


def rich_expansion(root):
    # The second term against what the first leaves.
    w = mp.mpf("0.7")
    left = entropy(w, root) - mp.log(1 / root) * w / 2
    return left / (w * (mp.log(4 * w) - 1) / 2)


def rich_remainder(random: Random):
    root = random.log_uniform(1e-3, 10)
    w = random.sign() * root * random.log_uniform(1e-2, 1e3)
    rest = closed(w, root) - rich_terms(w, root)
    return [0, rest], [rest, root / 4]


def limit_of(roots, x, y):
    """Return the limit from w = 0, by the one multiplier of one sample."""

    def excess(nu):
        return (
            mp.fsum(xi * root / 2 * mp.sinh(2 * xi * nu) for xi, root in zip(x, roots, strict=True))
            - y
        )

    # The answer's size: the largest coordinate takes all of y.
    high = mp.asinh(2 * y / (x[0] * roots[0])) / (2 * x[0])
    nu = mp.findroot(excess, (0, high), solver="anderson", tol=1e-60)
    return [root / 2 * mp.sinh(2 * xi * nu) for xi, root in zip(x, roots, strict=True)]


def kernel_rate(root):
    x, y = [mp.mpf(2), mp.mpf("0.7")], mp.mpf("1.3")
    size = mp.fdot(x, x)
    least = [y * xi / size for xi in x]
    pull = [2 / (3 * root**2) * z**3 for z in least]
    shift = mp.fdot(x, pull) / size
    return (limit_of([root, root], x, y)[1] - least[1]) / (pull[1] - shift * x[1])


def rich_rate(root):
    # Least ℓ₁ norm is (y/2, 0); the certificate is ½, and ρ of the second coordinate 0.35.
    x, y = [mp.mpf(2), mp.mpf("0.7")], mp.mpf("1.3")
    here, there = (limit_of([k, k], x, y)[1] for k in (root, root / 10))
    return mp.log(here / there) / mp.log(10) / (1 - mp.mpf("0.35"))


def descent_step(random: Random):
    weights, pull = start(random), random.uniform(-1, 1)
    root, w = root_k(weights), predictor(weights)
    stepped = mp.findroot(
        lambda z: slope(z, root) - slope(w, root) - pull,
        root / 2 * mp.sinh(2 * (slope(w, root) + pull)) + mp.mpf("1e-3"),
    )
    u, v, x, z = weights
    grow, shrink = mp.exp(pull), mp.exp(-pull)
    first, second = (u + v) * grow, (u - v) * shrink
    third, fourth = (x + z) * shrink, (x - z) * grow
    return stepped, (first**2 - second**2) / 4 - (third**2 - fourth**2) / 4


def smoothness(random: Random):
    # η x² is the least Hessian on the segment, that of its far end.
    root, w = random.log_uniform(0.1, 10), random.uniform(0, 2)
    ahead = w + random.sign() * random.log_uniform(1e-3, 1)
    eta_x2 = 1 / mp.sqrt(root**2 + 4 * max(abs(w), abs(ahead)) ** 2)
    return eta_x2 / 2 * (ahead - w) ** 2, divergence(ahead, w, root)


def mirror_fall(random: Random):
    root, x, y = random.log_uniform(0.1, 10), random.uniform(0.5, 2), random.uniform(0.5, 2)
    limit, w0 = y / x, random.uniform(-0.5, 0.5)
    radius = divergence(limit, w0, root)
    far = mp.findroot(
        lambda w: divergence(limit, w, root) - radius,
        (limit, 40 * (limit + root)),
        solver="illinois",
        tol=1e-20,
    )
    eta = 1 / (x**2 * mp.sqrt(root**2 + 4 * max(far, abs(w0)) ** 2))
    w = w0 + (limit - w0) * random.uniform(0, 0.99)
    r = y - x * w
    ahead = root / 2 * mp.sinh(2 * (slope(w, root) + eta * x * r))
    losses = (r**2 + (y - x * ahead) ** 2) / 2
    return eta * losses, divergence(limit, w, root) - divergence(limit, ahead, root)


def three_points(random: Random):
    root = random.log_uniform(0.3, 5)
    a, b, c = (random.uniform(-2, 2) for _ in range(3))

    def rise(a, b):
        return mp.quad(lambda z: slope(z, root) - slope(b, root), [b, a])

    left = rise(a, b) - rise(a, c)
    return left, rise(c, b) + (slope(c, root) - slope(b, root)) * (a - c)


def descent_k(random: Random):
    weights = start(random)
    root, c = root_k(weights), mp.log(mp.fdiv(*constants(weights))) / 2
    pulls = [random.uniform(-0.9, 0.9) for _ in range(4)]
    u, v, x, z = weights
    for p in pulls:
        u, v, x, z = u + p * v, v + p * u, x - p * z, z - p * x
    after = [u, v, x, z]
    left = [root_k(after), slope(predictor(after), root_k(after))]
    shrunk = root * mp.fprod(1 - p * p for p in pulls)
    return left, [shrunk, c / 2 + mp.fsum(map(mp.atanh, pulls))]


def inertia(random: Random):
    # θ'' + θ' = force for three pieces of constant pull, as a first-order system of 8.
    weights = start(random)
    state = mp.matrix([*weights, 0, 0, 0, 0])
    for _ in range(3):
        p = random.uniform(-2, 2)
        generator = mp.zeros(8, 8)
        for i in range(4):
            generator[i, 4 + i], generator[4 + i, 4 + i] = 1, -1
        for i, j, sign in ((0, 1, 1), (1, 0, 1), (2, 3, -1), (3, 2, -1)):
            generator[4 + i, j] = sign * p
        state = mp.expm(generator * random.uniform(0.2, 1)) * state

    def ratios(at):
        u, v, x, z = at
        return [(x - z) / (u + v), (u - v) / (x + z)]

    return ratios(list(state)[:4]), ratios(weights)


def remaining_move(random: Random):
    # ‖H⁻¹Xᵀ K⁻¹ r‖ against √(max H⁻¹ / λ_min(K)) ‖r‖.
    inverse = [random.log_uniform(0.5, 2) for _ in range(3)]
    X, r = random.matrix(2, 3), random.vector(2)
    half = X * mp.diag(inverse)
    K = half * X.T
    move = half.T * mp.lu_solve(K, r)
    least = min(mp.eigsy(K, eigvals_only=True))
    return mp.norm(move), mp.sqrt(max(inverse) / least) * mp.norm(r)


def hessian_defect():
    w = sp.symbols("w1:4", real=True)
    q = sp.Function("q")(*w)
    H = sp.hessian(q, w)
    return sp.Matrix(
        [
            sp.diff(H[i, j], w[k]) - sp.diff(H[i, k], w[j])
            for i in range(3)
            for j in range(3)
            for k in range(3)
        ]
    )


def innocent():
    """Return T of I + wwᵀ less δ_il w_j − δ_ij w_l, and the warped metric less its Hessian."""
    w = sp.Matrix(sp.symbols("w1:4", real=True))
    H = sp.eye(3) + w * w.T
    growth = sp.exp(w.dot(w) / 2)
    defects = [
        sp.diff(H[i, j], w[k])
        - sp.diff(H[i, k], w[j])
        - ((w[j] if i == k else 0) - (w[k] if i == j else 0))
        for i in range(3)
        for j in range(3)
        for k in range(3)
    ]
    return sp.Matrix([*defects, *(growth * H - sp.hessian(growth, list(w)))])


def determinant():
    a, b = sp.symbols("a b", real=True)
    H = sp.hessian((a**2 + b**2) / 2 + a**2 * b**2 / 2, (a, b))
    return sp.expand(H.det() - (1 + a**2 + b**2 - 3 * a**2 * b**2))


def scaling_law(random: Random):
    w, root, c = random.uniform(-2, 2), random.log_uniform(0.3, 5), random.log_uniform(0.2, 5)
    return entropy(c * w, c * root), c * entropy(w, root)


ENTRIES: dict[str, Entry] = {
    "eq-loss": Definition("the loss and the residual"),
    "eq-one-speed": Identity(one_coordinate),
    "eq-one-mirror": Identity(one_coordinate),
    "eq-metric-flow": Identity(metric_flow, draws=3, digits=20),
    "eq-mirror-flow": Identity(mirror_flow),
    "eq-row-space": Identity(row_space, draws=2, digits=12),
    "eq-mirror-problem": Identity(mirror_problem, draws=2, digits=15),
    "eq-hessian-map": Symbolic(hessian_defect),
    "eq-hessian-map: the innocent metric, and its rescue": Symbolic(innocent),
    "eq-diagonal": Definition("the network"),
    "eq-sums": Identity(sums, draws=5, digits=20),
    "eq-sums: what never changes": Identity(conserved),
    "eq-predictor": Identity(predictor_of_pulls),
    "eq-sinh": Identity(sinh),
    "eq-hypentropy": Identity(hypentropy, draws=6, digits=20),
    "def-hypentropy: its second derivative": Identity(curvature),
    "eq-diagonal-problem": Identity(diagonal_problem, draws=2, digits=15),
    "eq-dual": Identity(dual, digits=20),
    "eq-sqrt-k": Identity(scale_and_shape),
    "eq-kernel-expansion": Asymptotic(kernel_expansion, (10, 30, 100), 1e-3),
    "eq-rich-expansion": Asymptotic(rich_expansion, ("1e-2", "1e-3", "1e-4"), 1e-2),
    "eq-rich-expansion: the remainder": Inequality(rich_remainder, nearness=1e-2),
    "eq-kernel-rate": Asymptotic(kernel_rate, (10, 100, 1000), 1e-5),
    "eq-rich-rate": Asymptotic(rich_rate, ("1e-4", "1e-8", "1e-12"), 1e-3),
    "eq-mirror-descent": Identity(descent_step, digits=25),
    "eq-relative-smoothness": Inequality(smoothness, nearness=1e-2),
    "eq-mirror-fall": Inequality(mirror_fall, nearness=0.2, draws=15),
    "eq-three-points": Identity(three_points, draws=3, digits=20),
    "eq-descent-k": Identity(descent_k),
    "eq-inertia": Identity(inertia, draws=5),
    "ex-imd-integral: the scaling law": Identity(scaling_law, draws=5, digits=20),
    "ex-imd-hessian: the determinant": Symbolic(determinant),
    "ex-imd-loss: the bound on the remaining move": Inequality(remaining_move, nearness=0.3),
}
