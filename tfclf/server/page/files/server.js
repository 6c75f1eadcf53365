/** Requests to the server that this page comes from, and why one failed. */

/** @typedef {"away" | "busy" | "changed" | "missing" | "refused"} Reason
 * away: nobody answers. busy: later may do. changed: the answer is that of another export than the
 * one whose labels are known. missing: no such model or version now. refused: the request itself is
 * wrong.
 */

export class Failure extends Error {
  /**
   * @param {Reason} reason
   * @param {string} message
   */
  constructor(reason, message) {
    super(message);
    this.reason = reason;
  }
}

/** @type {Record<number, Reason>} */
const FACTS = "tfclf-facts"; // tfclf.saved_model.model_list.FACTS
const REASONS = { 404: "missing", 408: "busy", 429: "busy", 499: "busy", 503: "busy", 504: "busy" };

/**
 * Ask for JSON.
 * @param {string} path relative to the page's own address.
 * @param {RequestInit} [options]
 * @param {string} [facts] the digest of what is known of the export that should answer.
 * @returns {Promise<any>}
 * @throws {Failure}
 */
async function ask(path, options = {}, facts = "") {
  let response;
  let text;
  try {
    response = await fetch(path, { ...options, credentials: "same-origin", cache: "no-store" });
    text = await response.text();
  } catch (error) {
    if (/** @type {Error} */ (error).name === "AbortError") throw error;
    throw new Failure("away", "The server does not answer.");
  }
  options.signal?.throwIfAborted(); // the answer came all the same, but a newer text has been sent
  const answered = response.headers.get(FACTS);
  if (facts && answered && answered !== facts) {
    throw new Failure("changed", "The server answers with another export of this version than the one shown.");
  }
  const body = parse(text);
  if (response.ok && body !== undefined) return body;
  if (response.ok) throw new Failure("refused", "The answer holds a number that JSON cannot carry, such as NaN.");
  const reason = REASONS[response.status] ?? (response.status >= 502 ? "busy" : "refused");
  throw new Failure(reason, body?.error ?? `The server answered with status ${response.status}.`);
}

/**
 * @param {string} text
 * @returns {any} undefined if it is not JSON.
 */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Fetch what the server says of its models.
 * @param {AbortSignal} [signal]
 */
export function fetchModels(signal) {
  return ask("page/models.json", { signal });
}

/**
 * The path of Predict for one version of a model.
 * @param {string} model
 * @param {number} version
 */
export function predictPath(model, version) {
  return `v1/models/${encodeURIComponent(model)}/versions/${version}:predict`;
}

/**
 * Call a signature with columns of texts.
 * @param {{model: string, version: number, facts?: string, signature: string, outputs: string[]}} call
 * @param {Record<string, string[]>} inputs
 * @param {AbortSignal} signal
 * @returns {Promise<Record<string, any[]>>} columns by name, even if there is only one.
 */
export async function predict(call, inputs, signal) {
  const body = JSON.stringify({ signature_name: call.signature, inputs });
  const { outputs } = await ask(predictPath(call.model, call.version), { method: "POST", body, signal }, call.facts);
  return call.outputs.length === 1 ? { [call.outputs[0]]: outputs } : outputs;
}

/**
 * Ask for the pieces of token ids. The ids are a text, so they are sent as a body: an address stays in
 * logs.
 * @param {string} model
 * @param {number} version
 * @param {number[]} ids
 * @param {AbortSignal} signal
 * @returns {Promise<(string | null)[]>} in the order of the ids; empty if the version has none any more.
 */
export async function fetchPieces(model, version, ids, signal) {
  try {
    const body = JSON.stringify({ model, version, ids });
    return (await ask("page/pieces.json", { method: "POST", body, signal })).pieces;
  } catch (error) {
    if (error instanceof Failure && error.reason === "missing") return [];
    throw error;
  }
}
