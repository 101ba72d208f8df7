"""Labelled equations of the further theorems on homogeneous networks."""

import mpmath as mp
from identity_kinds import Asymptotic, Definition, Entry, Identity, Inequality, Random


def _logistic_inverse(u):
    return -mp.log(mp.expm1(mp.exp(-u)))


def _dot(a, b):
    return mp.fsum(x * y for x, y in zip(a, b, strict=True))


def _norm(a):
    return mp.sqrt(_dot(a, a))


def _bracket_of_losses(random: Random):
    """Least margins of n samples and k classes, and the two ends of the bracket."""
    n, k = random.integer(1, 4), random.integer(2, 4)
    spread = random.log_uniform(1e-9, 2)
    base = random.uniform(2.5, 4)
    scores = [[base + random.uniform(0, spread) for _ in range(k - 1)] for _ in range(n)]
    flat = [row[0] for row in scores]
    low, high, least = [], [], []
    for each, inverse in (
        (lambda q: mp.exp(-q), lambda u: u),
        (lambda q: mp.log1p(mp.exp(-q)), _logistic_inverse),
        (lambda q: mp.exp(-(q**3)), lambda u: mp.cbrt(u)),
    ):
        u = -mp.log(mp.fsum(each(q) for q in flat))
        low.append(inverse(u))
        high.append(inverse(u + mp.log(n)))
        least.append(min(flat))
    total = mp.fsum(mp.log1p(mp.fsum(mp.exp(-s) for s in row)) for row in scores)
    u = -mp.log(total)
    low.append(_logistic_inverse(u))
    high.append(_logistic_inverse(u + mp.log(n)) + mp.log(k - 1))
    least.append(min(min(row) for row in scores))
    return [*low, *least], [*least, *high]


def _growth_of_the_norm(random: Random):
    """ν of n samples, with its cap: exponential, cubic, logistic and k classes."""
    n, k = random.integer(1, 4), random.integer(2, 5)
    spread = random.log_uniform(1e-6, 2)
    near = [1 + random.uniform(-spread, spread) for _ in range(n)]
    cap = mp.lambertw((k - 1) / mp.e)
    scores = [[1 + cap + random.uniform(-spread, spread) for _ in range(k - 1)] for _ in range(n)]
    pulls = [
        mp.fsum(q * mp.exp(-q) for q in near),
        mp.fsum(3 * q**3 * mp.exp(-(q**3)) for q in near),
        mp.fsum(
            mp.fsum(s * mp.exp(-s) for s in row) / (1 + mp.fsum(mp.exp(-s) for s in row))
            for row in scores
        ),
    ]
    return pulls, [n / mp.e, 3 * n / mp.e, n * cap]


def _cap_of_classes(random: Random):
    k = random.integer(2, 30)
    top = mp.findroot(lambda q: mp.diff(lambda p: (k - 1) * p / (mp.exp(p) + k - 1), q), 1.5)
    return (k - 1) * top / (mp.exp(top) + k - 1), mp.lambertw((k - 1) / mp.e)


def _squares(random: Random):
    """A net of order 2, Φ = ⟨u∘u, x⟩, on n samples, with a loss below 1."""
    n, d = random.integer(1, 3), random.integer(1, 3)
    Z = [[random.uniform(0.3, 1) for _ in range(d)] for _ in range(n)]
    u = [random.uniform(2, 3) for _ in range(d)]
    q = [_dot(z, [x * x for x in u]) for z in Z]
    loss = mp.fsum(mp.exp(-each) for each in q)
    pull = [
        2 * x * mp.fsum(mp.exp(-e) * z[i] for e, z in zip(q, Z, strict=True))
        for i, x in enumerate(u)
    ]
    largest = 2 * max(max(z) for z in Z)
    return u, q, loss, pull, largest


def _speed(random: Random):
    """Both sides of the bracket as speeds: of the integrals, and what they are bounded by."""
    theta, _, loss, pull, largest = _squares(random)
    u, a = -mp.log(loss), 1
    margin = u / _dot(theta, theta)
    speed = _dot(pull, pull) / loss**2 * u**-a  # d/dt of ∫ e^v v^−a dv
    return [4 * margin, speed], [speed, largest**2 * margin**-a]


def _explicit(random: Random):
    """A single sample with layers along it, L = 2: the integral is ct, c on both sides."""
    c, start = random.uniform(0.5, 2), random.log_uniform(3, 300)
    u = start + random.uniform(1, 60)
    t = (mp.ei(u) - mp.ei(start)) / c
    shift = mp.exp(start) / start / c
    value = mp.exp(-u) * u
    return [1 / (c * (t + shift)), value], [value, 1 / ((1 - 1 / start) * c * t)]


def _log_time(scale):
    """One layer and one sample: 1/𝓛 = 2 + γ²t and ρ = u/γ, whatever γ."""
    gamma = mp.mpf(3)
    u = mp.log(2 + gamma**2 * mp.exp(scale))
    return (u / gamma) / (scale / gamma)


def _two_blocks(random: Random):
    M = random.matrix(2, 2)
    w, v = random.vector(2), random.vector(2)
    if (w.T * M * v)[0] < 0:
        v = -v
    return M, w, v


def _block_growth(random: Random):
    """One sample and Φ = wᵀMv: d log(q/‖w‖‖v‖)/dt, and the turning of both blocks."""
    M, w, v = _two_blocks(random)
    w_speed, v_speed = M * v, M.T * w

    def margin(t):
        a, b = w + t * w_speed, v + t * v_speed
        return mp.log((a.T * M * b)[0] / mp.norm(a) / mp.norm(b))

    turning = mp.mpf(0)
    for block, speed in ((w, w_speed), (v, v_speed)):
        square = (block.T * block)[0]
        radial = (block.T * speed)[0] / square
        across = speed - radial * block
        turning += (across.T * across)[0] / square / radial
    return mp.diff(margin, 0), turning


def _ratio_of_blocks(random: Random):
    k = [random.uniform(0.5, 3) for _ in range(random.integer(2, 4))]
    order, common = mp.fsum(k), random.uniform(0.5, 2)
    off = random.log_uniform(1e-6, 1)
    square = [each * common * (1 + off * random.uniform(0, 1)) for each in k]
    ratio = mp.fsum(square) ** (order / 2) / mp.fprod(
        s ** (each / 2) for s, each in zip(square, k, strict=True)
    )
    return mp.fprod((order / each) ** (each / 2) for each in k), ratio


def _visit(random: Random):
    """One sample along the first axis, w = (p, m): ε is least at the end of a stretch."""
    m, p = random.uniform(0.1, 2), random.uniform(1, 2)
    last = p + random.log_uniform(1e-6, 10)
    rho, new = mp.hypot(p, m), mp.hypot(last, m)
    x = mp.log((last / new) / (p / rho)) / mp.log(new / rho)
    epsilon_square = 2 * (1 - last / new) * (last / new) ** -2
    return epsilon_square, 2 * (1 - 1 / mp.sqrt(1 + x)) * (p / rho) ** -2


def _visit_loss(random: Random):
    """Insert R = log(ρ₂/ρ₁) at u₂, the least that it can be, into the bound on ε."""
    L, first = random.integer(1, 4), random.uniform(0.2, 0.6)
    last, u1 = first * random.uniform(1.1, 2), random.uniform(1, 5)
    epsilon = random.uniform(0.2, 1)
    b = 1 - epsilon**2 * first ** (mp.mpf(2) / L) / 2
    u2 = u1 * (last / first) ** (1 + 1 / (b**-2 - 1))
    growth = (mp.log(u2 / last) - mp.log(u1 / first)) / L
    x = mp.log(last / first) / (L * growth)
    return 2 * (1 - 1 / mp.sqrt(1 + x)) * first ** (-mp.mpf(2) / L), epsilon**2


def _pairs(random: Random):
    """A linear model with three classes: margins, weights of pairs, θ, gradients of pairs."""
    n, k = random.integer(2, 3), 3
    W = [[5 * int(l == i) + random.uniform(-0.5, 0.5) for i in range(k)] for l in range(k)]
    X = [[int(j == i) + random.uniform(-0.2, 0.2) for i in range(k)] for j in range(n)]
    theta = [x for row in W for x in row]
    margins, weights, slopes, total = [], [], [], mp.mpf(0)
    for j in range(n):
        s = [_dot(W[j], X[j]) - _dot(W[l], X[j]) for l in range(k) if l != j]
        Z = mp.fsum(mp.exp(-e) for e in s)
        total += mp.log1p(Z)
        margins += s
        weights += [mp.exp(-e) / (1 + Z) for e in s]
        slopes += [
            [(int(i == j) - int(i == l)) * x for i in range(k) for x in X[j]]
            for l in range(k)
            if l != j
        ]
    return margins, weights, slopes, theta, total


def _pair_stationarity(random: Random):
    margins, weights, slopes, theta, _ = _pairs(random)
    pull = [_dot(weights, [row[i] for row in slopes]) for i in range(len(theta))]
    q, rho, size = min(margins), _norm(theta), _norm(pull)
    multipliers = [rho / q * v / size for v in weights]
    residual = [
        theta[i] / q - _dot(multipliers, [row[i] for row in slopes]) for i in range(len(theta))
    ]
    beta = _dot(theta, pull) / (rho * size)
    return _norm(residual), mp.sqrt(2 * (1 - beta)) * rho / q


def _pair_complementarity(random: Random):
    margins, weights, slopes, theta, total = _pairs(random)
    pull = [_dot(weights, [row[i] for row in slopes]) for i in range(len(theta))]
    q, rho = min(margins), _norm(theta)
    delta = mp.fsum(
        rho / q * v / _norm(pull) * (s / q - 1) for v, s in zip(weights, margins, strict=True)
    )
    u = -mp.log(total)
    h = mp.exp(u) * (1 - mp.exp(-mp.exp(-u))) * _logistic_inverse(u)
    kappa = mp.exp(-q) / mp.log1p(mp.exp(-q))
    return delta, (len(margins) - 1) * kappa / (mp.e * (q / rho) ** 2 * h)


def _slide(random: Random):
    """The σ whose velocity does not leave the kink, found as a root."""
    angle = random.uniform(0.2, 1.5)
    x1, x2 = (mp.sin(angle), mp.cos(angle)), (mp.mpf(0), mp.mpf(1))
    sigma = mp.findroot(lambda s: _dot([x1[0] - s * x2[0], x1[1] - s * x2[1]], x2), 0.5)
    return sigma, mp.cos(angle)


def _slide_speeds(random: Random):
    """Speeds of m, p and a, from differences of the loss on either side of the kink."""
    angle, a = random.uniform(0.2, 1.5), random.uniform(0.5, 1.5)
    c, side = mp.cos(angle), random.sign()
    x1, x2 = (mp.sin(angle), c), (mp.mpf(0), mp.mpf(1))
    w = (random.uniform(1, 2), side * random.uniform(0.1, 0.4))
    p, m = _dot(w, x1), _dot(w, x2)
    q = a * (p - max(m, 0))

    def loss(weight, first, second):
        # The second neuron, the mirror image, is held: its inputs are m from x₁ and p from x₂.
        at_1 = weight * max(_dot((first, second), x1), 0) - a * max(m, 0)
        at_2 = weight * max(_dot((first, second), x2), 0) - a * p
        return mp.exp(-at_1) + mp.exp(at_2)

    slope = [-mp.diff(loss, (a, *w), order) for order in ((1, 0, 0), (0, 1, 0), (0, 0, 1))]
    sigma = 1 if m > 0 else 0
    pace = a * mp.exp(-q)
    predicted = [pace * (c - sigma), pace * (1 - sigma * c), pace / a * (p - max(m, 0))]
    return [_dot(slope[1:], x2), _dot(slope[1:], x1), slope[0]], predicted


def _step(random: Random):
    """A linear model, a share s, and a step of that share: everything before and after it."""
    n, share = random.integer(1, 3), random.log_uniform(1e-3, 1)
    Z = [[random.uniform(0.5, 1), random.uniform(-0.4, 0.4)] for _ in range(n)]
    w = [random.uniform(5, 8), random.uniform(-2, 2)]
    largest = max(_norm(z) for z in Z)

    def look(at):
        q = [_dot(z, at) for z in Z]
        loss = mp.fsum(mp.exp(-e) for e in q)
        pull = [mp.fsum(mp.exp(-e) * z[i] for e, z in zip(q, Z, strict=True)) for i in range(2)]
        return loss, pull, mp.fsum(mp.exp(-e) * e for e in q)

    loss, pull, nu = look(w)
    u = -mp.log(loss)
    # L = 1: C = B₁²/2 and κ = 𝓛; at the first step μ = 1/2.
    step = share / (largest**2 * loss)
    after = [x + step * g for x, g in zip(w, pull, strict=True)]
    return share, w, loss, pull, nu, u, step, after, largest, look


def _fall(random: Random):
    share, _, loss, pull, _, _, step, after, _, look = _step(random)
    return (1 - share / 2) * step * _dot(pull, pull), loss - look(after)[0]


def _speed_within(random: Random):
    _, w, loss, pull, _, _, step, _, largest, look = _step(random)
    at = step * random.uniform(0, 1)

    def u(t):
        return -mp.log(look([x + t * g for x, g in zip(w, pull, strict=True)])[0])

    return mp.diff(u, at), largest**2 * loss


def _descent_rates(random: Random):
    share, w, loss, pull, _, u, step, _, largest, look = _step(random)
    total, at = mp.mpf(0), w
    for _ in range(5):
        _, pull, _ = look(at)
        at = [x + step * g for x, g in zip(at, pull, strict=True)]
        total += step
    grown = 1 / look(at)[0] - 1 / loss
    margin = u / _norm(w) * mp.exp(-share * (1 + 1 / (2 * u)))
    lower = (1 - share / 2) * margin**2 * total
    return [lower, grown], [grown, mp.exp(share * mp.sqrt(mp.e)) * largest**2 * total]


def _descent_budget(random: Random):
    share, w, loss, pull, nu, u, step, after, _, look = _step(random)

    def modified(log_inverse, rho):
        return mp.log(log_inverse / rho) - share * u * (1 / log_inverse + 1 / (2 * log_inverse**2))

    grown = modified(-mp.log(look(after)[0]), _norm(after)) - modified(u, _norm(w))
    beta = _dot(w, pull) / (_norm(w) * _norm(pull))
    middle = step * _dot(pull, pull) / (loss * u) * (1 - beta**2)
    return [step * nu / _dot(w, w) * (beta**-2 - 1), middle], [middle, grown]


ENTRIES: dict[str, Entry] = {
    "eq-hm-growth-rate": Definition("h, how much the norm grows at least at a loss"),
    "eq-hm-losses": Inequality(_bracket_of_losses, nearness=1e-6),
    "eq-hm-exists": Inequality(_growth_of_the_norm, nearness=1e-6),
    "thm-hm-exists: the cap for k classes": Identity(_cap_of_classes),
    "eq-hm-bracket": Inequality(_speed, nearness=1e-6),
    "eq-hm-norm-rate": Asymptotic(_log_time, (10, 100, 1000), 0.003),
    "eq-hm-explicit": Inequality(_explicit, nearness=0.01),
    "eq-hm-blocks": Identity(_block_growth, digits=20),
    "eq-hm-block-ratio": Inequality(_ratio_of_blocks, nearness=1e-6),
    "eq-hm-visit": Inequality(_visit, nearness=1e-3),
    "eq-hm-visit-loss": Identity(_visit_loss),
    "eq-hm-pairs": Definition("the hard-margin problem with one constraint for each wrong class"),
    "eq-hm-pair-residuals": Identity(_pair_stationarity),
    "eq-hm-pair-residuals: complementarity": Inequality(_pair_complementarity, nearness=0.95),
    "eq-hm-clarke": Definition("Clarke's subdifferential"),
    "eq-hm-chain": Definition("functions that admit a chain rule"),
    "eq-hm-slide": Identity(_slide),
    "eq-hm-slide-speeds": Identity(_slide_speeds, digits=15),
    "eq-hm-descent-rates": Inequality(_descent_rates, nearness=0.02),
    "eq-hm-descent-fall": Inequality(_fall, nearness=1e-2),
    "eq-hm-step-speed": Inequality(_speed_within, nearness=1e-2),
    "eq-hm-descent-budget": Inequality(_descent_budget, nearness=0.05),
    "eq-hm-generalization": Definition("a bound that is cited, not proven or checked here"),
}
