"""What tests of the golden vectors share."""

import pytest

from enrnn_ref.verify.vectors import sources


@pytest.fixture
def undiagnosed(monkeypatch):
    """Without the search for mistakes, which has tests of its own and takes longer than all the rest."""
    monkeypatch.setattr(sources, "DIAGNOSED", 0)
