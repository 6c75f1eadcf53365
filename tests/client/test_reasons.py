"""The reason of a refusal, read from the words of TF Serving and of gRPC."""

import pytest

from tfclf.client.reasons import Reason, read_reason


@pytest.mark.parametrize(
    ("code", "details", "reason"),
    [
        (
            "INVALID_ARGUMENT",
            "Unrecognized servable version label: signature",
            Reason.UNKNOWN_LABEL,
        ),
        (
            "INVALID_ARGUMENT",
            "ModelSpec has 'version_label' set, but it isn't currently allowed by the server.",
            Reason.UNKNOWN_LABEL,
        ),
        (
            "FAILED_PRECONDITION",
            'Serving signature name: "detail" not found in signature def',
            Reason.UNKNOWN_SIGNATURE,
        ),
        (
            "INVALID_ARGUMENT",
            "output tensor alias not found in signature: label Outputs expected to be in the set",
            Reason.UNKNOWN_SIGNATURE,
        ),
        ("UNAVAILABLE", "Ssl handshake failed: SSL_ERROR_SSL: error:1000007d", Reason.TLS),
        ("NOT_FOUND", "Servable not found for request: Latest(label)", Reason.OTHER),
    ],
)
def test_a_servers_words_give_the_reason(code: str, details: str, reason: Reason) -> None:
    assert read_reason(code, details) is reason
