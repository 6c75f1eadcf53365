"""A refusal in words: who was asked for what, what the server said, and what to do next."""

from tfclf.client.address import GRPC, Address
from tfclf.client.messages import Refused
from tfclf.client.options import Options
from tfclf.client.proxies import find_proxy
from tfclf.client.reasons import Reason
from tfclf.errors import ClientError

_NO_MODEL = (
    " Without model= the name is 'default', which is tensorflow_model_server's default too, or "
    "that of the only model of `tfclf serve`."
)

# A proxy's own answers, and what comes of one that is away.
_FROM_PROXIES = (
    "UNAVAILABLE",
    "DEADLINE_EXCEEDED",
    "PERMISSION_DENIED",
    "UNAUTHENTICATED",
    "UNKNOWN",
)


def to_client_error(
    refused: Refused, address: Address, options: Options, suffix: str = ""
) -> ClientError:
    """Return the error for the user; `suffix` is appended to its message."""
    words = refused.details.strip().rstrip(".") or "no reason given"
    proxy = _describe_proxy(refused, address)
    message = f"{_describe(refused, address, options, words)}{proxy}{suffix}"
    return ClientError(message, code=refused.code)


def _describe(refused: Refused, address: Address, options: Options, words: str) -> str:
    if refused.reason is Reason.REST_PORT:
        return (
            f"{address} answers with HTTP/1: that is a REST port, but the client spoke gRPC. "
            f"Begin the address with http://, or give the gRPC port (TF Serving's is 8500)."
        )
    if refused.reason is Reason.NOT_HTTP:
        return (
            f"{address} does not answer in HTTP/1.1 ({words}): most likely a gRPC port, but the "
            f"client spoke REST. Give the address without http://, or the REST port (TF Serving's "
            f"is 8501)."
        )
    if refused.code == "UNAVAILABLE":
        return f"{address} is unavailable: {words}. {_advise_unavailable(refused.reason)}"
    if refused.code == "DEADLINE_EXCEEDED":
        return (
            f"{address} has not answered within the timeout ({words}). Give a longer timeout=, "
            f"fewer rows in a request with batch_size=, or find out what slows the server down."
        )
    if refused.reason is Reason.OTHER_EXPORT:
        return (
            f"{address} answers with different exports of model {options.model!r} in turn: "
            f"{words}. Expected one export for each version. Give each export a version number of "
            f"its own, or wait until all servers behind the address have the same one."
        )
    if refused.reason is Reason.MISSING_SIGNATURE:
        return (
            f"model {options.model!r} at {address} cannot be used this way: {words}. Expected an "
            f"export of tfclf (`tfclf export`) with that signature; export an older one again."
        )
    refusal = f"{address} refuses model {options.model!r}"
    if options.version is not None or options.label is not None:
        refusal += f", version {options.label or options.version}"
    return f"{refusal}: {refused.code}, {words}.{_advise(refused, address, options)}"


def _describe_proxy(refused: Refused, address: Address) -> str:
    if refused.code not in _FROM_PROXIES or refused.reason not in (Reason.OTHER, Reason.TLS):
        return ""
    found = find_proxy(address)
    if found is None:
        return ""
    proxy, host = found
    return (
        f" The environment sends these requests through a proxy ({proxy}), which may be what "
        f"answered. If the server is not behind it, add {host} to no_proxy."
    )


def _advise_unavailable(reason: Reason) -> str:
    if reason is Reason.TLS:
        return (
            "TLS failed: give the authority that signed the server's certificate as "
            "tls=Tls(ca=...), the name in that certificate as server_name=, and your own "
            "certificate if the server asks for one; or the server speaks no TLS."
        )
    return (
        "Expected a server that is running and has capacity: see whether it runs, whether host and "
        "port are right, and whether it speaks TLS (grpcs://, https://). `wait_until_ready` waits "
        "for a server that is starting."
    )


def _advise(refused: Refused, address: Address, options: Options) -> str:
    if refused.code == "NOT_FOUND":
        models = f" It has {', '.join(map(repr, refused.models))}." if refused.models else ""
        return (
            f"{models}{'' if options.named else _NO_MODEL} Expected a model that the server "
            f"has: `tfclf serve` names it after its folder, tensorflow_model_server after "
            f"--model_name or models.config. Pass that name as model=, and a loaded version, or "
            f"none, as version=."
        )
    if refused.code == "RESOURCE_EXHAUSTED":
        return (
            " If a request was too large, give a smaller batch_bytes= or batch_size=, "
            "or raise the server's limit."
        )
    if refused.code == "UNIMPLEMENTED":
        interface = "gRPC" if address.protocol == GRPC else "REST"
        return (
            f" Expected TF Serving's {interface} interface there; "
            f"it may be another kind of server, or an older one."
        )
    if refused.reason is Reason.UNKNOWN_LABEL:
        return " Expected a label that models.config gives to a version: version_labels."
    return ""
