/**
 * The tokens of a text, as the model sees them.
 *
 * `tokenize` gives ids; the pieces that they stand for are asked for, where the export has them. To
 * show which part of the text a token belongs to, `tokenize` is asked for the text's parts too. If
 * the parts' ids in a row are exactly those of the text, each part is shown over its tokens; if not,
 * tokens are shown alone.
 */

import { count, fill, make } from "./dom.js";

const MOST_PARTS = 600;
const LONGEST_PART = 100;
// Words and signs, each with the white space before it; and, coarser, whatever stands between spaces.
const CUTS = [/\s*(?:[\p{L}\p{N}\p{M}]+|[^\s\p{L}\p{N}\p{M}])/gu, /\s*\S+/gu];

/** @typedef {{ids: number[], text: string | null, special: boolean}} Group */
/** @typedef {Map<number, string>} Pieces by id; an id that the export cannot name is not there. */
/** @typedef {(strings: string[]) => Promise<Record<string, any[]>>} Tokenize */

/**
 * Find the tokens of each text.
 * @param {string[]} texts
 * @param {Tokenize} tokenize asks the signature: input_ids and attention_mask, a row each.
 * @returns {Promise<Group[][]>}
 */
export async function findTokens(texts, tokenize) {
  // The tokens of the empty text are the special ones.
  const [frame, ...rows] = readRows(await tokenize(["", ...texts]));
  const found = [];
  for (const [number, text] of texts.entries()) found.push(await findGroups(text, rows[number], frame, tokenize));
  return found;
}

/**
 * Find the pieces of the tokens.
 * @param {Group[][]} texts from `findTokens`.
 * @param {(ids: number[]) => Promise<(string | null)[]>} askPieces
 * @returns {Promise<Pieces>}
 */
export async function findPieces(texts, askPieces) {
  const ids = [...new Set(texts.flat().flatMap((group) => group.ids))];
  const pieces = await askPieces(ids);
  return new Map(ids.map((id, index) => [id, pieces[index]]).filter(([, piece]) => piece != null));
}

/** Return the rows without padding. */
function readRows(outputs) {
  return outputs.input_ids.map((row, index) => row.filter((_, place) => outputs.attention_mask[index][place] === 1));
}

async function findGroups(text, row, frame, tokenize) {
  const special = new Set(frame);
  const plain = (ids) => ids.map((id) => ({ ids: [id], text: null, special: special.has(id) }));
  for (const cut of CUTS) {
    // A model reads so many tokens; what lies behind them is not needed.
    const parts = (text.slice(0, MOST_PARTS * 40).match(cut) ?? []).slice(0, MOST_PARTS);
    if (!parts.length || parts.some((part) => part.length > LONGEST_PART)) continue;
    const rows = readRows(await tokenize(parts));
    const before = Math.min(...[row, ...rows].map((ids) => countEqual(ids, frame)));
    const after = frame.length - before;
    const body = (ids) => ids.slice(before, ids.length - after);
    const groups = align(body(row), parts, rows.map(body));
    if (groups) return [...plain(row.slice(0, before)), ...groups, ...plain(row.slice(row.length - after))];
  }
  return plain(row);
}

/** Count the ids at the start that a row has in common with the special tokens. */
function countEqual(ids, frame) {
  let length = 0;
  while (length < frame.length && ids[length] === frame[length]) length++;
  return length;
}

/** Return a group for each part; null if the parts' tokens are not those of the text. */
function align(ids, parts, bodies) {
  const groups = [];
  let at = 0;
  for (let index = 0; index < parts.length && at < ids.length; index++) {
    const own = bodies[index].slice(0, ids.length - at); // a truncated text ends within a part
    if (own.some((id, place) => id !== ids[at + place])) return null;
    at += own.length;
    if (own.length) groups.push({ ids: own, text: parts[index].trim(), special: false });
  }
  return at === ids.length ? groups : null;
}

/**
 * Show the tokens of each text.
 * @param {HTMLElement} place
 * @param {Group[][]} texts from `findTokens`.
 * @param {Pieces} pieces
 * @param {number | undefined} maxLength
 */
export function showTokens(place, texts, pieces, maxLength) {
  const parts = [];
  texts.forEach((groups, number) => {
    const which = texts.length > 1 ? `${number ? "Second" : "First"} text by itself: ` : "";
    const all = groups.reduce((sum, group) => sum + group.ids.length, 0);
    const specials = groups.filter((group) => group.special).length;
    const limit = maxLength ? ` of at most ${maxLength.toLocaleString("en")}` : "";
    parts.push(make("p", { className: "quiet", textContent: `${which}${count(all, "token")}${limit}, ${specials} of them special (dashed).` }));
    parts.push(make("ol", { className: "tokens", dir: "auto" }, ...groups.map((group) => makeGroup(group, pieces))));
  });
  fill(place, ...parts);
}

function makeGroup({ ids, text, special }, pieces) {
  const item = make("li", { className: special ? "special" : "" });
  if (special) item.append(make("span", { className: "visually-hidden", textContent: "special token " }));
  if (ids.some((id) => pieces.has(id))) {
    if (text !== null && !(ids.length === 1 && isWhole(pieces.get(ids[0]), text))) item.append(make("bdi", { className: "word", textContent: text }));
    item.append(make("span", { className: "pieces" }, ...ids.flatMap((id) => [makePiece(id, pieces.get(id)), " "])));
  } else if (text === null) item.append(ids.join(" "));
  else item.append(make("bdi", { textContent: text }), " ", make("small", { textContent: ids.join(" ") }));
  return item;
}

function makePiece(id, piece) {
  const number = make("small", { textContent: id });
  return make("span", {}, ...(piece === undefined ? [number] : [make("bdi", { textContent: piece }), " ", number]));
}

/** Tell whether a piece is a word as it stands, but for its case and a mark of the space before it. */
function isWhole(piece, text) {
  return piece?.toLowerCase().endsWith(text.toLowerCase());
}
