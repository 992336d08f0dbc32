"""Known answers for the regressions: minimises the same objectives with scipy (BFGS to 1e-10) in double precision.

    python make_regression.py regression.json
"""
import json, sys
import numpy as np
from scipy.optimize import minimize

rng = np.random.default_rng(7)
N, D, K = 40, 5, 3
X = (rng.normal(size=(N, D)) * [1, 5, .2, 2, 1] + [0, 10, -3, 0, 1]).astype(np.float32)
hidden = rng.normal(size=(D, K))
Z = (X - X.mean(0)) / X.std(0)
y2 = (Z @ hidden[:, 0] + rng.normal(size=N) > 0).astype(int)
yk = (Z @ hidden + rng.normal(size=(N, K))).argmax(1)
yr = (Z @ hidden[:, 1] + 0.3 * rng.normal(size=N)).astype(np.float32)
Xd = X.astype(float); mean, dev = Xd.mean(0), Xd.std(0); Z = (Xd - mean) / dev
fold = lambda w, b: (w / dev, b - (w / dev) @ mean)

def logistic(lam):
    s = 2 * y2 - 1
    f = lambda v: np.logaddexp(0, -s * (Z @ v[:D] + v[D])).sum() + .5 * lam * v[:D] @ v[:D]
    def g(v):
        e = -s / (1 + np.exp(s * (Z @ v[:D] + v[D])))
        return np.append(Z.T @ e + lam * v[:D], e.sum())
    v = minimize(f, np.zeros(D + 1), jac=g, method="BFGS", options=dict(gtol=1e-10)).x
    return fold(v[:D], v[D])

def multinomial(lam):
    Y = np.eye(K)[yk]
    def f(v):
        W = v.reshape(K, D + 1); S = Z @ W[:, :D].T + W[:, D]; lse = np.logaddexp.reduce(S, axis=1)
        P = np.exp(S - lse[:, None]) - Y
        G = np.hstack([P.T @ Z + lam * W[:, :D], P.sum(0)[:, None]])
        return (lse - (S * Y).sum(1)).sum() + .5 * lam * (W[:, :D] ** 2).sum(), G.ravel()
    v = minimize(f, np.zeros(K * (D + 1)), jac=True, method="BFGS", options=dict(gtol=1e-10, maxiter=5000)).x.reshape(K, D + 1)
    return [fold(w[:D], w[D]) for w in v]

def ridge(lam):
    w = np.linalg.solve(Z.T @ Z + lam * np.eye(D), Z.T @ (yr.astype(float) - yr.astype(float).mean()))
    return fold(w, yr.astype(float).mean())

pack = lambda m: dict(weight=[float(x) for x in m[0]], bias=float(m[1]))
json.dump(dict(dimension=D, classes=K, features=[float(x) for x in X.ravel()], binary=y2.tolist(), multi=yk.tolist(), targets=[float(x) for x in yr],
               logistic=[dict(regularisation=l, model=pack(logistic(l))) for l in (0.01, 1.0, 10.0)],
               multinomial=[pack(m) for m in multinomial(1.0)], ridge=pack(ridge(2.0))), open(sys.argv[1], "w"), separators=(",", ":"))
