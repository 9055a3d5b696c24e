"""A fitted curve from raw predictions to the labels' scale: the four-parameter logistic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

ITERATIONS = 200


@dataclass(frozen=True, slots=True)
class Mapping:
    """A monotonic curve, called with raw predictions (N,).

    Attributes:
        logistic: (b1, b2, b3, b4) of `b2 + (b1 - b2) / (1 + exp(-(x - b3) / |b4|))`, or None.
        linear: (slope, offset), used where there is no logistic.
        note: why it is a line; empty for a logistic.
    """

    logistic: tuple[float, float, float, float] | None
    linear: tuple[float, float] = (1.0, 0.0)
    note: str = ""

    def __call__(self, prediction: npt.ArrayLike) -> Array:
        x = np.asarray(prediction, np.float64)
        if self.logistic is None:
            return self.linear[0] * x + self.linear[1]
        return _curve(x, np.array(self.logistic))[0]


def fit_logistic(prediction: npt.ArrayLike, target: npt.ArrayLike) -> Mapping:
    """Least-squares fit of the logistic that IQA papers put before PLCC.

    Levenberg-Marquardt from b1 = max target, b2 = min target, b3 = mean prediction and
    b4 = the predictions' standard deviation, for at most `ITERATIONS` steps. Where it does not
    settle, or fits worse than a straight line, the line is taken and `note` says so. Fit it to
    other pictures than those it is judged on.

    Args:
        prediction: raw scores, (N,), any scale.
        target: (N,), on the labels' scale.
    """
    x, y = np.asarray(prediction, np.float64), np.asarray(target, np.float64)
    if len(x) < 5 or np.ptp(x) == 0:
        offset = float(y.mean()) if len(y) else 0.0
        slope = 0.0 if len(x) < 2 or np.ptp(x) == 0 else float(np.polyfit(x, y, 1)[0])
        line = (slope, offset - slope * float(x.mean()) if len(x) else 0.0)
        return Mapping(None, line, "a line, not a logistic: too few or equal predictions to fit")
    slope, offset = (float(b) for b in np.polyfit(x, y, 1))
    line_error = float(np.sum((slope * x + offset - y) ** 2))
    start = np.array([y.max(), y.min(), x.mean(), x.std()])
    b, error, settled = _levenberg_marquardt(x, y, start)
    if not settled:
        return Mapping(None, (slope, offset), "a line, not a logistic: the fit did not settle")
    if error > line_error:
        return Mapping(None, (slope, offset), "a line, not a logistic: the line fits better")
    return Mapping((float(b[0]), float(b[1]), float(b[2]), abs(float(b[3]))))


def cross_fitted(
    prediction: npt.ArrayLike, target: npt.ArrayLike, seed: int = 0
) -> tuple[Array, str]:
    """Predictions mapped by curves that have not seen their labels.

    The rows are split at random in two halves; each is mapped by the curve fitted to the other.

    Returns:
        The mapped predictions (N,) and a note, empty where both curves are logistics.
    """
    x, y = np.asarray(prediction, np.float64), np.asarray(target, np.float64)
    half = np.random.default_rng(seed).permutation(len(x)) % 2 == 0
    first, second = fit_logistic(x[half], y[half]), fit_logistic(x[~half], y[~half])
    mapped = np.where(half, second(x), first(x))
    return mapped, first.note or second.note


def _curve(x: Array, b: Array) -> tuple[Array, Array]:
    """The logistic's values (N,) and its derivatives by b, (N, 4)."""
    top, bottom, middle, width = b[0], b[1], b[2], max(abs(b[3]), 1e-12)
    z = (x - middle) / width
    s = 0.5 * (1 + np.tanh(z / 2))  # the sigmoid, safe for any z
    steep = (top - bottom) * s * (1 - s) / width
    slopes = np.stack([s, 1 - s, -steep, -steep * z * np.copysign(1.0, b[3])], axis=1)
    return bottom + (top - bottom) * s, slopes


def _levenberg_marquardt(x: Array, y: Array, b: Array) -> tuple[Array, float, bool]:
    """Parameters, sum of squared errors, and whether the steps came to rest."""
    damping = 1e-3
    fitted, slopes = _curve(x, b)
    error = float(np.sum((fitted - y) ** 2))
    for _ in range(ITERATIONS):
        normal, gradient = slopes.T @ slopes, slopes.T @ (fitted - y)
        damped = normal + damping * np.diag(np.diag(normal) + 1e-12)
        try:
            trial = b - np.linalg.solve(damped, gradient)
        except np.linalg.LinAlgError:
            return b, error, False
        trial_fitted, trial_slopes = _curve(x, trial)
        trial_error = float(np.sum((trial_fitted - y) ** 2))
        if np.isfinite(trial_error) and trial_error <= error:
            gain = error - trial_error
            b, fitted, slopes, error = trial, trial_fitted, trial_slopes, trial_error
            if gain <= 1e-9 * error + 1e-15:
                return b, error, True
            damping = max(damping / 10, 1e-12)
        elif damping > 1e12:  # no step, however short, is better: this is the bottom
            return b, error, True
        else:
            damping *= 10
    return b, error, False
