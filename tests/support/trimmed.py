"""The flows' tests run on the trimmed service models: an operation that they lack fails here, not at a customer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.names import ROOT
from deploy.service_models import write_models
from shared.aws import clients
from tests.support import quick_moto


@pytest.fixture(scope="session", autouse=True)
def trimmed_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Write the models once for each process, and let the product's clients read them as they do in a zip."""
    quick_moto.remember()
    folder = tmp_path_factory.mktemp("models")
    write_models([ROOT / "shared", ROOT / "central" / "chalicelib", ROOT / "member" / "chalicelib"], folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clients, "_DATA", folder)
        clients.forget()
        yield folder
    clients.forget()
