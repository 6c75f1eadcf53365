"""A refusal in words: what was asked of whom, what it said, what to do next."""

from tfclf.client.address import GRPC, Address
from tfclf.client.messages import HTTP, NO_HTTP, Refused
from tfclf.client.options import Options
from tfclf.errors import ClientError

_NO_MODEL = (
    " Without model= the name is 'default', as tensorflow_model_server has it where none is given."
)


def client_error(
    refused: Refused, address: Address, options: Options, more: str = ""
) -> ClientError:
    """The error for a user; `more` is added at its end."""
    words = refused.details.strip().rstrip(".") or "no reason given"
    message = f"{_said(refused, address, options, words)}{more}"
    return ClientError(message, code=refused.code)


def _said(refused: Refused, address: Address, options: Options, words: str) -> str:
    code = refused.code
    if HTTP in words:
        return (
            f"{address} answers with HTTP/1: that is a REST port, and it was spoken to in gRPC. Write "
            f"http:// before it, or give the gRPC port (TF Serving's is 8500)."
        )
    if NO_HTTP in words:
        return (
            f"{address} does not answer in HTTP/1.1 ({words}): most likely a gRPC port, spoken to in REST. Give the "
            f"address without http://, or the REST port (TF Serving's is 8501)."
        )
    if code == "UNAVAILABLE":
        return _unavailable(address, words)
    if code == "DEADLINE_EXCEEDED":
        return (
            f"{address} has not answered within the timeout ({words}). Expected an answer in time: give a longer "
            f"timeout=, fewer rows in a request with batch_size=, or find out what keeps the server."
        )
    if code == "FAILED_PRECONDITION" and " has no signature " in words:
        return (
            f"model {options.model!r} at {address} is none that can be asked so: {words}. Expected an export of "
            f"tfclf (`tfclf export`) that has it; one of an older version can be exported again."
        )
    named = f"{address} refuses model {options.model!r}"
    if options.version is not None or options.label is not None:
        named += f", version {options.label or options.version}"
    return f"{named}: {code}, {words}.{_advice(code, words, address, options)}"


def _unavailable(address: Address, words: str) -> str:
    lower = words.lower()
    if any(word in lower for word in ("certificate", "handshake", "ssl", "verification")):
        advice = (
            "TLS failed: give the authority that signed the server's certificate as tls=Tls(ca=...), the name in it "
            "as server_name=, and your own certificate where the server asks for one; or the server speaks no TLS."
        )
    else:
        advice = (
            "Expected a server that is started and has room: see whether it runs, whether host and port are right, "
            "and whether it speaks TLS (grpcs://, https://). `wait_until_ready` waits for one that is starting."
        )
    return f"{address} is unavailable: {words}. {advice}"


def _advice(code: str, words: str, address: Address, options: Options) -> str:
    if code == "NOT_FOUND":
        return (
            f"{_NO_MODEL if options.model == 'default' else ''} Expected a model that the server has: `tfclf serve` "
            f"calls it after its folder, tensorflow_model_server as --model_name or models.config say. Pass that as "
            f"model=, and a version that is loaded as version=, or none."
        )
    if code == "RESOURCE_EXHAUSTED":
        return (
            " Where a request was too large: give a smaller batch_bytes= or batch_size=, "
            "or raise the server's limit."
        )
    if code == "UNIMPLEMENTED":
        speaks = "gRPC" if address.protocol == GRPC else "REST"
        return f" Expected TF Serving's {speaks} interface there; it may be another kind of server, or an older one."
    if code == "INVALID_ARGUMENT" and "label" in words:
        return " Expected a label that models.config gives to a version: version_labels."
    return ""
