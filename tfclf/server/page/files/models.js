/** What a version of a model can do, from page/models.json, and the choice in the address. */

/** @typedef {{inputs: Record<string, string>, outputs: Record<string, string>}} Signature */
/** @typedef {{version: number, state: string, available: boolean, signatures?: Record<string, Signature>,
 *   manifest?: any, pieces?: boolean, facts?: string, examples?: {text: string, text_pair?: string}[]}} Version */
/** @typedef {{name: string, versions: Version[]}} Model */
/** @typedef {{name: string, inputs: string[], outputs: string[]}} Callable */

/**
 * Find the signature that classifies one text, or a pair of them: `detail` says what was truncated,
 * any other export has `serving_default`, and a foreign model may have one under another name.
 * @param {Version} version
 * @param {boolean} pair
 * @returns {Callable | null}
 */
export function findClassify(version, pair) {
  for (const name of pair ? ["detail_pairs", "pairs"] : ["detail", "serving_default"]) {
    const found = findSignature(version, name);
    if (found && found.inputs.length === (pair ? 2 : 1)) return found;
  }
  return null;
}

/**
 * Find a signature whose inputs are all strings, `text` first.
 * @param {Version | null} version
 * @param {string} name
 * @returns {Callable | null}
 */
export function findSignature(version, name) {
  const signature = version?.signatures?.[name];
  if (!signature || Object.values(signature.inputs).some((dtype) => dtype !== "string")) return null;
  return { name, inputs: Object.keys(signature.inputs).sort(), outputs: Object.keys(signature.outputs) };
}

/**
 * Read the choice in the address: `#model=news&version=2`, or the same after `?`.
 * @returns {{model: string | null, version: number | null}}
 */
export function readAddress() {
  const choice = new URLSearchParams(location.hash.replace(/^#\/?/, "") || location.search);
  const version = choice.get("version");
  return { model: choice.get("model"), version: version === null ? null : Number(version) };
}

/**
 * The part of an address that stands for a choice. It goes behind `#`, which no browser sends.
 * @param {string} model
 * @param {number | null} version null: the latest.
 */
export function writeAddress(model, version) {
  const choice = new URLSearchParams({ model });
  if (version !== null) choice.set("version", String(version));
  return `#${choice}`;
}
