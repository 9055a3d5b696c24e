/** Arithmetic as Python has it. */

/** Round to the nearest whole number, of two equally near ones to the even one. */
export function roundEven(value) {
  const low = Math.floor(value);
  const rest = value - low;
  if (rest !== 0.5) return rest < 0.5 ? low : low + 1;
  return low % 2 === 0 ? low : low + 1;
}

export const clip = (value, low, high) => Math.min(high, Math.max(low, value));

export const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Linear interpolation of y over ascending x, constant beyond its ends. */
export function interpolated(value, x, y) {
  if (value <= x[0]) return y[0];
  const last = x.length - 1;
  if (value >= x[last]) return y[last];
  let right = 1;
  while (x[right] <= value) right += 1;
  return y[right - 1] + ((value - x[right - 1]) * (y[right] - y[right - 1])) / (x[right] - x[right - 1]);
}
