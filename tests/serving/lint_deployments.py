"""Check serving/ with its own tools (`make lint-deployments`); skip those not on PATH."""

import functools
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SERVING = Path(__file__).parents[2] / "serving"
OVERLAYS = ("base", "gpu")
PROFILES = ("cpu", "gpu", "embedded", "monitoring")
KUBERNETES = "1.32"


def read_dashboard() -> dict[str, Any]:
    """Read Grafana's dashboard."""
    path = SERVING / "grafana" / "dashboard.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def fill_variables(expression: str, interval: str = "5m") -> str:
    """Fill in the dashboard's variables as Grafana does: all models, all servers."""
    filled = expression.replace("$__rate_interval", interval)
    return re.sub(r"\$(model|instance)\b", ".*", filled)


def expressions() -> Iterator[tuple[str, str]]:
    """Yield (panel's title, PromQL) for the dashboard, with its variables filled in."""
    for panel in read_dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], fill_variables(target["expr"])


def render(overlay: str) -> str:
    """Render the manifests of an overlay as kubectl would apply them."""
    kubectl = _find_tool("kubectl")
    command = [kubectl, "kustomize", str(SERVING / "kubernetes" / overlay)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def check_with_kubernetes_schemas(overlay: str) -> None:
    """Check with kubernetes-validate's schemas; an unknown property is an error."""
    import kubernetes_validate
    import yaml

    for manifest in yaml.safe_load_all(render(overlay)):
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def check_with_kubeconform(overlay: str) -> None:
    """Check with another program and the same schemas, whose references it needs inlined."""
    kubeconform = _find_tool("kubeconform")
    import kubernetes_validate

    schemas = (
        Path(kubernetes_validate.__file__).parent
        / "kubernetes-json-schema"
        / f"v{KUBERNETES}.0-local-strict"
    )
    with tempfile.TemporaryDirectory() as folder:
        definitions = json.loads((schemas / "_definitions.json").read_text(encoding="utf-8"))[
            "$defs"
        ]
        for kind in re.findall(r"^kind: (\w+)$", render(overlay), re.MULTILINE):
            for path in schemas.glob(f"{kind.lower()}-*.json"):
                schema = json.loads(path.read_text(encoding="utf-8"))
                inlined = json.dumps(_inline_references(schema, definitions))
                (Path(folder) / path.name).write_text(inlined, encoding="utf-8")
        location = f"{folder}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
        _run(
            [kubeconform, "-strict", "-summary", "-schema-location", location],
            stdin=render(overlay),
        )


def _inline_references(schema: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_inline_references(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inline_references(definitions[schema["$ref"].rsplit("/", 1)[-1]], definitions)
    return {key: _inline_references(part, definitions) for key, part in schema.items()}


def check_with_promtool() -> None:
    """Check rules, their tests, the configuration, and every expression of the dashboard."""
    promtool = _find_tool("promtool")
    folder = SERVING / "prometheus"
    _run([promtool, "check", "rules", "alerts.yml"], folder=folder)
    _run([promtool, "test", "rules", "alerts_test.yml"], folder=folder)
    _run([promtool, "check", "config", "prometheus.yml"], folder=folder)
    rules = [
        {"record": f"panel_{number}", "expr": expr}
        for number, (_, expr) in enumerate(expressions())
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)  # JSON is YAML
        file.flush()
        _run([promtool, "check", "rules", file.name])


def check_kubernetes_scrape() -> None:
    """Check kubernetes.yml separately: some builds of promtool, as Debian's, lack Kubernetes."""
    promtool = _find_tool("promtool")
    done = subprocess.run(
        [promtool, "check", "config", "kubernetes.yml"],
        cwd=SERVING / "prometheus",
        capture_output=True,
        text=True,
        check=False,
    )
    if "kubernetes_sd_configs not found" in done.stderr:
        raise FileNotFoundError("this promtool was built without Kubernetes")
    assert done.returncode == 0, done.stderr


def check_with_compose(profile: str) -> None:
    """Run `docker compose config`, which needs no daemon."""
    command = [shutil.which("docker-compose") or ""]
    if not command[0]:
        command = [_find_tool("docker"), "compose"]
        if subprocess.run([*command, "version"], capture_output=True, check=False).returncode:
            raise FileNotFoundError(
                "docker has no compose plugin, and docker-compose is not on PATH"
            )
    _run(
        [*command, "-f", "compose.yaml", "--profile", profile, "config", "--quiet"], folder=SERVING
    )


def _find_tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise FileNotFoundError(f"{name} is not on PATH")
    return path


def _run(command: list[str], *, folder: Path = SERVING, stdin: str = "") -> None:
    done = subprocess.run(
        command, cwd=folder, input=stdin, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}{done.stderr}"


CHECKS: dict[str, Callable[[], None]] = {
    **{
        f"kubernetes schemas: {each}": functools.partial(check_with_kubernetes_schemas, each)
        for each in OVERLAYS
    },
    **{
        f"kubeconform: {each}": functools.partial(check_with_kubeconform, each) for each in OVERLAYS
    },
    "promtool": check_with_promtool,
    "promtool: kubernetes.yml": check_kubernetes_scrape,
    **{f"docker compose: {each}": functools.partial(check_with_compose, each) for each in PROFILES},
}

if __name__ == "__main__":
    failed = False
    for name, check in CHECKS.items():
        try:
            check()
            sys.stdout.write(f"ok       {name}" + "\n")
        except (FileNotFoundError, ModuleNotFoundError) as error:
            sys.stdout.write(f"skipped  {name}: {error}" + "\n")
        except Exception as error:
            failed = True
            sys.stdout.write(f"FAILED   {name}: {error}" + "\n")
    sys.exit(failed)
