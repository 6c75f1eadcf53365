/** The same request in code: what to type into a terminal, or into a program. */

import { predictPath } from "./server.js";

const MOST_CHARACTERS = 2000;

/** @typedef {{model: string, version: number, signature: string, texts: Record<string, string>,
 *   origin: string, grpcPort: number}} Request */

/**
 * Write a request as code.
 * @param {string} language curl, python or grpc.
 * @param {Request} request
 * @returns {string}
 */
export function writeRequest(language, request) {
  const texts = {};
  let cut = false;
  for (const [name, text] of Object.entries(request.texts)) {
    const characters = [...text.slice(0, 2 * MOST_CHARACTERS + 2)];
    cut ||= characters.length > MOST_CHARACTERS;
    texts[name] = characters.slice(0, MOST_CHARACTERS).join("");
  }
  const code = { curl: writeCurl, python: writePython, grpc: writeGrpc }[language]({ ...request, texts });
  return cut ? `${code}\n# The text is cut here after ${MOST_CHARACTERS} characters.` : code;
}

function writeCurl({ origin, model, version, signature, texts }) {
  const inputs = Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, [text]]));
  const body = JSON.stringify({ signature_name: signature, inputs });
  return `curl -s ${quote(`${origin}/${predictPath(model, version)}`)} \\\n  -d ${quote(body)}`;
}

/** Quote for a shell: nothing in single quotes has a meaning but the quote itself. */
function quote(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A string of JSON is one of Python too. */
const literal = JSON.stringify;

function writePython({ origin, model, version, texts }) {
  const [text, pair] = Object.values(texts);
  const pairs = pair === undefined ? "" : `, pairs=[${literal(pair)}]`;
  return `import tfclf

with tfclf.Client(${literal(origin)}, model=${literal(model)}, version=${version}) as client:
    (prediction,) = client.predict([${literal(text)}]${pairs})
print(prediction.label, prediction.score)`;
}

function writeGrpc({ grpcPort, model, version, signature, texts, origin }) {
  if (!grpcPort) return "# This server has no gRPC port.";
  const address = literal(`${new URL(origin).hostname}:${grpcPort}`);
  const tls = origin.startsWith("https:");
  const channel = tls
    ? `grpc.secure_channel(${address}, grpc.ssl_channel_credentials())`
    : `grpc.insecure_channel(${address})`;
  const inputs = Object.entries(texts)
    .map(([name, text]) => `tensor = request.inputs[${literal(name)}]
tensor.dtype = 7  # DT_STRING
tensor.string_val.append(${literal(text)}.encode())
tensor.tensor_shape.dim.add(size=1)`)
    .join("\n");
  return `import grpc
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

request = predict_pb2.PredictRequest()
request.model_spec.name = ${literal(model)}
request.model_spec.version.value = ${version}
request.model_spec.signature_name = ${literal(signature)}
${inputs}
with ${channel} as channel:
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    response = stub.Predict(request, timeout=10)
print(response.outputs["label"].string_val, response.outputs["score"].float_val)`;
}
