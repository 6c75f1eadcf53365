/**
 * The page of `tfclf serve`: it asks the server as one types, and shows what comes back.
 *
 * One request for an answer is in flight at a time; a newer text cancels the one before it, and takes
 * the reasons away. Reasons are asked for once the answer is there. Texts are kept in the text boxes
 * only. Every answer is made into text nodes (dom.js).
 */

import { readAnswer, showAnswer } from "./answer.js";
import { byId, count, fill, fillSelect, make } from "./dom.js";
import { showFacts } from "./facts.js";
import { findClassify, findSignature, readAddress, writeAddress } from "./models.js";
import { writeRequest } from "./requests.js";
import { Failure, fetchModels, fetchPieces, predict } from "./server.js";
import { findPieces, findTokens, showTokens } from "./tokens.js";
import { offerLabels, readReasons, showReasons } from "./why.js";

const PAUSE = 250; // milliseconds after a key before a text is sent
const MOST_BYTES = 100_000; // a longer text is sent only when asked for
const LONGEST_WAIT = 30; // seconds between two tries when the server does not answer
const LOOK_AGAIN = 10_000; // milliseconds between two looks for new versions
const LATEST = "";

/** @type {import("./models.js").Model[]} */
let models = [];
let grpcPort = 0;
let origin = new URL(".", location.href).href.replace(/\/$/, "");
/** @type {import("./models.js").Model | null} */
let model = null;
/** @type {import("./models.js").Version | null} */
let version = null;
let shown = null; // the export that the page shows: {name, number, facts, latest}
let pairOn = false;
let showAll = false;
let answer = null; // the last one, with what was sent for it
let reasons = null;
let inFlight = new AbortController(); // the request for the answer
let explaining = new AbortController(); // the request for the reasons
let answering = Promise.resolve(); // settled once the text last sent has its answer, or failed
let timer = 0; // of the next text to be sent, or of the next try; 0 if none waits
let tries = 0;

const text = byId("text");
const pair = byId("pair");
const notice = byId("notice");

// --- what is served -------------------------------------------------------------------------------

/** Ask the server for its models, and take over the choice in the address. */
async function loadModels() {
  const facts = await fetchModels();
  models = facts.models;
  grpcPort = facts.grpc_port;
  origin = facts.origin ?? origin; // only the copy in the documentation has one
  choose();
}

/** Choose the model and version that the address names; say so if they are not there. */
function choose() {
  const wanted = readAddress();
  model = wanted.model === null ? models[0] ?? null : models.find(({ name }) => name === wanted.model) ?? null;
  const available = model?.versions.filter((each) => each.available) ?? [];
  const named = (each) => wanted.version === null || each.version === wanted.version;
  version = available.find(named) ?? null;
  fillSelect(byId("model"), models.map(({ name }) => [name, name]), model?.name ?? "");
  const versions = model?.versions.map((each) => [String(each.version), `${each.version}${each.available ? "" : ` (${each.state.toLowerCase()})`}`]) ?? [];
  const latest = available[0] ? `latest (${available[0].version})` : "latest";
  fillSelect(byId("version"), model ? [[LATEST, latest], ...versions] : [], wanted.version === null ? LATEST : String(wanted.version));
  if (!models.length) say("error", "This server has no models.", "A reload of its configuration may bring some.");
  else if (!model) sayUnknown(`There is no model ${wanted.model} on this server.`, models.map(({ name }) => [name, null]));
  else if (!version && wanted.version !== null && !model.versions.some(named)) {
    sayUnknown(`Model ${model.name} has no version ${wanted.version}.`, [[model.name, null], ...available.map((each) => [model.name, each.version])]);
  } else if (!version) waitForVersion();
  else showVersion(wanted.version === null);
}

/**
 * Show what the chosen version can do, unless it is shown already.
 * @param {boolean} latest whether it is chosen as the latest one, not by its number.
 */
function showVersion(latest) {
  const before = shown;
  const isSameNumber = before?.name === model.name && before.number === version.version;
  if (isSameNumber && before.facts === version.facts) return;
  shown = { name: model.name, number: version.version, facts: version.facts, latest };
  answer = null;
  clearReasons();
  quiet();
  showFacts(byId("facts"), model.name, version);
  const takesPairs = findClassify(version, true) !== null;
  const takesText = findClassify(version, false) !== null;
  byId("pair-switch").hidden = !takesPairs;
  if (!takesPairs) switchPair(false);
  byId("why-part").hidden = !findSignature(version, "explain");
  byId("tokens-part").hidden = !findSignature(version, "tokenize");
  fill(byId("tokens"));
  const examples = version.examples ?? [];
  byId("examples-part").hidden = !takesText || !examples.length;
  fill(byId("examples"), ...examples.map(makeExample));
  text.disabled = !takesText;
  if (takesText) send(0);
  else say("error", `Model ${model.name} takes no text.`, "It has no signature serving_default with one string input. Other clients can call it.");
  if (isSameNumber) say("note", `Another export has taken the place of version ${version.version}.`);
  else if (before?.name === model.name && before.latest && latest) {
    say("note", `Version ${version.version} has taken the place of version ${before.number}.`);
  }
}

function makeExample(example) {
  const words = example.text_pair === undefined ? example.text : `${example.text} / ${example.text_pair}`;
  const button = make("button", { type: "button", dir: "auto", textContent: words });
  button.addEventListener("click", () => {
    text.value = example.text;
    pair.value = example.text_pair ?? "";
    switchPair(example.text_pair !== undefined);
    send(0);
  });
  return make("li", {}, button);
}

function switchPair(on) {
  pairOn = on;
  byId("pair-part").hidden = !on;
  const button = byId("pair-switch");
  button.setAttribute("aria-expanded", String(on));
  button.textContent = on ? "Remove the second text" : "Add a second text";
}

// --- messages -------------------------------------------------------------------------------------

/** Show a message above everything; "error" or "note". */
function say(kind, title, detail = "", ...more) {
  if (!notice.hidden && notice.dataset.words === title + detail) return; // said already
  notice.dataset.words = title + detail;
  notice.className = `notice ${kind}`;
  fill(notice, make("p", {}, make("strong", { textContent: title })), ...(detail ? [make("p", { dir: "auto", textContent: detail })] : []), ...more);
  notice.hidden = false;
}

function quiet() {
  notice.hidden = true;
  fill(notice);
}

function sayUnknown(title, choices) {
  version = shown = null;
  const links = choices.map(([name, number]) => {
    const words = number === null ? name : `${name}, version ${number}`;
    return make("li", {}, make("a", { href: writeAddress(name, number), textContent: words }));
  });
  say("error", title, "These exist:", make("ul", {}, ...links));
  fill(byId("answer"), make("p", { className: "quiet", textContent: "No model is chosen." }));
  fill(byId("facts"));
}

/** The model is known, but no version of it answers now: it is being loaded, or failed to. */
function waitForVersion() {
  retry(new Failure("missing", `Model ${model.name} has no version that answers now. A version may be loading.`));
}

/** Try again by itself, later each time. */
function retry(failure) {
  const seconds = Math.min(2 ** tries, LONGEST_WAIT);
  tries += 1;
  const button = make("button", { type: "button", id: "try-now", textContent: "Try now" });
  button.addEventListener("click", again);
  say("error", failure.message, `Trying again in ${count(seconds, "second")}.`, button);
  stopTimer();
  timer = setTimeout(again, 1000 * seconds);
}

async function again() {
  stopTimer();
  try {
    await loadModels();
    if (version && tries) {
      if (notice.classList.contains("error")) quiet();
      run();
    }
  } catch (error) {
    retry(error);
  }
}

// --- the text -------------------------------------------------------------------------------------

function texts() {
  const all = pairOn ? [text.value, pair.value] : [text.value];
  // Half of a surrogate pair is no text: show it as the server would.
  return all.map((each) => each.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd"));
}

function stopTimer() {
  clearTimeout(timer);
  timer = 0;
}

/** Take a new text: send it after a pause, in which a newer one may come. */
function send(pause) {
  stopTimer();
  inFlight.abort();
  clearReasons();
  byId("anyway").hidden = true;
  if (version) timer = setTimeout(run, pause);
}

/**
 * Send the text now.
 * @param {boolean} [anyway] also send a text that is long.
 */
function run(anyway = false) {
  stopTimer();
  answering = answerTexts(anyway);
}

async function answerTexts(anyway) {
  inFlight.abort();
  inFlight = new AbortController();
  const { signal } = inFlight;
  const sent = texts();
  const call = findClassify(version, pairOn);
  showRequest();
  if (!sent.some((each) => each.trim())) return showNothing("The answer appears here as you type.");
  const bytes = new TextEncoder().encode(sent.join("")).length;
  if (bytes > MOST_BYTES && !anyway) {
    byId("anyway").hidden = false;
    return showNothing(`This text has ${bytes.toLocaleString("en")} bytes. More than ${MOST_BYTES.toLocaleString("en")} are not sent as you type; “Classify anyway” sends them.`);
  }
  byId("answer").classList.add("busy");
  try {
    const started = performance.now();
    const outputs = await predict(about(call), name(call, sent), signal);
    const milliseconds = performance.now() - started;
    answer = { ...readAnswer(outputs, version.manifest), milliseconds };
    drawAnswer();
    byId("answer").classList.remove("busy");
    if (notice.classList.contains("error")) quiet();
    tries = 0;
    const tokenize = findSignature(version, "tokenize");
    if (tokenize) {
      const ask = (strings) => predict(about(tokenize), { text: strings }, signal);
      const askPieces = (ids) => (version.pieces ? fetchPieces(model.name, version.version, ids, signal) : []);
      const found = await findTokens(sent, ask);
      showTokens(byId("tokens"), found, await findPieces(found, askPieces), version.manifest?.max_length);
    }
  } catch (error) {
    if (!signal.aborted) fail(error);
  }
}

/** A signature of the chosen version, to call. */
function about({ name: signature, outputs }) {
  return { model: model.name, version: version.version, facts: version.facts, signature, outputs };
}

/** Name the texts as the signature's inputs: text before text_pair, or whatever it is called. */
function name({ inputs }, sent) {
  return Object.fromEntries(inputs.map((input, index) => [input, [sent[index]]]));
}

function drawAnswer() {
  const words = showAnswer(byId("answer"), answer, {
    milliseconds: answer.milliseconds,
    maxLength: version.manifest?.max_length,
    showAll,
    whenShowAll: () => {
      showAll = !showAll;
      drawAnswer();
      byId("show-all")?.focus();
    },
  });
  byId("status").textContent = words;
}

function showNothing(words) {
  tries = 0;
  clearAnswer(words);
}

/** Take the answer away: it is not one to the text that stands there now. */
function clearAnswer(words) {
  answer = null;
  byId("answer").classList.remove("busy");
  fill(byId("answer"), make("p", { className: "quiet", textContent: words }));
  fill(byId("tokens"));
  byId("status").textContent = "";
}

function fail(error) {
  if (!(error instanceof Failure)) throw error;
  clearAnswer("No answer yet.");
  clearReasons();
  if ((error.reason === "missing" || error.reason === "changed") && tries === 0) {
    tries = 1; // another version or export may have taken over a moment ago; if not, wait
    again();
  } else if (error.reason === "refused") {
    showNothing("No answer.");
    say("error", "The server refused this request.", error.message);
  } else retry(error);
}

// --- why ------------------------------------------------------------------------------------------

function clearReasons() {
  explaining.abort();
  reasons = null;
  fill(byId("reasons"));
  byId("why-label-part").hidden = true;
  byId("why").disabled = !texts().some((each) => each.trim()) || (pairOn && !findSignature(version, "explain_pairs"));
}

async function explain() {
  const signature = findSignature(version, pairOn ? "explain_pairs" : "explain");
  const sent = texts();
  clearReasons();
  explaining = new AbortController();
  const { signal } = explaining;
  fill(byId("reasons"), make("p", { className: "quiet", textContent: "Asking the model ..." }));
  if (timer) run(); // the text waits for its pause: its answer has the names of the labels
  await answering;
  if (signal.aborted) return;
  try {
    reasons = { ...readReasons(await predict(about(signature), name(signature, sent), signal)), sent };
    const labels = answer?.labels.length ? answer.labels : reasons.words[0]?.effects.map((_, index) => `label ${index}`) ?? [];
    offerLabels(byId("why-label"), labels, reasons.chosen);
    byId("why-label-part").hidden = labels.length < 2;
    drawReasons();
  } catch (error) {
    if (!signal.aborted) fail(error);
  }
}

function drawReasons() {
  if (reasons) showReasons(byId("reasons"), reasons.sent, reasons, Number(byId("why-label").value));
}

// --- the request in code --------------------------------------------------------------------------

function showRequest() {
  const call = version && findClassify(version, pairOn);
  if (!call) return;
  const language = document.querySelector("input[name=language]:checked").value;
  const sent = name(call, texts());
  byId("request").textContent = writeRequest(language, {
    model: model.name,
    version: version.version,
    signature: call.name,
    texts: Object.fromEntries(Object.entries(sent).map(([key, [value]]) => [key, value])),
    origin,
    grpcPort,
  });
}

async function copy() {
  const code = byId("request");
  try {
    await navigator.clipboard.writeText(code.textContent);
    byId("copied").textContent = "Copied";
  } catch {
    // Outside HTTPS and localhost a page may not write the clipboard: select, so that Ctrl-C does.
    getSelection().selectAllChildren(code);
    byId("copied").textContent = "Selected: press Ctrl-C";
  }
  setTimeout(() => (byId("copied").textContent = ""), 3000);
}

// --- what people do -------------------------------------------------------------------------------

for (const box of [text, pair]) {
  box.addEventListener("input", () => {
    if (notice.classList.contains("note")) quiet();
    send(PAUSE);
  });
}
byId("pair-switch").addEventListener("click", () => {
  switchPair(!pairOn);
  (pairOn ? pair : text).focus();
  send(0);
});
byId("clear").addEventListener("click", () => {
  text.value = pair.value = "";
  text.focus();
  send(0);
});
byId("anyway").addEventListener("click", () => {
  byId("anyway").hidden = true;
  run(true);
});
byId("model").addEventListener("change", (event) => (location.hash = writeAddress(event.target.value, null)));
byId("version").addEventListener("change", (event) => {
  const number = event.target.value;
  location.hash = writeAddress(model.name, number === LATEST ? null : Number(number));
});
byId("why").addEventListener("click", explain);
byId("why-label").addEventListener("change", drawReasons);
byId("copy").addEventListener("click", copy);
for (const choice of document.querySelectorAll("input[name=language]")) choice.addEventListener("change", showRequest);
addEventListener("hashchange", () => {
  tries = 0;
  quiet();
  again();
});
setInterval(() => {
  if (!document.hidden && !tries) loadModels().catch(() => {}); // a request will say what is wrong
}, LOOK_AGAIN);

loadModels().catch(retry);
