"""Losses that Keras lacks, for `training.loss={_target_: fitbench.models.losses.NAME, ...}`."""

from typing import Any

import keras
from keras import ops

from fitbench.models.layers import registered


@registered
class MaximumAPosteriori(keras.losses.Loss):
    """The criterion of RBF outputs: LeCun, Bottou, Bengio and Haffner 1998, section II.C, equation 9.

    For the penalties y = -outputs and the right class D, y_D + log(exp(-j) + sum over classes of exp(-y)). It is a
    softmax cross-entropy with one more class, whose penalty j does not change: an image may be of no class at all. A
    code that is farther away than about j pushes no more. So far from all codes only the right one pulls, as strongly
    as with the squared distance; without j the codes pull and push by their differences alone.

    Args:
        rubbish: j, above 0. The paper gives no value.
        reduction: as in Keras.
        name: as in Keras.
        dtype: as in Keras.

    Raises:
        ValueError: `rubbish` is 0 or less.
    """

    def __init__(
        self,
        rubbish: float,
        reduction: str = "sum_over_batch_size",
        name: str = "maximum_a_posteriori",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if rubbish <= 0:
            raise ValueError(f"rubbish is {rubbish}; it must be above 0")
        self.rubbish = rubbish

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The values [batch] for one-hot rows and outputs, [batch, classes] both."""
        of_none = ops.full_like(y_pred[:, :1], -self.rubbish)
        of_all = ops.logsumexp(ops.concatenate([y_pred, of_none], axis=-1), axis=-1)
        return of_all - ops.sum(ops.cast(y_true, y_pred.dtype) * y_pred, axis=-1)

    def get_config(self) -> dict[str, Any]:
        """What the loss is made with."""
        return {**super().get_config(), "rubbish": self.rubbish}
