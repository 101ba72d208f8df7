"""The labelled equations of the chapter on nearly homogeneous networks."""

from collections.abc import Sequence

import sympy
from identity_kinds import Asymptotic, Definition, Entry, Identity, Inequality, Random, Symbolic
from mpmath import mp, mpf


class Biased:
    """f = uvx + b on samples with |x| ≤ 1: order 2, p′ = p_a = ρ, q′ = 1 + ρ, q″ = 1."""

    def __init__(self, theta: Sequence[mpf], x: Sequence[mpf], y: Sequence[int]) -> None:
        self.theta, self.x, self.y = list(theta), list(x), list(y)

    def margins(self, theta: Sequence[mpf] | None = None) -> list[mpf]:
        u, v, b = self.theta if theta is None else theta
        return [label * (u * v * x + b) for x, label in zip(self.x, self.y, strict=True)]

    def psi(self, theta: Sequence[mpf] | None = None) -> mpf:
        q = self.margins(theta)
        return min(q) - mp.log(sum(mp.exp(min(q) - value) for value in q))

    @property
    def rho(self) -> mpf:
        return norm(self.theta)

    @property
    def mu(self) -> mpf:
        return 2 * self.psi() - self.rho

    def slopes(self) -> list[list[mpf]]:
        """∇q_j for each sample."""
        u, v, _ = self.theta
        return [[y * v * x, y * u * x, mpf(y)] for x, y in zip(self.x, self.y, strict=True)]

    def slope(self) -> list[mpf]:
        """∇ψ = −∇𝓛/𝓛, from the weights e^(ψ − q)."""
        weights = [mp.exp(self.psi() - q) for q in self.margins()]
        return [
            sum(w * g[i] for w, g in zip(weights, self.slopes(), strict=True)) for i in range(3)
        ]

    def along(self, direction: Sequence[mpf], function) -> mpf:
        """Derivative at 0 of function(θ + t·direction)."""
        return mp.diff(
            lambda t: function([a + t * d for a, d in zip(self.theta, direction, strict=True)]), 0
        )


def norm(vector: Sequence[mpf]) -> mpf:
    return mp.sqrt(sum(entry**2 for entry in vector))


def dot(a: Sequence[mpf], b: Sequence[mpf]) -> mpf:
    return sum(x * y for x, y in zip(a, b, strict=True))


def biased(random: Random) -> Biased:
    """Weights and samples at random; every third time nearly those that attain the bound."""
    kind = random.integer(0, 2)
    if kind == 0:
        b = random.log_uniform(1, 100)
        return Biased([random.uniform(0, 1e-3), random.uniform(0, 1e-3), b], [mpf(1)], [1])
    size = random.integer(1, 4)
    x = [random.uniform(-1, 1) for _ in range(size)]
    return Biased(
        [random.uniform(-3, 3) for _ in range(3)], x, [1 if value > 0 else -1 for value in x]
    )


def separated(random: Random) -> Biased:
    """Strongly separated: uv is large against ρ, and labels are the signs of x."""
    x = [random.uniform(0.5, 1) * random.sign() for _ in range(random.integer(1, 4))]
    x[0] = mpf(random.sign())
    u = random.log_uniform(10, 1e5)
    theta = [u, u * random.uniform(0.95, 1.05), random.uniform(-1, 1)]
    return Biased(theta, x, [int(mp.sign(value)) for value in x])


def polynomial(coefficients: Sequence[mpf], r: mpf) -> mpf:
    return sum((c * r**i for i, c in enumerate(coefficients)), start=mpf(0))


def random_polynomials(random: Random) -> tuple[int, list[mpf], list[mpf], mpf]:
    """M, p′, p_a and ρ."""
    M = random.integer(1, 5)
    defect = [random.uniform(0, 2) for _ in range(M)]
    return M, defect, [c / (M - i) for i, c in enumerate(defect)], random.log_uniform(0.1, 10)


def psi_bounds(random: Random):
    n = random.integer(1, 6)
    same = random.integer(0, 1)
    first = random.uniform(-3, 3)
    q = [first if same else random.uniform(-3, 3) for _ in range(n)]
    psi = -mp.log(sum(mp.exp(-value) for value in q))
    return [min(q) - mp.log(n), psi], [psi, min(q)]


def softplus(z: mpf) -> mpf:
    return mp.log1p(mp.exp(z))


def example(random: Random):
    # k = d = 2; the largest share of the budget goes to v and W₂.
    size = random.log_uniform(0.1, 1e4)
    v, x = random.vector(2) * size, random.vector(2)
    W1, W2 = random.matrix(2, 2, scale=0.01), random.matrix(2, 2) * size
    x = x / mp.norm(x)
    W2 = W2 * (mp.norm(v) / mp.mnorm(W2, "f"))

    def f(c: mpf) -> mpf:
        z = c * (W1 * x)
        inner = c * (W2 * mp.matrix([softplus(z[0]), softplus(z[1])]))
        return c * (v.T * (x + inner))[0]

    defect = abs(mp.diff(f, 1) - 3 * f(mpf(1)))
    kappa = mp.log(2)
    bound = mp.norm(v) * (2 + kappa * mp.sqrt(2) * mp.mnorm(W2, "f"))
    rho = mp.sqrt(mp.norm(v) ** 2 + mp.mnorm(W1, "f") ** 2 + mp.mnorm(W2, "f") ** 2)
    return [defect, bound], [bound, 2 * rho + kappa * mp.sqrt(2) * rho**2 / 2]


def far_away(c: mpf) -> mpf:
    """f(cθ)/(c² f_H) for a softplus(wx + b) + d at a = 0.7, w = 1.3, b = −0.4, d = 0.9, x = 2."""
    a, w, b, d, x = map(mpf, ("0.7", "1.3", "-0.4", "0.9", "2"))
    return (c * a * softplus(c * (w * x + b)) + c * d) / c**2 / (a * (w * x + b))


def gap(random: Random):
    M, defect, p_a, rho = random_polynomials(random)
    integral = mp.quad(lambda c: polynomial(defect, c * rho) / c ** (M + 1), [1, 2, 5, 50, mp.inf])
    slope = mp.diff(lambda r: polynomial(p_a, r), rho)
    return (
        [integral, polynomial(defect, rho)],
        [polynomial(p_a, rho), M * polynomial(p_a, rho) - rho * slope],
    )


def line_one(random: Random):
    net = biased(random)
    weights = [mp.exp(net.psi() - q) for q in net.margins()]
    middle = sum(w * (2 * q - net.rho) for w, q in zip(weights, net.margins(), strict=True))
    return [middle, net.mu], [dot(net.theta, net.slope()), middle]


def line_two(random: Random):
    # In units of 𝓛: ρ̇ = ⟨θ, ∇ψ⟩/ρ, and β from both directions.
    net = separated(random)
    h = net.slope()
    rate = net.along(h, net.psi)
    rho_dot = net.along(h, norm)
    beta = dot(net.theta, h) / net.rho / norm(h)
    return [rate, rate], [norm(h) ** 2, rho_dot**2 / beta**2]


def line_two_bound(random: Random):
    net = separated(random)
    h = net.slope()
    beta = dot(net.theta, h) / net.rho / norm(h)
    return dot(net.theta, h) / net.rho**2 * net.mu / beta**2, norm(h) ** 2


def line_three(random: Random):
    net = separated(random)
    h = net.slope()
    rho_dot = net.along(h, norm)
    left = net.along(h, lambda t: net.psi(t) - norm(t))
    left -= 2 * rho_dot / net.rho * (net.psi() - net.rho)
    return left, net.along(h, net.psi) - rho_dot / net.rho * net.mu


def positive(random: Random):
    M, defect, p_a, rho = random_polynomials(random)
    psi = random.uniform(0, 50)
    slope = mp.diff(lambda r: polynomial(p_a, r), rho)
    right = M * (psi - polynomial(p_a, rho)) + rho * slope
    return M * psi - polynomial(defect, rho), right


def hyperbola(random: Random):
    A, B, s = random.uniform(0.1, 3), random.uniform(-2, 2), random.uniform(-1, 3)

    def v(t: mpf) -> mpf:
        return (A * mp.exp(t) - B * mp.exp(-t)) / 2

    def one_plus_w(t: mpf) -> mpf:
        return (A * mp.exp(t) + B * mp.exp(-t)) / 2

    f = (A**2 * mp.exp(2 * s) - B**2 * mp.exp(-2 * s)) / 4
    return (
        [mp.diff(one_plus_w, s), mp.diff(v, s), v(s) * one_plus_w(s)],
        [v(s), one_plus_w(s), f],
    )


def budget(random: Random):
    # The flow of vw + cv with one sample, by the clock s; for c = 0 both sides are equal.
    c, scale = mpf(random.integer(0, 1)), random.log_uniform(2, 20)
    start = random.uniform(0.2, 1)

    def at(s: mpf) -> tuple[mpf, mpf, mpf]:
        """Return log γᵐ, β^−2 − 1 and d log ρ/ds."""
        v, up = scale * mp.sinh(s), scale * mp.cosh(s)  # up = w + c
        theta, along = [up - c, v], [v, up]
        rho = norm(theta)
        beta = dot(theta, along) / rho / norm(along)
        margin = (v * up - c * rho) / rho**2
        return mp.log(margin), 1 / beta**2 - 1, dot(theta, along) / rho**2

    ends = [start, start + random.uniform(0.1, 0.5)]
    spent = mp.quad(lambda s: at(s)[1] * at(s)[2], ends, maxdegree=6)
    return spent, (at(ends[1])[0] - at(ends[0])[0]) / 2


def multiplier(random: Random):
    net = separated(random)
    psi, margin = net.psi(), (net.psi() - net.rho) / net.rho**2
    lambdas = [mp.exp(psi - q) * net.rho / norm(net.slope()) for q in net.margins()]
    return lambdas, [mp.exp(psi - q) / (2 * margin) for q in net.margins()]


def rate(inverse_loss: mpf) -> mpf:
    """For f = uv, u = v, one sample: d(1/𝓛)/dt = 2 log(1/𝓛), and γ = ½."""
    log = mp.log(inverse_loss)
    # ∫ dU/(2 log U) with U = e^x
    time = mp.li(inverse_loss) / 2
    return time / inverse_loss * log * 4 * mpf("0.5")


def bias():
    L, s, v, rho, gamma = sympy.symbols("L s v rho gamma", positive=True)
    psi = gamma * rho**3
    by_time = L * s * v / (L * 3 * psi / rho**2)
    return by_time - s * v / (3 * gamma * rho)


def curvature(random: Random):
    net = separated(random)
    g = net.slopes()[0] if random.integer(0, 1) else [random.uniform(-1, 1) for _ in range(3)]
    d = [entry / norm(g) for entry in g]
    psi = net.psi()

    def loss(t: mpf) -> mpf:  # 𝓛 over its value at θ
        return mp.exp(psi - net.psi([a + t * b for a, b in zip(net.theta, d, strict=True)]))

    return abs(mp.diff(loss, 0, 2)), (1 + net.rho) ** 2 + 1


def step(random: Random):
    M, _, p_a, rho = random_polynomials(random)
    excess = random.uniform(6, 50)
    psi = polynomial(p_a, rho) + excess
    r0 = rho * mp.root(2 * psi / excess, M)
    return r0**M, 2 * psi / (excess / rho**M)


def constant(M: int, omega: mpf) -> mpf:
    small = 1 + 1 / (2 * omega)
    return 1 + (1 + M * small**2 * mp.exp(M / omega * small)) / omega


def nearly(random: Random):
    # B(𝓛₀)/γ₀ with the longest step; G = r^i alone is the worst that a polynomial can be.
    M = random.integer(1, 40)
    power = 2 * M - 2 if random.integer(0, 1) else random.integer(0, 2 * M - 2)
    excess = random.uniform(6, 7)
    psi = excess + (random.uniform(0, 3) if random.integer(0, 1) else 0)
    integral = mp.gammainc(1 + mpf(power) / M, psi) * mp.exp(psi) / psi ** (mpf(power) / M)
    return constant(M, M * excess / 2) * integral / excess, mpf("0.37")


def budget_constant(random: Random):
    M = random.integer(1, 30)
    first = (constant(M, mpf(3) * M), constant(M, 3 * M * random.uniform(1, 4)))
    return [first[1], first[0]], [first[0], mpf("2.01")]


def descended(net: Biased, share: mpf) -> tuple[Biased, mpf, mpf]:
    """One step of a share of 1/(𝓛K); the net after it, η𝓛 and K(ψ), with γ_* = γ/2."""
    margin = (net.psi() - net.rho) / net.rho**2
    K = (1 + mp.sqrt(2 * net.psi() / margin)) ** 2 + 1
    size = share / K
    theta = [a + size * g for a, g in zip(net.theta, net.slope(), strict=True)]
    return Biased(theta, net.x, net.y), size, K


def gain(random: Random):
    net = separated(random)
    after, size, K = descended(net, random.log_uniform(1e-4, 1))
    margin = (net.psi() - net.rho) / net.rho**2
    least = size * (1 - size * K / 2) * 4 * margin**2 * net.rho**2
    return least, mp.expm1(after.psi() - net.psi())


def lack(M, mu, rho, size, K, g, beta) -> mpf:
    """D, for ‖∇ψ‖ = g and η𝓛 = size, with S = 𝓛K."""
    sigma = size * g / rho
    e = beta * sigma + sigma**2 / 2
    return size * g**2 * size * (K + mu / rho**2) / 2 + mu * (mp.expm1(M * e) / M - e)


def one_step(random: Random):
    # A linear predictor and one sample of norm 1: no defect, G = 1; and uvx + b.
    share = random.log_uniform(1e-4, 1)
    if random.integer(0, 1):
        w = [random.uniform(7, 20), random.uniform(2, 20)]
        rho, psi = norm(w), w[0]
        beta = psi / rho
        after = norm([w[0] + share, w[1]])
        gained = after * ((psi + share) / after - psi / rho)
        return (1 - beta**2) * share - lack(1, psi, rho, share, 1, 1, beta), gained
    net = separated(random)
    after, size, K = descended(net, share)
    g, rho = norm(net.slope()), net.rho
    beta = dot(net.theta, net.slope()) / rho / g
    margins = [(part.psi() - part.rho) / part.rho**2 for part in (net, after)]
    gained = after.rho**2 * (margins[1] - margins[0])
    return (1 - beta**2) * size * g**2 - lack(2, net.mu, rho, size, K, g, beta), gained


def bracket(random: Random):
    M, _, p_a, rho = random_polynomials(random)
    psi, after = random.uniform(5, 30), random.uniform(5, 30)
    longer = rho * random.uniform(1, 2)
    E = mp.log(longer / rho)
    terms = sum(c * rho**i * mp.expm1(i * E) for i, c in enumerate(p_a))
    excess = psi - polynomial(p_a, rho)
    left = longer**M * ((after - polynomial(p_a, longer)) / longer**M - excess / rho**M)
    return left, after - psi - terms - excess * mp.expm1(M * E)


def price(random: Random):
    M, rho = random.integer(1, 5), random.log_uniform(0.5, 30)
    omega = M * random.uniform(3, 40)
    mu = omega * random.uniform(1, 1.3)
    slope = mu / rho * random.uniform(1, 1.2)  # q′, at least μ/ρ
    K = slope**2 * random.uniform(1, 1.5)
    g = slope * random.uniform(mu / rho / slope, 1)
    beta = random.uniform(mu / rho / g, 1)
    size = random.uniform(0.9, 1) / K
    C = constant(M, omega)
    # The integral of K over a loss that falls by at least u/2, in units of 𝓛.
    falls = size * g**2 / 2
    return (
        [lack(M, mu, rho, size, K, g, beta), C / 2 * size**2 * g**2 * K],
        [C / 2 * size**2 * g**2 * K, C * size * K * falls],
    )


def tail(random: Random):
    M = random.integer(1, 5)
    psi = random.log_uniform(6, 500)
    c = [random.uniform(0, 1) for _ in range(2 * M - 1)]
    integral = sum(k * mp.gammainc(1 + mpf(i) / M, psi) * mp.exp(psi) for i, k in enumerate(c))
    K = sum(k * psi ** (mpf(i) / M) for i, k in enumerate(c))
    return integral, K / (1 - (2 - mpf(2) / M) / psi)


def head(random: Random, tokens: int):
    """A head of attention as a function of the scale of its parameters, and its parts."""
    x = [random.vector(2) for _ in range(tokens)]
    W_q, W_k, v = random.matrix(2, 2), random.matrix(2, 2), random.vector(2)

    def parts(c: mpf):
        query = (c * W_q).T * x[0]
        scores = [(query.T * ((c * W_k).T * token))[0] for token in x]
        weights = [mp.exp(score) for score in scores]
        values = [(c * v.T * token)[0] for token in x]
        return [w / sum(weights) for w in weights], scores, values

    size = mp.sqrt(mp.mnorm(W_q, "f") ** 2 + mp.mnorm(W_k, "f") ** 2 + mp.norm(v) ** 2)
    return parts, size, max(mp.norm(token) for token in x), v, x


def attention(random: Random):
    parts, *_ = head(random, 3)

    def f(c: mpf) -> mpf:
        p, _, values = parts(c)
        return dot(p, values)

    p, a, z = parts(mpf(1))
    covariance = dot(p, [s * t for s, t in zip(a, z, strict=True)]) - dot(p, a) * dot(p, z)
    return mp.diff(f, 1) - f(mpf(1)), 2 * covariance


def head_bound(random: Random):
    k = random.integer(1, 4)
    if k == 1:
        # One token, v along it, and next to nothing else: the bound is attained.
        x = random.vector(2)
        v = random.log_uniform(0.1, 10)
        small = random.log_uniform(1e-6, 1e-3)
        return 2 * v * mp.norm(x), 2 * mp.norm(x) * mp.sqrt(v**2 + small**2)
    parts, size, radius, *_ = head(random, k)

    def f(c: mpf) -> mpf:
        p, _, values = parts(c)
        return dot(p, values)

    return abs(mp.diff(f, 1) - 3 * f(mpf(1))), (4 * mpf(k - 1) / mp.e + 2) * radius * size


def steepest(random: Random):
    net = biased(random)
    if random.integer(0, 1):
        r = random.log_uniform(1, 100)
        net = Biased([r, r, r * random.uniform(0.99, 1)], [mpf(1)], [1])
    largest = max(map(abs, net.theta))
    dual = sum(map(abs, net.slope()))
    # The direction of steepest ascent has length 1: ‖∇ψ‖₁ is the rate of ψ along it.
    climbing = net.along([mp.sign(g) for g in net.slope()], net.psi)
    return [(2 * net.psi() - largest) / largest, dual], [climbing, climbing]


def wins(random: Random):
    # The balance p₊ − p₋ = −1/a that keeps b ≈ −a uv, from margins with the two constants.
    a, uv = random.uniform(1.05, 5), random.uniform(1, 50)
    delta = mp.log((a + 1) / (a - 1)) / 2
    b = delta - a * uv
    q = [-(uv * (a - 1) + b), uv * (a + 1) + b]
    loss = [mp.exp(-value) for value in q]
    psi = -mp.log(sum(loss))
    balance = (loss[1] - loss[0]) / sum(loss)
    return [balance, uv - psi], [-1 / a, mp.log(2 * a / mp.sqrt(a * a - 1))]


ENTRIES: dict[str, Entry] = {
    "eq-nh-psi": Inequality(psi_bounds, nearness=1e-30),
    "eq-nh-two": Definition("the smallest network with a skip connection"),
    "eq-nh-definition": Definition("near-homogeneity"),
    "eq-nh-example": Inequality(example, nearness=1e-3, draws=30),
    "eq-nh-homogenization": Asymptotic(far_away, (1e2, 1e4, 1e6), 1e-6),
    "eq-nh-gap": Identity(gap, draws=2, digits=20),
    "eq-nh-modified": Definition("the modified margin"),
    "eq-nh-strong": Definition("strong separability"),
    "eq-nh-line-one": Inequality(line_one, nearness=1e-6),
    "eq-nh-line-two": Identity(line_two),
    "eq-nh-line-two: the bound": Inequality(line_two_bound, nearness=1e-2),
    "eq-nh-line-three": Identity(line_three, digits=25),
    "eq-nh-positive": Identity(positive),
    "eq-nh-hyperbola": Identity(hyperbola),
    "eq-nh-problem": Definition("the margin problem of the homogenization"),
    "eq-nh-budget": Inequality(budget, nearness=1e-25, draws=2),
    "eq-nh-multiplier": Inequality(multiplier, nearness=1e-2),
    "eq-nh-rate": Asymptotic(rate, ("1e10", "1e50", "1e400"), 2e-3),
    "eq-nh-bias": Symbolic(bias),
    "eq-nh-curvature": Inequality(curvature, nearness=0.05),
    "eq-nh-step": Identity(step),
    "eq-nh-nearly": Inequality(nearly, nearness=0.1),
    "eq-nh-gain": Inequality(gain, nearness=0.05),
    "eq-nh-descent": Inequality(one_step, nearness=0.01),
    "eq-nh-lack": Definition("D, what a step of finite length may lack"),
    "eq-nh-bracket": Identity(bracket),
    "eq-nh-price": Inequality(price, nearness=0.5),
    "eq-nh-tail": Inequality(tail, nearness=0.01, draws=25),
    "lem-nh-budget: C falls with ω, and is at most 2.01": Inequality(
        budget_constant, nearness=0.01
    ),
    "eq-nh-attention": Identity(attention),
    "eq-nh-head": Inequality(head_bound, nearness=1e-6),
    "eq-nh-steepest": Inequality(steepest, nearness=1e-2),
    "eq-nh-wins": Identity(wins),
}
