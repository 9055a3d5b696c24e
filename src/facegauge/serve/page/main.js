/** Puts the parts of the page together. */

import { Entries, mayRetry, scoreOf } from "./entries.js";
import { Gallery, progressInWords } from "./gallery.js";
import { Detail } from "./detail.js";
import { Runner } from "./runner.js";
import { ServiceScorer } from "./service.js";
import * as camera from "./camera.js";
import * as csv from "./csv.js";
import * as intake from "./intake.js";
import * as pair from "./pair.js";
import { byId, listed, plural, two } from "./dom.js";

byId("dead").remove(); // all modules have been loaded
const entries = new Entries();
const runner = new Runner(entries);
const gallery = new Gallery(entries, { open: (entry) => detail?.open(entry), retry });
let detail = null;
const add = (files) => {
  entries.add(files);
  runner.run();
};
intake.listen(add, leftOut); // pictures may come before the rest is there
camera.listen(add);

const config = await loadConfig();
const scorers = makeScorers();
detail = new Detail(
  config,
  () => gallery.shown(),
  async (entry) => (await scorers[entry.where]()).explain(entry.file),
);
byId("model").textContent = `${config.model.name} ${config.model.version}`;
byId("model").title = config.model.summary;
entries.addEventListener("change", ({ detail: { kind, entries: changed } }) => {
  if (kind === "updated" && changed.length === 1) detail.refresh(changed[0]);
  showState();
});
for (const button of document.querySelectorAll("dialog .close"))
  button.addEventListener("click", () => button.closest("dialog").close());
listenToTools();
showState();
await chooseWhere();

async function loadConfig() {
  try {
    const answer = await fetch(new URL("config.json", import.meta.url));
    if (answer.ok) return await answer.json();
  } catch {
    // the same
  }
  showProblem("The rest of this page cannot be loaded: the service does not answer. Reload the page.");
  return new Promise(() => {}); // nothing more can be done
}

function showProblem(text) {
  byId("problem").textContent = text;
  byId("problem").hidden = !text;
}

/** Say how many of the files that were given are not taken. */
function leftOut(count, total) {
  const told = `${count} of ${plural(total, "file")} left out: not known as pictures by their names.`;
  byId("left-out").textContent = count ? told : "";
}

/** Score some pictures once more, in the place that is chosen now. */
function retry(failed) {
  for (const entry of failed) entries.update(entry, { result: null, where: null });
  runner.run();
}

/** What scores, by place; each is made when it is first used. */
function makeScorers() {
  const made = {};
  const once = (where, make) => () => {
    made[where] ??= make().catch((error) => {
      delete made[where]; // so that the next try may succeed
      throw error;
    });
    return made[where];
  };
  return {
    service: once("service", async () => new ServiceScorer(config, askKey)),
    browser: once("browser", async () => {
      const { BrowserScorer } = await import("./private/client.js");
      const key = config.service?.needs_key ? await askKey() : null;
      return BrowserScorer.open(config, key, showLoading);
    }),
  };
}

function showState() {
  byId("progress").textContent = progressInWords(entries);
  byId("tools").hidden = !entries.list.length;
  byId("compare").disabled = entries.selected.length !== 2;
  byId("remove").disabled = !entries.selected.length;
  const failed = entries.list.filter(mayRetry);
  byId("retry").hidden = !failed.length;
  byId("retry").textContent = `Score again: ${plural(failed.length, "picture")}`;
}

function listenToTools() {
  const on = (id, act) => byId(id).addEventListener("click", act);
  on("best", () => {
    if (!byId("count").reportValidity()) {
      byId("progress").textContent = "Best takes a whole number from 1 on.";
      return;
    }
    const chosen = entries.selected;
    const among = chosen.length > 1 ? chosen : gallery.shown();
    const best = entries.markBest(among, Number(byId("count").value));
    const names = best.map((entry) => `${entry.name}, ${two(scoreOf(entry))}`);
    byId("progress").textContent = best.length
      ? `Best of ${plural(among.length, "picture")}: ${names.slice(0, 3).join("; ")}`
      : "None of these pictures has a score.";
  });
  on("retry", () => retry(entries.list.filter(mayRetry)));
  on("compare", () => pair.show(entries.selected, config));
  on("csv", () => csv.save(csv.table(gallery.shown(), config.columns), "facegauge.csv"));
  on("remove", () => entries.remove(entries.selected));
  on("clear", () => entries.remove([...entries.list]));
}

/** Let people choose where to score, as far as there is a choice; it is remembered. */
async function chooseWhere() {
  const radios = [...document.querySelectorAll("input[name=where]")];
  const possible = { service: config.service !== null, browser: config.private !== null };
  for (const radio of radios) {
    radio.disabled = !possible[radio.value];
    radio.parentElement.hidden = radio.value === "service" && !possible.service;
    radio.addEventListener("change", () => use(radio.value));
  }
  byId("where").hidden = !possible.browser && !config.private_hint;
  if (!possible.browser) note(config.private_hint);
  const wanted = remembered();
  await use(possible[wanted] ? wanted : possible.service ? "service" : "browser");

  async function use(where) {
    radios.find((radio) => radio.value === where).checked = true;
    remember(where);
    runner.use(where, null); // nothing more goes to the other place
    showProblem("");
    noteFormats(where === "browser");
    try {
      const scorer = await scorers[where]();
      if (radios.find((radio) => radio.checked).value === where) runner.use(where, scorer);
    } catch (error) {
      showProblem(error.message);
    }
  }
}

/** Say which formats this browser opens, before a picture fails. */
async function noteFormats(isPrivate) {
  byId("formats-note").hidden = !isPrivate;
  if (!isPrivate) return;
  const { support } = await import("./private/formats.js");
  const { opens, lacks } = await support();
  const other = config.service ? "; the server opens more" : "; save others as JPEG or PNG";
  const missing = lacks.length ? `, not ${listed(lacks, "or")}${other}` : "";
  byId("formats-note").textContent = `This browser opens ${listed(opens, "and")}${missing}.`;
}

function note(text) {
  byId("where-note").textContent = text;
  byId("where-note").hidden = !text;
}

function remembered() {
  try {
    return localStorage.getItem("where");
  } catch {
    return null; // a browser that keeps nothing
  }
}

function remember(where) {
  try {
    localStorage.setItem("where", where);
  } catch {
    // then the next visit asks again
  }
}

/** Show how much of the private mode has been fetched; null: all. */
function showLoading(share, text = "") {
  byId("loading").hidden = share === null;
  byId("loading-bar").value = share ?? 1;
  byId("loading-text").textContent = text;
}

let asked = null;

/** The key that somebody types in; several requests wait for the same. */
function askKey(refused = false) {
  byId("key-problem").textContent = refused ? "The service does not take this key." : "";
  asked ??= new Promise((done) => {
    const form = byId("key");
    form.hidden = false;
    byId("key-text").focus();
    form.addEventListener(
      "submit",
      (event) => {
        event.preventDefault();
        form.hidden = true;
        asked = null;
        done(byId("key-text").value.trim());
        byId("key-text").value = "";
      },
      { once: true },
    );
  });
  return asked;
}
