/** The meaning of a score: interval, percentile and band. See `calibration.py`. */

import { interpolated } from "./numbers.js";

export function described(score, whole, { quantiles, offsets, whole: framed, bands, edges }) {
  const { knots, lower, upper } = whole && framed ? framed : offsets;
  return {
    score,
    low: Math.max(0, score - interpolated(score, knots, lower)),
    high: Math.min(1, score + interpolated(score, knots, upper)),
    percentile: interpolated(score, quantiles, quantiles.map((_, percent) => percent)),
    band: bands[edges.filter((edge) => edge <= score).length],
  };
}
