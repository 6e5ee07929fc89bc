"""Parts that a test registers are forgotten at its end."""

import pytest

from tests.train.setting import forgotten_parts


@pytest.fixture(autouse=True)
def _forget_parts():
    with forgotten_parts():
        yield
