/** Elements, made from text only: nothing that a model or a person wrote is ever read as HTML. */

/**
 * Find an element of the page by its id.
 * @param {string} id
 * @returns {any}
 */
export function byId(id) {
  return document.getElementById(id);
}

/**
 * Make an element.
 * @param {string} tag
 * @param {Record<string, string | number | boolean>} [properties] such as className and dir.
 * @param {...(Node | string)} children
 * @returns {any}
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  Object.assign(element, properties);
  element.append(...children);
  return element;
}

/**
 * Give one of several elements, or `option`s of a select, in place of what is there.
 * @param {HTMLElement} parent
 * @param {...(Node | string)} children
 */
export function fill(parent, ...children) {
  parent.replaceChildren(...children);
}

/**
 * Fill a select, and keep its choice if it is still there.
 * @param {HTMLSelectElement} select
 * @param {[string, string][]} options pairs of value and words.
 * @param {string} chosen
 */
export function fillSelect(select, options, chosen) {
  const have = [...select.options].map((option) => `${option.value}\n${option.text}`);
  if (have.join("\n") !== options.map((option) => option.join("\n")).join("\n")) {
    fill(select, ...options.map(([value, text]) => make("option", { value, textContent: text })));
  }
  select.value = chosen;
}

/**
 * Format a share of 1: 0.9794 gives "97.9 %".
 * @param {number} share
 * @returns {string}
 */
export function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

/**
 * Format a number of things: 1 gives "1 token", 1200 gives "1,200 tokens".
 * @param {number} count
 * @param {string} thing
 * @returns {string}
 */
export function count(count, thing) {
  return `${count.toLocaleString("en")} ${thing}${count === 1 ? "" : "s"}`;
}
