"""A client for TF Serving and for the embedded server: the same `Prediction`s as in process.

    blocking, asynchronous    Client and AsyncClient: what users call
    conversation    the requests of a call and the reading of their responses: written once, for
                    both forms and both protocols
    served          what the client must know of a served model, and how it finds out
    refusals        errors in words
    proxies         the proxy that the environment sets
    connect         from options to a connection
    grpc_transport, rest_transport (rest_json)    one protocol each
    messages        requests, responses and refusals, independent of the protocol
    reasons         why a server refuses: the only reader of its prose
    batches         group rows into requests
    options, address, tls

A module imports only modules below it. Importing this package imports neither TensorFlow nor gRPC
nor httpx. A client over REST needs only httpx.
"""

from tfclf.client.asynchronous import AsyncClient
from tfclf.client.blocking import Client
from tfclf.client.messages import Metadata, SignatureInfo, TensorInfo, VersionStatus
from tfclf.client.tls import Tls

__all__ = [
    "AsyncClient",
    "Client",
    "Metadata",
    "SignatureInfo",
    "TensorInfo",
    "Tls",
    "VersionStatus",
]
