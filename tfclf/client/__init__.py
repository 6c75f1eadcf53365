"""A client of TF Serving, and of the server that comes along: the same `Prediction`s as in process.

    blocking, asynchronous    Client, AsyncClient: what users call
    conversation    what is asked, and how answers are read: once, for both forms and both protocols
    served          what must be known of a served model, and where it is learnt
    refusals        errors in words
    batches         rows into requests
    set_up          from options to a connection
    grpc_transport, rest_transport (rest_json)    one protocol each
    messages        what goes to and fro
    options, address, tls

A module imports only from those below it. Importing this package imports neither TensorFlow nor gRPC nor httpx; a
client over REST needs the last alone.
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
