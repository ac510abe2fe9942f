from pathlib import Path

import pytest

from orchestrator.execution.cluster import store_check
from orchestrator.execution.cluster.store_check import StoreMarker


def test_a_marker_is_seen_in_its_store_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_check, "READ_WAITS_S", (0.0, 0.0))
    marker = StoreMarker.new(tmp_path)
    assert not marker.is_seen()
    marker.write()
    assert marker.is_seen()
    Path(marker.path).write_text("another store's")
    assert not marker.is_seen()
    marker.remove()
    marker.remove()
    assert list(tmp_path.iterdir()) == []
