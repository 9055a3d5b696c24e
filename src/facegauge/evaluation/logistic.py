"""The four-parameter logistic that maps predictions to the scale of the labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

ITERATIONS = 200
# of a curve's argument at the mean prediction, and of the logarithm of its width in deviations
LIMITS = np.array([[-7.0, -9.0], [7.0, 4.0]])
STARTS = np.array([[0.0, 0.0], [3.0, -1.0], [-3.0, -1.0]])


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
        return _curve(x, np.array(self.logistic))


def fit_logistic(prediction: npt.ArrayLike, target: npt.ArrayLike) -> FittedCurve:
    """Fit the logistic that papers on image quality apply before PLCC (VQEG, 2000).

    Least squares from a few starts around the mean prediction, with at most `ITERATIONS` steps
    each; the best counts. Labels that are nearly a line give a very wide curve.
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
    center, spread = x.mean(), x.std()
    scaled = (x - center) / spread
    b, error, converged = min((_fit_from(scaled, y, at) for at in STARTS), key=lambda fit: fit[1])
    b = b * (1, 1, spread, spread) + (0, 0, center, 0)
    if not converged:
        return FittedCurve(
            None, (slope, offset), "a line, not a logistic: the fit did not converge"
        )
    if error > line_error * (1 + 1e-4):
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


def _curve(x: Array, b: Array) -> Array:
    """The logistic's values (N,)."""
    top, bottom, middle, width = b.tolist()
    values: Array = bottom + (top - bottom) * _sigmoid((x - middle) / max(abs(width), 1e-12))
    return values


def _sigmoid(z: Array) -> Array:
    small = np.exp(-np.abs(z))  # without overflow
    shares: Array = np.where(z >= 0, 1.0, small) / (1 + small)
    return shares


def _best_ends(y: Array, s: Array) -> tuple[float, float]:
    """Bottom and rise of the least-squares `bottom + rise * s`, for values s (N,)."""
    centred = s - s.mean()
    spread = float(centred @ centred)
    rise = float(centred @ y) / spread if spread > 0 else 0.0
    return float(y.mean()) - rise * float(s.mean()), rise


def _fit_from(x: Array, y: Array, at: Array) -> tuple[Array, float, bool]:
    """Parameters, sum of squared errors, and whether the iteration converged.

    Levenberg-Marquardt within `LIMITS` over two numbers alone, see `_projected`: for these, the
    best ends follow by linear least squares (variable projection, Golub and Pereyra 1973). Where
    labels are nearly a line or an exponential of the predictions, one of the two runs to its limit
    and stays, while all four parameters together would run along a narrow valley.

    Args:
        x: predictions, standardised.
        y: labels.
        at: where to start.
    """
    damping = 1e-3
    fitted, jacobian, b = _projected(x, y, at)
    error = float(np.sum((fitted - y) ** 2))
    for _ in range(ITERATIONS):
        gradient = jacobian.T @ (fitted - y)
        free = ~(((at <= LIMITS[0]) & (gradient > 0)) | ((at >= LIMITS[1]) & (gradient < 0)))
        normal = (jacobian.T @ jacobian)[np.ix_(free, free)]
        damped = normal + damping * np.diag(np.diag(normal) + 1e-30)
        step = np.zeros(2)
        try:
            step[free] = np.linalg.solve(damped, gradient[free])
        except np.linalg.LinAlgError:
            return b, error, False
        trial = np.clip(at - step, *LIMITS)
        trial_fitted, trial_jacobian, trial_b = _projected(x, y, trial)
        trial_error = float(np.sum((trial_fitted - y) ** 2))
        if np.isfinite(trial_error) and trial_error <= error:
            gain = error - trial_error
            at, error = trial, trial_error
            fitted, jacobian, b = trial_fitted, trial_jacobian, trial_b
            if gain <= 1e-10 * error + 1e-15:
                return b, error, True
            damping = max(damping / 10, 1e-12)
        elif damping > 1e12:  # not even the shortest step is better: a minimum
            return b, error, True
        else:
            damping *= 10
    return b, error, False


def _projected(x: Array, y: Array, at: Array) -> tuple[Array, Array, Array]:
    """The best curve for two numbers: its argument at x = 0, and the logarithm of its width.

    Returns:
        Its values (N,), their derivatives with respect to both, (N, 2), without what other ends
        would make up for, and (b1, b2, b3, b4).
    """
    width = float(np.exp(at[1]))
    s = _sigmoid(x / width + at[0])
    bottom, rise = _best_ends(y, s)
    slope = rise * s * (1 - s)
    jacobian = np.stack([slope, -slope * x / width], axis=1)
    jacobian -= jacobian.mean(0)
    centred = s - s.mean()
    spread = float(centred @ centred)
    if spread > 0:
        jacobian -= np.outer(centred, centred @ jacobian) / spread
    values = np.array([bottom + rise, bottom, -at[0] * width, width])
    return bottom + rise * s, jacobian, values
