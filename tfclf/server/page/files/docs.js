/** /docs: the operations of openapi.json, each with its examples and a button that sends them. */

import { byId, fill, make } from "./dom.js";

/** Show the document. */
async function show() {
  const response = await fetch("openapi.json", { cache: "no-store" });
  const api = await response.json();
  fill(byId("intro"), make("h2", { textContent: `${api.info.title} ${api.info.version}` }), make("p", { textContent: api.info.description }));
  const sections = new Map();
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags?.[0] ?? "server";
      if (!sections.has(tag)) sections.set(tag, make("section", {}, make("h2", { dir: "auto", textContent: tag })));
      sections.get(tag).append(makeOperation(method.toUpperCase(), path, operation, api));
    }
  }
  fill(byId("operations"), ...sections.values());
}

function makeOperation(method, path, operation, api) {
  const content = operation.requestBody?.content["application/json"];
  const parameters = (operation.parameters ?? []).map((parameter) => ({ parameter, box: make("input", { value: String(parameter.example ?? ""), autocomplete: "off" }) }));
  const boxes = parameters.map(({ parameter, box }) => make("label", {}, `${parameter.name} `, box));
  const body = content && make("textarea", { rows: 5, autocomplete: "off", spellcheck: false });
  const answer = make("pre", { tabIndex: 0, hidden: true });
  answer.setAttribute("aria-label", "Response");
  answer.setAttribute("role", "status");
  const send = make("button", { type: "button", textContent: "Send" });
  send.addEventListener("click", async () => {
    const filled = parameters.reduce((text, { parameter, box }) => text.replace(`{${parameter.name}}`, encodeURIComponent(box.value)), path);
    answer.hidden = false;
    answer.textContent = "...";
    answer.textContent = await request(method, filled, body?.value);
  });
  const examples = Object.entries(content?.examples ?? {});
  const parts = [make("p", { className: "row" }, ...boxes, ...(examples.length ? [makeChoice(examples, body)] : []), send)];
  if (body) parts.push(make("label", {}, "Body", body));
  parts.push(answer, makeResponses(operation, api));
  const title = make("summary", {}, make("strong", { textContent: method }), " ", make("code", { textContent: path }), ` ${operation.summary}`);
  return make("details", {}, title, ...parts);
}

function makeChoice(examples, body) {
  const select = make("select", { autocomplete: "off" }, ...examples.map(([name]) => make("option", { textContent: name })));
  const put = () => (body.value = JSON.stringify(Object.fromEntries(examples)[select.value].value, null, 2));
  select.addEventListener("change", put);
  put();
  return make("label", {}, "Example ", select);
}

function makeResponses(operation, api) {
  const items = Object.entries(operation.responses).map(([status, response]) => {
    const { description } = response.$ref ? api.components.responses[response.$ref.split("/").at(-1)] : response;
    return [make("dt", { textContent: status }), make("dd", { textContent: description })];
  });
  return make("dl", {}, ...items.flat());
}

/** Send a request. Returns: the status line and the body, as text. */
async function request(method, path, body) {
  try {
    const response = await fetch(path.replace(/^\//, ""), { method, body, cache: "no-store" });
    return `${response.status} ${response.statusText}\n\n${await response.text()}`;
  } catch {
    return "The server does not answer.";
  }
}

show().catch(() => {
  const notice = byId("notice");
  notice.hidden = false;
  notice.textContent = "The server does not answer. Load the page again when it is back.";
});
