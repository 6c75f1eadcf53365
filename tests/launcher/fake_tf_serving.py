"""Fakes of tensorflow_model_server and docker, which record their arguments.

A test puts them on PATH with `install`. FAKE_BEHAVIOUR says how they behave:
  answer      report the model as AVAILABLE over REST
  embedded    the same, and run tfclf's embedded server on the gRPC port
  silent      answer nothing
  deaf        like `answer`, but only record SIGTERM
  fail        end with exit code 7
"""

import json
import os
import sys
from pathlib import Path

PROGRAM = """#!{python}
import json, os, signal, sys, threading, time
from http.server import BaseHTTPRequestHandler, HTTPServer

def note(*words):
    with open(os.environ["FAKE_RECORD"], "a") as record:
        record.write(json.dumps(words) + "\\n")

note(os.path.basename(sys.argv[0]), *sys.argv[1:])
behaviour = os.environ.get("FAKE_BEHAVIOUR", "answer")
version = os.environ.get("FAKE_VERSION", "2.20.0-rc0+dev.sha.abc")
if sys.argv[1] == "--version":
    print("TensorFlow ModelServer:", version)
    sys.exit()
if sys.argv[1] in ("version", "rm"):  # docker's own commands
    if behaviour == "no daemon":
        sys.exit("Cannot connect to the Docker daemon")
    sys.exit()
if behaviour == "fail":
    sys.exit(7)
if behaviour == "deaf":
    signal.signal(signal.SIGTERM, lambda *_: note("SIGTERM"))

named = [word for word in sys.argv if word.startswith("--") and "=" in word]
flags = dict(word[2:].split("=", 1) for word in named)
port, rest_port = flags.get("port"), flags.get("rest_api_port")
publish = [word for word in sys.argv[1:] if word.count(":") > 1 and word[-4:-1] == "850"]
published = [word.rsplit(":", 2)[-2:] for word in publish]
for outside, inside in published:  # docker: what a client reaches
    port, rest_port = (outside, rest_port) if inside == "8500" else (port, outside)

class Status(BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.path == "/v1/models/" + flags["model_name"]
        state = os.environ.get("FAKE_STATE", "AVAILABLE")
        content = {{"error": "unknown"}}
        if known:
            content = {{"model_version_status": [{{"version": "1", "state": state}}]}}
        self.send_response(200 if known else 404)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_):
        pass

if behaviour == "embedded":
    from tests.no_warm_up import skip_warm_up_of_exports
    from tfclf.server import serve
    skip_warm_up_of_exports()
    server = serve(flags["model_base_path"], model_name=flags["model_name"], port=int(port))
if behaviour != "silent" and rest_port:
    rest = HTTPServer(("127.0.0.1", int(rest_port)), Status)
    threading.Thread(target=rest.serve_forever, daemon=True).start()
while True:
    time.sleep(60)
"""


def install(folder: Path, *names: str, python: str = sys.executable) -> dict[str, str]:
    """Write the programs into `folder`; return an environment whose PATH has it first."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text(PROGRAM.format(python=python))
        (folder / name).chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "FAKE_RECORD": str(folder / "record"),
    }


def read_calls(folder: Path) -> list[list[str]]:
    """Read every call so far, the program's name first."""
    path = folder / "record"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
