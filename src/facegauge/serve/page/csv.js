/**
 * The results as a table for spreadsheets, one row a face: the columns of `facegauge score`, with
 * names and texts that a spreadsheet would run as a formula written as `--excel` writes them.
 */

const FORMULA = /^'*(?:\s*[=+\-@＝＋－＠]|[\t\r\n])/;
const FORMULA_IN_NAME = /(?:^|[;\t\r\n])\s*[=+\-@＝＋－＠]|^[\t\r\n]|^file:/;

/** The text of the table. */
export function table(entries, columns) {
  const rows = entries.filter((entry) => entry.result).flatMap(rowsOf);
  const lines = [columns, ...rows.map((row) => columns.map((column) => cell(column, row[column])))];
  return `\ufeff${lines.map((line) => line.map(quoted).join(",")).join("\r\n")}\r\n`;
}

function rowsOf({ name, result }) {
  const shared = { path: name, status: result.status, message: result.message };
  if (!result.faces.length) return [shared];
  return result.faces.map((face) => ({ ...face, ...shared, notes: face.notes.join(" ") }));
}

function cell(column, value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  if (column === "path") return FORMULA_IN_NAME.test(value) ? `file:${escaped(value)}` : value;
  return FORMULA.test(value) ? `'${value}` : value;
}

/** Percent-encoded UTF-8, as Python's `quote` writes it. */
function escaped(name) {
  const hex = (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  return name.replace(/[^A-Za-z0-9_.\-~/]+/g, (part) =>
    [...new TextEncoder().encode(part)].map(hex).join(""),
  );
}

const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** Let the browser save a text as a file. */
export function save(text, name) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const link = document.createElement("a");
  [link.href, link.download] = [url, name];
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}
