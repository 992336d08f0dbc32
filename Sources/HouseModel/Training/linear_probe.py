"""Logistic regressions of presence for the evaluation: L2-regularised, solved by L-BFGS on standardised features.

Windows in which a group sounds in 5 to 30 % of the time are left out: the truth is not clear there.
"""
import torch

ABSENT, PRESENT = 0.05, 0.3


def accuracy_table(x, share, x_test, share_test, groups, penalty=0.01):
    """Share of right test windows per group, both kinds weighing the same. x: [n, features]; share: [n, groups] of the time that sounds."""
    mean, spread = x.mean(0), x.std(0) + 1e-3
    x, x_test = (x - mean) / spread, (x_test - mean) / spread
    out = {}
    for n, group in enumerate(groups):
        clear, clear_test = clear_windows(share[:, n]), clear_windows(share_test[:, n])
        theta = fit(x[clear], (share[clear, n] >= PRESENT).float(), penalty)
        said = x_test[clear_test] @ theta[:-1] + theta[-1] > 0
        truth = share_test[clear_test, n] >= PRESENT
        out[group] = 0.5 * ((said & truth).sum() / truth.sum() + (~said & ~truth).sum() / (~truth).sum()).item()
    return out


def clear_windows(share):
    return (share <= ABSENT) | (share >= PRESENT)


def fit(x, y, penalty):
    """theta [features + 1]; the last is the bias."""
    theta = torch.zeros(x.shape[1] + 1, requires_grad=True)
    solver = torch.optim.LBFGS([theta], lr=1, max_iter=60, history_size=10, line_search_fn="strong_wolfe")

    def closure():
        solver.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(x @ theta[:-1] + theta[-1], y) + penalty * theta[:-1].square().sum()
        loss.backward()
        return loss

    solver.step(closure)
    return theta.detach()
