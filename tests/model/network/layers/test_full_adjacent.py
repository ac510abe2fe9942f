import pytest

from model.errors import ModelConfigError
from model.network.layers.full_adjacent import positions


def test_any_layer_no_layer_and_all_layers_may_be_fully_adjacent() -> None:
    assert positions((3,), 4) == {3}
    assert positions((), 4) == frozenset()
    assert positions((1, 2, 3, 4), 4) == {1, 2, 3, 4}


@pytest.mark.parametrize("layer", [0, 5, -1])
def test_a_position_outside_the_stack_is_refused(layer: int) -> None:
    sentence = rf"^`fa_layers` must be between 1 and `layers` \(4\), but is {layer} instead\.$"
    with pytest.raises(ModelConfigError, match=sentence):
        positions((layer,), 4)


def test_positions_must_ascend_without_repetition() -> None:
    sentence = r"^`fa_layers` must ascend without repetition, but is \[2, 2\] instead\.$"
    with pytest.raises(ModelConfigError, match=sentence):
        positions((2, 2), 4)
