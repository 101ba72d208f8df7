"""The answers of the book's own solutions, by exercise and part, as expressions.

`RUN` is evaluated after the code of the solution has run, on top of what its lecture sets up: what
the page computes is what is checked. Of those in `LONG` only the functions are taken, as their runs
take seconds. `SAID` is what a solution says in a formula.
"""

RUN: dict[str, dict[str, str]] = {
    "imd.hessian": {
        "hessians": "' and '.join(name for name, defect in defects.items() if defect < 1e-12)",
        "defect": "lambda w: hessian_map_defect(metrics['b'], w)[0, 0, 1]",
        "potential": "lambda w: w @ w / 2 + w[0] ** 2 * w[1] ** 2 / 2",
    },
    "imd.nearest": {"end": "reached", "nearest": "nearest"},
    "imd.entropy": {"limit": "np.round(ends[-1], 4)"},
    "imd.digits": {"exponents": "needed", "doubles": "'yes and no'"},
    "warp.regimes": {
        "small": "lambda x, delta: 0.75 * x**2 / delta**0.5",
        "large": "lambda x, delta: x**1.5",
        "negative": "lambda x, delta: 1.5 * delta**0.5 * x",
    },
    "hm.bias": {
        "limit": (
            "lambda X, y, kappa: max_margin("
            "np.column_stack([X, np.full(len(X), kappa)]), y).w * [1, 1, kappa]"
        ),
    },
    "hm.tail": {"direction": "best"},
    "imd.tie": {"equal": "[1 / 2, 1 / 2]", "unequal": "[1 / 3, 2 / 3]"},
    "imd.powers": {
        "limit": (
            "lambda X, y, p: bregman_projection("
            "HypentropyPotential(sqrt_k=1e-10**p, start=np.zeros(len(p))), X, y).w"
        ),
    },
    "before.logistic": {"log_loss": "log_loss"},
    "hm.angle": {"cosine": "lambda q0, q1, g0, g1: least_cosine([q0, q1], [g0, g1])"},
    "hm.longer": {"left": "left_to_grow", "factor": "factor_until"},
    "two.merging": {"exponent": "exponent"},
}

SAID: dict[str, dict[str, str]] = {
    "before.swapped": {
        "nearest": "lambda w: np.full(2, np.sqrt(w[0] * w[1]))",
        "swapped": "lambda w: np.full(2, (w[0] + w[1]) / 2)",
    },
    "imd.product": {"order": "'first'", "ratio": "(2 / 1) ** 2"},
    "imd.one": {"mirror": "'not at all'", "weights": "'proportional to the step'"},
    "before.conjugate": {
        "quadratic": "lambda A, p: p @ np.linalg.inv(A) @ p / 2",
        "entropy": "lambda p: np.exp(p)",
        "hyperbolic": "lambda p, k: np.sqrt(k) / 4 * (np.cosh(2 * p) - 1)",
    },
    "before.cubic": {
        "factor": "2",
        "speed": "lambda u, v: 4 * u**2 * v**2 + u**4",
        "exponent": "4 / 3",
    },
    "before.drift": {"factor": "lambda eta, r: 1 - eta**2 * r**2"},
    "imd.labels": {"fitted": "lambda X, y: X @ np.linalg.pinv(X) @ y"},
    "imd.recipe": {"root_k": "2 * (1**2 + 1e-9**2)", "norm": "'l2'", "second_layer": "'none'"},
    "imd.loss": {
        "left": (
            "lambda X, h, r: np.diag(1 / h) @ X.T @ np.linalg.inv(X @ np.diag(1 / h) @ X.T) @ r"
        ),
    },
}
SAID |= {
    "imd.integral": {
        "q": (
            "lambda w, k: (lambda x: np.sqrt(k) / 4 * (x * np.sinh(x) - np.cosh(x) + 1))("
            "np.arcsinh(2 * w / np.sqrt(k)))"
        ),
    },
    "warp.unique": {"gradient": "lambda w: -2 * w / (1 + w**2)", "curl": "-1"},
    "warp.two-ways": {
        "square": (
            "lambda a, w, X, y: (lambda c, least: (c + np.sqrt(c**2 + 4 * least @ least)) / 2)("
            "a**2 - np.sum((np.linalg.pinv(X) @ X @ w) ** 2), np.linalg.pinv(X) @ y)"
        ),
    },
    "warp.xavier": {
        "share": (
            "lambda a, W: (lambda s: np.linalg.norm("
            "np.outer(a * s, a * s) - (W / s[:, None]) @ (W / s[:, None]).T)"
            " / np.linalg.norm((W / s[:, None]) @ (W / s[:, None]).T))("
            "np.sqrt(np.linalg.norm(W, axis=1) / np.abs(a)))"
        ),
    },
    "warp.zero-output": {
        "distance": (
            "lambda w, X, y: (lambda least, seen: np.linalg.norm(least)"
            " * np.linalg.norm(w - seen) / np.linalg.norm(seen))("
            "np.linalg.pinv(X) @ y, np.linalg.pinv(X) @ X @ w)"
        ),
        "first_layer": "'keeps its length and turns'",
    },
    "warp.how-often": {
        "mean_square": "lambda n, d: 2 * n / (d + 1)",
        "flips": "'between 10 and 20 %'",
    },
    "warp.weights": {
        "move": (
            "lambda a, W, X, y, O: (lambda v: np.sqrt(np.linalg.norm(np.linalg.pinv(X) @ y))"
            " * (W - W @ np.linalg.pinv(X) @ X).T @ (v(O) - v(np.eye(len(y)))))("
            "lambda O: (lambda e: e / np.linalg.norm(e))("
            "a + W @ X.T @ O @ y / np.linalg.norm(X.T @ O @ y)))"
        ),
    },
    "warp.negative": {"leading": "lambda X, y: y[0] * np.linalg.pinv(X)[:, 0]", "rate": "1 / 2"},
}
SAID |= {
    "hm.order": {
        "first_bias": "3",
        "last_bias": "'none'",
        "fixed_output": "2",
        "normalized": "0",
        "residual": "'none'",
    },
    "hm.toy": {
        "w": "np.array([3, 2]) / 7",
        "multipliers": "np.array([4, 9]) / 49",
        "margin": "7 / np.sqrt(13)",
        "gaps": "[0.2495, 0.6172]",
    },
    "hm.repeat": {"gap": "lambda k: 4 / 13 * np.log(9 / 4) + 4 / 13 * np.log(k)"},
    "hm.floats": {
        "single": "24 * np.log(2)",
        "double": "53 * np.log(2)",
        "log_loss": ("lambda q: np.log(np.log1p(np.exp(-q))) if q < 30 else -q - np.exp(-q) / 2"),
    },
    "hm.ahead": {"conserved": "8.99", "predictor": "'the margin over the product'"},
    "hm.least": {"step": "4"},
    "hm.mean": {"excess": "lambda n, rho, L: np.log(n) / rho**L"},
    "hm.time": {"exponents": "[100, np.log10(1.0857e97), np.log10(7.8506e95)]"},
    "hm.cap": {"square": "lambda t, n: n * np.log(np.e + t) ** 2"},
    "hm.cube": {"constant": "lambda g, L: 1 / (9 * L**2 * g ** (2 / L))"},
    "hm.multipliers": {"total": "lambda g, L: g ** (-2 / L) / L"},
    "hm.touch": {
        "multipliers": "lambda s: np.array([3 - s, 7 / 2]) / (24 - s)",
        "threshold": "3",
    },
    "hm.square": {"margin": "1 / (6 * np.sqrt(3))"},
    "hm.local": {"angle": "lambda e: np.arccos(((1 - e) / (1 + e)) ** 1.5) / 2"},
    "hm.cycle": {"least": "1.0811", "largest": "1.64"},
    "hm.restart": {"step": "4"},
    "hm.certified": {"distance": "lambda margin: margin / np.sqrt(2)"},
    "two.centred": {"largest": "lambda n: (n - 1) / n", "noise": "'after'"},
    "two.sentence": {
        "follows": "'all support vectors'",
        "wanted": "4 * 12",
        "more": "'falls'",
    },
    "hm.shared": {"without": "1.2", "promise": "1.2 / 9**0.5"},
}
SAID |= {
    "nh.blocks": {"coefficient": "lambda R, kappa, k: np.sqrt(R**2 + kappa**2 * k)"},
    "nh.sharp": {"lower": "lambda p, M: p / (M - np.arange(M))"},
    "nh.afar": {"power": "2"},
    "nh.activation": {"kappa": "1 / 2"},
    "nh.hyperbola": {"naive": "3 / 2", "modified": "3 / 2 - np.sqrt(2)", "limit": "1 / 2"},
    "nh.share": {"share": "1 / np.sqrt(2)"},
    "nh.wins": {
        "shift": "lambda a: np.log((a + 1) / (a - 1)) / 2",
        "lead": "lambda a: np.log(2 * a / np.sqrt(a**2 - 1))",
    },
    "nh.threshold": {"psi": "lambda c, gamma, M, k: gamma * (c / gamma) ** (M / (M - k))"},
    "nh.clock": {
        "log_time": (
            "lambda psi, M, gamma: "
            "psi - (2 - 2 / M) * np.log(psi) - np.log(M**2 * gamma ** (2 / M))"
        ),
    },
    "nh.linear-step": {"log_step": "lambda psi, R: psi - 2 * np.log(R)"},
    "nh.restart": {"gain": "0.08", "lost": "'the budget for all steps together'"},
    "two.every-slope": {"right_for": "'active'", "steps": "4"},
    "two.orthogonal": {
        "alpha": "lambda rho: 1 / (1 + rho**2)",
        "margin": "lambda rho, m, n: np.sqrt((1 + rho**2) / (m * n))",
        "rank": (
            "lambda rho, plus, minus: (lambda T, D: 2 * T / (T + np.sqrt(T**2 - 4 * D)))("
            "(1 + rho**2) * (plus + minus), plus * minus * (1 - rho**2) ** 2)"
        ),
    },
    "two.rank-two": {"rank": "lambda rho: 2 * (1 + rho**2) / (1 + rho) ** 2"},
    "two.wait": {"excess": "40", "spread": "40"},
    "two.stable": {"largest": "lambda margin: 2 / margin**2"},
    "two.twice": {"gap": "np.log(2)"},
    "two.pair": {
        "threshold": "lambda c: c",
        "v_plus": "lambda c, rho: np.array([1, -c]) / (1 - c**2)",
    },
    "two.half": {
        "own": (
            "lambda X, y, rho: (lambda G: G @ (y * np.where(np.equal.outer(y, y), 1, rho)"
            " * np.linalg.solve(np.where(np.equal.outer(y, y), (1 + rho**2) * G, -2 * rho * G),"
            " np.ones(len(y)))).T)(X @ X.T).diagonal() * y"
        ),
    },
    "two.wide": {"rank": "lambda n: 2 * n / (n + 1)"},
    "two.singular": {"log_time": "lambda beta, z, rho: beta * z / rho"},
    "two.wake": {"guide": "lambda n, beta: n / (1 + (n - 1) * beta)"},
    "two.padding": {
        "ten_times": "'stays'",
        "zeros": "'stays'",
        "noise": "'grows'",
        "fewer": "'grows'",
    },
    "two.own": {
        "step": (
            "lambda W, s, X, y, rho, eta: (lambda c, m: W + eta / (m * len(y)) * s[:, None]"
            " * (c * y / (1 + np.exp(y * (s / m @ (c * (W @ X.T)))))) @ X)("
            "np.where(W @ X.T >= 0, 1.0, rho), len(s) / 2)"
        ),
    },
}
SAID |= {
    "before.twice": {"undetermined": "'single multipliers'", "longer": "'zero'"},
    "before.rest": {
        "mended": "'the gradient tends to zero'",
        "saddle": "1 / 2",
        "leaves": "'exp(-w)'",
    },
    "imd.early": {
        "large": "'at the end'",
        "tiny": "'before the end'",
        "theorem": "'it minimizes q among those with its own outputs'",
    },
    "imd.momentum": {
        "limit": "'it is another point'",
        "products": "'all move'",
        "ratios": "lambda a, b, c, d: [(c - d) / (a + b), (a - b) / (c + d)]",
    },
    "warp.equal-steps": {
        "fixed": "'like log(1/alpha)'",
        "warped": "'hardly at all'",
        "ends": "'approach each other'",
    },
    "warp.depth": {
        "potential": ("lambda v, w0, D: D / (D + 1) * np.linalg.norm(v) ** ((D + 1) / D) - w0 @ v"),
        "power": "1",
    },
    "warp.one-sample": {
        "path": (
            "lambda a, p, P: (lambda plus, minus: [(plus + minus) / 2, (plus - minus) / 2])("
            "(a + p) * np.exp(P), (a - p) * np.exp(-P))"
        ),
        "saddle": "'a + p = 0'",
    },
    "warp.forgetful": {
        "lost": "'the direction of the input weights'",
        "ends": "'agree on the data and may differ elsewhere'",
    },
    "warp.wide": {"norm": "2**0.5", "bound": "'it stays'", "power": "-1 / 2"},
    "warp.relu": {"limit": "'it stays the same'", "time": "'it grows'", "relu": "2"},
    "warp.swapped": {"error": "'two limits are exchanged'", "move": "1 / 10"},
    "hm.ten": {
        "margin": (
            "lambda W, X, y: min(X[j] @ (W[y[j]] - W[k]) for j in range(len(X))"
            " for k in range(len(W)) if k != y[j]) / np.linalg.norm(W)"
        ),
        "unique": "'the problem is convex'",
    },
    "hm.kink": {"end": "lambda a: [0, a]", "euler": "'for each'", "origin": "'a point'"},
    "hm.other": {
        "seed_one": "'two neurons of one sign that share the work of one'",
        "later": "'the weaker one falls behind, slowly'",
    },
    "nh.relu-step": {
        "error": "'between the ends of a step'",
        "jump": "'by an output weight'",
    },
    "two.same": {
        "moved": "lambda rho, c, g1, g2: rho * g2 + c * g1",
        "opposed": "'on that sample'",
    },
    "two.conspire": {"product": "lambda n, rho, R: 2 * rho * R**2 / n"},
}
RUN |= {
    "before.climb": {
        "bounds": (
            "lambda X, y, k, w0, nu: (lambda q: (lambda w: ["
            "y @ nu - (X.T @ nu @ w - q(w)), q(w + np.linalg.pinv(X) @ (y - X @ w))])("
            "q.inverse_gradient(X.T @ nu)))(HypentropyPotential(sqrt_k=k, start=w0))"
        ),
    },
    "imd.forgotten": {
        "limit": (
            "lambda X, y, c: implicit_limit(DiagonalNet.from_scale_shape("
            "scale=0.1, shape=0.0, d=X.shape[1]), X[c > 0], y[c > 0])"
        ),
        "wait": "100",
    },
    "warp.lazy": {
        "moves": (
            "lambda a, w, X, y: (lambda start: (lambda end: ["
            "np.linalg.norm(end.parameters - start.parameters) / np.linalg.norm(start.parameters),"
            "np.linalg.norm(end.tangent_kernel(X) - start.tangent_kernel(X))"
            " / np.linalg.norm(start.tangent_kernel(X)),"
            "np.linalg.norm(end.predictor - kernel_limit(start, X, y))"
            " / np.linalg.norm(minimum_norm_interpolator(X, y))])("
            "gradient_flow(start, X, y).net))(LinearNeuron(a, w))"
        ),
        "kernel": "'that of large shape'",
    },
    "two.support": {
        "count": (
            "lambda noise, seed: (lambda A, signs: int((sliding_limit(TwoLayerNet.initialize("
            "m=2, d=784, slope=0.3, scale=1e-3, seed=0), A, signs).multipliers > 0).sum()))("
            "*noisy_digits(noise=noise, seed=seed))"
        ),
        "slope": "'a smaller one'",
    },
}

LONG = {"before.logistic", "imd.forgotten", "warp.lazy", "two.support", "hm.longer", "two.merging"}
