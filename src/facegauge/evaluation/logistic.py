"""The four-parameter logistic that maps predictions to the scale of the labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

ITERATIONS = 200


@dataclass(frozen=True, slots=True)
class FittedCurve:
    """A monotonic curve from predictions to labels: a logistic, or a line if none could be fitted.

    Attributes:
        logistic: (b1, b2, b3, b4) of `b2 + (b1 - b2) / (1 + exp(-(x - b3) / |b4|))`; None: a line.
        linear: (slope, offset) of the line.
        note: why the curve is a line; empty for a logistic.
    """

    logistic: tuple[float, float, float, float] | None
    linear: tuple[float, float] = (1.0, 0.0)
    note: str = ""

    def __call__(self, prediction: npt.ArrayLike) -> Array:
        """Map predictions (N,) to (N,)."""
        x = np.asarray(prediction, np.float64)
        if self.logistic is None:
            return self.linear[0] * x + self.linear[1]
        return _curve(x, np.array(self.logistic))[0]


def fit_logistic(prediction: npt.ArrayLike, target: npt.ArrayLike) -> FittedCurve:
    """Fit the logistic that papers on image quality apply before PLCC (VQEG, 2000).

    Least squares by Levenberg-Marquardt, starting from b1 = max target, b2 = min target, b3 = mean
    prediction and b4 = standard deviation of the predictions, with at most `ITERATIONS` steps.
    Do not evaluate the curve on the rows that it was fitted to; see `cross_fit`.

    Args:
        prediction: (N,), on any scale.
        target: (N,), on the scale of the labels.

    Returns:
        The logistic; or the least-squares line if the fit does not converge or the line fits
        better, with the reason in `note`.
    """
    x, y = np.asarray(prediction, np.float64), np.asarray(target, np.float64)
    if len(x) < 5 or np.ptp(x) == 0:
        offset = float(y.mean()) if len(y) else 0.0
        slope = 0.0 if len(x) < 2 or np.ptp(x) == 0 else float(np.polyfit(x, y, 1)[0])
        line = (slope, offset - slope * float(x.mean()) if len(x) else 0.0)
        return FittedCurve(None, line, "a line, not a logistic: too few or equal predictions")
    slope, offset = (float(b) for b in np.polyfit(x, y, 1))
    line_error = float(np.sum((slope * x + offset - y) ** 2))
    start = np.array([y.max(), y.min(), x.mean(), x.std()])
    b, error, converged = _levenberg_marquardt(x, y, start)
    if not converged:
        return FittedCurve(
            None, (slope, offset), "a line, not a logistic: the fit did not converge"
        )
    if error > line_error:
        return FittedCurve(None, (slope, offset), "a line, not a logistic: the line fits better")
    return FittedCurve((float(b[0]), float(b[1]), float(b[2]), abs(float(b[3]))))


def cross_fit(prediction: npt.ArrayLike, target: npt.ArrayLike, seed: int = 0) -> tuple[Array, str]:
    """Map predictions by curves that were fitted to other rows.

    The rows are split at random into two halves, and each half is mapped by the curve that was
    fitted to the other.

    Args:
        prediction: (N,), on any scale.
        target: (N,), on the scale of the labels.
        seed: of the split.

    Returns:
        The mapped predictions (N,), and a note, which is empty if both curves are logistics.
    """
    x, y = np.asarray(prediction, np.float64), np.asarray(target, np.float64)
    half = np.random.default_rng(seed).permutation(len(x)) % 2 == 0
    first, second = fit_logistic(x[half], y[half]), fit_logistic(x[~half], y[~half])
    mapped = np.where(half, second(x), first(x))
    return mapped, first.note or second.note


def _curve(x: Array, b: Array) -> tuple[Array, Array]:
    """The logistic's values (N,) and its derivatives with respect to b, (N, 4)."""
    top, bottom, middle, width = b[0], b[1], b[2], max(abs(b[3]), 1e-12)
    z = (x - middle) / width
    s = 0.5 * (1 + np.tanh(z / 2))  # the sigmoid, without overflow
    slope = (top - bottom) * s * (1 - s) / width
    jacobian = np.stack([s, 1 - s, -slope, -slope * z * np.copysign(1.0, b[3])], axis=1)
    return bottom + (top - bottom) * s, jacobian


def _levenberg_marquardt(x: Array, y: Array, b: Array) -> tuple[Array, float, bool]:
    """Parameters, sum of squared errors, and whether the iteration converged."""
    damping = 1e-3
    fitted, jacobian = _curve(x, b)
    error = float(np.sum((fitted - y) ** 2))
    for _ in range(ITERATIONS):
        normal, gradient = jacobian.T @ jacobian, jacobian.T @ (fitted - y)
        damped = normal + damping * np.diag(np.diag(normal) + 1e-12)
        try:
            trial = b - np.linalg.solve(damped, gradient)
        except np.linalg.LinAlgError:
            return b, error, False
        trial_fitted, trial_jacobian = _curve(x, trial)
        trial_error = float(np.sum((trial_fitted - y) ** 2))
        if np.isfinite(trial_error) and trial_error <= error:
            gain = error - trial_error
            b, fitted, jacobian, error = trial, trial_fitted, trial_jacobian, trial_error
            if gain <= 1e-9 * error + 1e-15:
                return b, error, True
            damping = max(damping / 10, 1e-12)
        elif damping > 1e12:  # not even the shortest step is better: a minimum
            return b, error, True
        else:
            damping *= 10
    return b, error, False
