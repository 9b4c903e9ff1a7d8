"""The step that the benchmark times, and its launches by themselves."""

import numpy as np

from enrnn_ref.backends.cuda import arrays
from enrnn_ref.bench import Size
from enrnn_ref.bench.device_step import DeviceStep, launches_of


def test_launches_that_are_repeated_write_the_same_again():
    step = DeviceStep(Size("small", 3, 2, 4, 5))
    before = {name: array.copy_to_host() for name, array in step._begun.state.params.items()}
    launches = launches_of(step.run)
    written = {**step._begun.state.params, **step._begun.state.optimizer}
    kept = {name: array.copy_to_host() for name, array in written.items()}
    assert all((kept[name] != array).any() for name, array in before.items())
    for array in written.values():
        arrays.fill(array.data, np.nan)
    for launch in launches:
        launch()
    for name, array in written.items():
        np.testing.assert_array_equal(array.copy_to_host(), kept[name], err_msg=name)
