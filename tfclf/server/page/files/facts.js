/** The facts of the model that answers. */

import { count, fill, make } from "./dom.js";

const PROBLEMS = {
  single_label_classification: "one label for each text",
  multi_label_classification: "any number of labels for each text",
  regression: "a value for each text",
};

/**
 * Show a model's name, version and manifest.
 * @param {HTMLElement} list a `dl`.
 * @param {string} name
 * @param {import("./models.js").Version} version
 */
export function showFacts(list, name, version) {
  const { manifest } = version;
  const facts = [["Model", name], ["Version", String(version.version)], ["State", version.state]];
  if (manifest) {
    facts.push(
      ["Family", `${manifest.family}, engine ${manifest.engine}`],
      ["Precision", manifest.precision === manifest.storage ? manifest.precision : `${manifest.precision}, stored as ${manifest.storage}`],
      ["Task", PROBLEMS[manifest.problem_type] ?? manifest.problem_type],
      ["Labels", `${manifest.labels.length}: ${manifest.labels.slice(0, 12).join(", ")}${manifest.labels.length > 12 ? ", ..." : ""}`],
      ["Reads", count(manifest.max_length, "token")],
      ["Certificate", describe(manifest.certificate)],
    );
  } else if (version.available) {
    facts.push(["Made by", "something other than tfclf: it has no manifest"]);
  }
  fill(list, ...facts.flatMap(([key, value]) => [make("dt", { textContent: key }), make("dd", { dir: "auto", textContent: value })]));
}

function describe(certificate) {
  if (!certificate) return "none: tfclf verify has not been run on it";
  const pairs = certificate.pairs ? ` and ${count(certificate.pairs, "pair")}` : "";
  const rows = `${count(certificate.rows ?? 0, "row")}${pairs}`;
  const when = String(certificate.made ?? "").slice(0, 10);
  if (certificate.equal) return `equal to the original on ${rows}, ${when}`;
  const verdict = certificate.agrees ? "agrees with the original but is not equal (int8)" : "differs from the original";
  return `${verdict}, compared on ${rows}, ${when}`;
}
