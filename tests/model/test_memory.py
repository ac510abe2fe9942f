import sys

import pytest

from model.memory import hold


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_memory_can_be_held_twice() -> None:
    assert hold() == hold()
