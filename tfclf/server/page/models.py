"""What the page needs to know of the models that are served: /page/models.json."""

from typing import Any

from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis.get_model_status_pb2 import ModelVersionStatus

from tfclf.saved_model.manifest import Manifest
from tfclf.server.page.options import Page
from tfclf.server.runtime.registry import Registry
from tfclf.server.runtime.servable import Servable
from tfclf.server.runtime.states import END, State


def describe_models(registry: Registry, page: Page, *, grpc_port: int) -> dict[str, Any]:
    """Return the models by name, each with the versions that have not ended, the largest first."""
    servables = {(servable.name, servable.version): servable for servable in registry}
    return {
        "grpc_port": grpc_port,
        "models": [
            {
                "name": name,
                "versions": [
                    _describe_version(version, state, servables.get((name, version)), page)
                    for version, state in registry.states.of(name).items()
                    if state.stage != END or state.message
                ],
            }
            for name in registry.states.names()
        ],
    }


def _describe_version(
    version: int, state: State, servable: Servable | None, page: Page
) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "version": version,
        "state": ModelVersionStatus.State.Name(state.stage),
        "available": servable is not None,
    }
    if servable is not None:
        manifest = servable.manifest
        facts["signatures"] = {
            name: _describe_signature(signature)
            for name, signature in sorted(servable.signatures.items())
            if not name.startswith("__")
        }
        facts["manifest"] = None if manifest is None else _describe_manifest(manifest)
        facts["pieces"] = servable.has_pieces
        facts["facts"] = servable.facts
        facts["examples"] = [dict(each) for each in page.find_examples(servable.name, manifest)]
    return facts


def _describe_signature(signature: SignatureDef) -> dict[str, dict[str, str]]:
    return {
        "inputs": {name: _name_dtype(info.dtype) for name, info in signature.inputs.items()},
        "outputs": {name: _name_dtype(info.dtype) for name, info in signature.outputs.items()},
    }


def _name_dtype(dtype: int) -> str:
    name: str = types_pb2.DataType.Name(dtype)
    return name.removeprefix("DT_").lower()


def _describe_manifest(manifest: Manifest) -> dict[str, Any]:
    """Return what the page shows of a manifest; no checksums and no path of the source."""
    certificate = manifest.certificate
    return {
        "family": manifest.family,
        "engine": manifest.engine,
        "precision": manifest.precision,
        "storage": manifest.storage,
        "problem_type": manifest.problem_type,
        "labels": list(manifest.labels),
        "max_length": manifest.max_length,
        "certificate": None
        if certificate is None
        else {key: certificate.get(key) for key in ("equal", "agrees", "rows", "pairs", "made")},
    }
