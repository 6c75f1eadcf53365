/** The answer: bars for labels, or a plain value. */

import { count, fill, make, percent } from "./dom.js";

const MOST_BARS = 10;
const MULTI_LABEL = "multi_label_classification";

/** @typedef {{label: string | null, labels: string[], probabilities: number[] | null, value: number | null,
 *   truncated: boolean, problem: string | null}} Answer */

/**
 * Read the columns of one row.
 * @param {Record<string, any[]>} outputs
 * @param {any} manifest of the export; null for a model that tfclf did not make.
 * @returns {Answer}
 */
export function readAnswer(outputs, manifest) {
  const numbers = outputs.probabilities?.[0];
  const probabilities = Array.isArray(numbers) ? numbers : null;
  const known = manifest?.labels ?? [];
  const labels = probabilities?.map((_, index) => (known.length === probabilities.length ? known[index] : `label ${index}`));
  const score = outputs.score?.[0];
  return {
    label: outputs.label?.[0] ?? null,
    labels: labels ?? known,
    probabilities,
    value: typeof score === "number" ? score : null,
    truncated: outputs.truncated?.[0] === true,
    problem: manifest?.problem_type ?? null,
  };
}

/**
 * Show an answer.
 * @param {HTMLElement} place
 * @param {Answer} answer
 * @param {{milliseconds: number, showAll: boolean, whenShowAll: () => void, maxLength?: number}} options
 * @returns {string} the answer in words, for the status line.
 */
export function showAnswer(place, answer, { milliseconds, showAll, whenShowAll, maxLength }) {
  const multi = answer.problem === MULTI_LABEL;
  const parts = [];
  let words;
  if (answer.probabilities) {
    const { probabilities, labels } = answer;
    const order = probabilities.map((_, index) => index);
    const most = Math.max(...probabilities);
    const first = Math.max(0, probabilities.findIndex((each, index) => each === most && (answer.label ?? labels[index]) === labels[index]));
    const chosen = (index) => (multi ? probabilities[index] >= 0.5 : index === first);
    const winners = order.filter(chosen);
    const names = winners.map((index) => labels[index]);
    words = winners.length ? names.join(", ") : "no label reaches 50 %";
    if (!multi) words += `, ${percent(most)}`;
    parts.push(make("p", { className: "winner", dir: "auto", textContent: winners.length ? names.slice(0, 5).join(", ") : "No label" }));
    if (multi) parts.push(make("p", { className: "quiet", textContent: "Each label has a probability of its own, so they do not add up to 100 %. Labels of 50 % or more are marked." }));
    parts.push(...makeBars(probabilities, labels, chosen, order, showAll, whenShowAll));
  } else if (answer.value !== null) {
    const name = answer.labels[0] ?? answer.label ?? "value";
    words = `${name}: ${answer.value.toFixed(4)}`;
    parts.push(make("p", { className: "winner", dir: "auto", textContent: words }));
    parts.push(make("p", { className: "quiet", textContent: "This model is a regression: its answer is a value, not a probability." }));
  } else {
    words = answer.label ?? "an answer without label and score";
    parts.push(make("p", { className: "winner", dir: "auto", textContent: words }));
  }
  if (answer.truncated) {
    const limit = maxLength ? `: the model reads ${count(maxLength, "token")}, and the rest of this text was left out` : "";
    parts.push(make("p", { className: "warning", id: "truncated", textContent: `Truncated${limit}.` }));
    words += ". The text was truncated";
  }
  parts.push(make("p", { className: "meta", id: "time", textContent: `${milliseconds.toFixed(0)} ms, from this browser to the server and back` }));
  fill(place, ...parts);
  return words;
}

/**
 * Make a bar for each label. Up to ten labels keep the model's order, so that bars stay where they
 * are as one types; of more, the ten highest are shown.
 */
function makeBars(probabilities, labels, chosen, order, showAll, whenShowAll) {
  const many = order.length > MOST_BARS;
  if (many) order.sort((a, b) => probabilities[b] - probabilities[a]);
  const shown = many && !showAll ? order.slice(0, MOST_BARS) : order;
  const bars = shown.map((index) => {
    const fillPart = make("span");
    fillPart.style.width = `${100 * Math.min(Math.max(probabilities[index], 0), 1)}%`;
    const track = make("div", { className: "track" }, fillPart);
    track.setAttribute("aria-hidden", "true");
    const name = make("span", { dir: "auto", textContent: labels[index] });
    const share = make("span", { className: "share", textContent: `${chosen(index) ? "✓ " : ""}${percent(probabilities[index])}` });
    return make("li", { className: chosen(index) ? "chosen" : "" }, make("div", { className: "name" }, name, share), track);
  });
  const list = make("ul", { className: "bars", id: "bars" }, ...bars);
  if (!many) return [list];
  const words = showAll ? `Show the top ${MOST_BARS}` : `Show all ${order.length}`;
  const button = make("button", { type: "button", id: "show-all", textContent: words });
  button.addEventListener("click", whenShowAll);
  return [list, make("p", {}, button)];
}
