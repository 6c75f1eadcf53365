"""The first request of a client: what it asks about the model costs little time."""

from typing import Any

import pytest

from tests.client.conftest import connection
from tests.client.fronts import Behind
from tfclf.errors import ClientError

TEXT = ["Stocks rally as oil prices fall"]


def test_the_labels_are_asked_for_while_the_rows_are_predicted(client: Any, behind: Behind) -> None:
    behind.company = 2  # neither request is answered before the other has arrived
    (prediction,) = client.predict(TEXT)
    assert prediction.label in prediction.probabilities
    assert behind.most_at_once == 2


def test_several_batches_ask_for_the_labels_once(client: Any, behind: Behind) -> None:
    client.predict(TEXT * 100)
    names = [seen.request.model_spec.signature_name for seen in behind.seen]
    assert names.count("classify") == 1


def test_a_first_request_that_is_refused_leaves_a_client_that_works(
    form: str, address: str, behind: Behind
) -> None:
    with connection(form, address, retries=0) as client:
        behind.script = ["INTERNAL", "INTERNAL"]
        with pytest.raises(ClientError, match="INTERNAL"):
            client.predict(TEXT)
        assert client.predict(TEXT)
