/** Why: how much each word moved the logit of a label. */

import { fill, fillSelect, make } from "./dom.js";

const MOST_LISTED = 8;

/** @typedef {{words: {start: number, end: number, place: number, effects: number[]}[], chosen: number}} Reasons */

/**
 * Read the answer of `explain` or `explain_pairs` for one row.
 * @param {Record<string, any[]>} outputs
 * @returns {Reasons}
 */
export function readReasons(outputs) {
  const length = outputs.word_count?.[0] ?? outputs.starts[0].length;
  const words = [];
  for (let index = 0; index < length; index++) {
    if (outputs.starts[0][index] < 0) continue;
    words.push({
      start: outputs.starts[0][index],
      end: outputs.ends[0][index],
      place: outputs.places?.[0][index] ?? 0,
      effects: outputs.effects[0][index],
    });
  }
  const numbers = outputs.logits[0];
  return { words, chosen: numbers.indexOf(Math.max(...numbers)) };
}

/**
 * Show the reasons as a heat over the words, and the strongest ones as a table.
 * @param {HTMLElement} place
 * @param {string[]} texts as they were sent.
 * @param {Reasons} reasons
 * @param {number} label index of the label to show the reasons of.
 */
export function showReasons(place, texts, reasons, label) {
  const most = Math.max(1e-9, ...reasons.words.map((word) => Math.abs(word.effects[label])));
  const parts = [
    make("p", {
      className: "quiet",
      textContent: "Solid line: the word speaks for the label. Dashed line: against it. The stronger the colour, the more it moved the logit.",
    }),
  ];
  texts.forEach((text, number) => {
    const words = reasons.words.filter((word) => word.place === number);
    parts.push(make("p", { className: "heat", dir: "auto" }, ...makeHeat([...text], words, label, most)));
  });
  const strongest = [...reasons.words].sort((a, b) => Math.abs(b.effects[label]) - Math.abs(a.effects[label])).slice(0, MOST_LISTED);
  const rows = strongest.map((word) =>
    make(
      "tr",
      {},
      make("th", { scope: "row", dir: "auto", textContent: [...texts[word.place]].slice(word.start, word.end).join("") }),
      make("td", { textContent: word.effects[label] < 0 ? "against" : "for" }),
      make("td", { textContent: sign(word.effects[label]) }),
    ),
  );
  const caption = make("caption", { className: "visually-hidden", textContent: "The strongest words" });
  if (rows.length) parts.push(make("table", { className: "effects", id: "effects" }, caption, make("tbody", {}, ...rows)));
  fill(place, ...parts);
}

/** Offsets count characters of Unicode; a text of JavaScript counts UTF-16, hence the list. */
function makeHeat(characters, words, label, most) {
  const parts = [];
  let at = 0;
  for (const word of [...words].sort((a, b) => a.start - b.start)) {
    if (word.start < at) continue;
    parts.push(characters.slice(at, word.start).join(""));
    const effect = word.effects[label];
    const strength = Math.abs(effect) / most;
    const span = make("span", {
      className: strength < 0.1 ? "" : effect < 0 ? "against" : "for",
      title: sign(effect),
      textContent: characters.slice(word.start, word.end).join(""),
    });
    span.style.backgroundColor = `rgba(var(--${effect < 0 ? "against" : "for"}), ${(0.5 * strength).toFixed(2)})`;
    parts.push(span);
    at = word.end;
  }
  parts.push(characters.slice(at).join(""));
  return parts;
}

function sign(effect) {
  return `${effect < 0 ? "−" : "+"}${Math.abs(effect).toFixed(3)}`;
}

/**
 * Offer the labels to explain.
 * @param {HTMLSelectElement} select
 * @param {string[]} labels
 * @param {number} chosen
 */
export function offerLabels(select, labels, chosen) {
  fillSelect(select, labels.map((label, index) => [String(index), label]), String(chosen));
}
