"""The optimizers that `train.optimizer` can name: those of Keras, with a Muon for convolutions."""

import math

from core.config.params import Train
from core.networks.architectures import NETWORKS
from core.networks.runtime import keras, tf

# The rate of Adam within Muon, as a share of Muon's; chosen on held-out images, as were the rates in recipes.yaml.
ADAM_RATIO = 0.1
MOMENTUM, STEPS = 0.6, 3  # as in K. Jordan's airbench, which trains convolutions on CIFAR-10


class Adam(keras.optimizers.Adam):
    """Keras' Adam, but XLA updates a variable and its moments in one pass over memory (XLA_FLAGS in the runtime).

    XLA joins these updates only if none reads the result of another, so the update of the variable calculates both
    moments again. Their terms have opposite signs there, or XLA would share them. Without XLA, all bits are Keras'.
    """

    def update_step(self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor) -> None:
        """Change a variable and its two moments."""
        index = self._get_variable_index(variable)
        first, second = self._momentums[index], self._velocities[index]
        step = tf.cast(self.iterations + 1, variable.dtype)
        rate = learning_rate * tf.sqrt(1 - self.beta_2**step) / (1 - self.beta_1**step)
        mean = first - (first - gradient) * (1 - self.beta_1)
        square = second - (second + gradient * -gradient) * (1 - self.beta_2)
        change = mean * rate / (tf.sqrt(square) + self.epsilon)
        first.assign(first + (gradient - first) * (1 - self.beta_1))
        second.assign(second + (gradient * gradient - second) * (1 - self.beta_2))
        variable.assign(variable - change)


class Muon(keras.optimizers.Muon):
    """Keras' Muon for all hidden kernels, and Adam for the other weights.

    Keras leaves kernels of convolutions to Adam. Here they are matrices, (height * width * channels, filters), as in
    K. Jordan et al., "Muon" (2024). Before a step, a kernel is scaled to the Frobenius norm sqrt(filters), so a rate of
    0.1 changes it by a tenth of its norm, and weight decay has no effect on it. With batch normalization behind it, the
    norm of a kernel has no effect on a network.
    """

    def _should_use_adamw(self, variable: keras.Variable) -> bool:
        return len(variable.shape) < 2 or "logits" in variable.path.split("/")

    def _muon_update_step(
        self, gradient: tf.Tensor, variable: keras.Variable, rate: tf.Tensor, momentum: keras.Variable
    ) -> None:
        momentum.assign(self.momentum * momentum + gradient)
        ahead = tf.reshape(gradient + self.momentum * momentum, (-1, variable.shape[-1]))  # Nesterov
        turn = tf.reshape(self.zeropower_via_newtonschulz5(ahead, self.ns_steps), variable.shape)
        scale = tf.math.divide_no_nan(math.sqrt(variable.shape[-1]), tf.norm(variable))
        variable.assign(scale * variable - rate * turn)


def optimizer(settings: Train) -> keras.optimizers.Optimizer:
    """Return a new optimizer as the settings have it."""
    decay = settings.weight_decay or None  # Keras tells None from 0
    config = {"learning_rate": settings.learning_rate, "weight_decay": decay}
    if settings.optimizer == "muon":
        config["weight_decay"] = None
        adam_decay = decay and ADAM_RATIO * decay  # Keras multiplies it by Muon's rate
        return Muon(**config, adam_weight_decay=adam_decay, adam_lr_ratio=ADAM_RATIO, momentum=MOMENTUM, ns_steps=STEPS)
    if settings.optimizer == "adam" and NETWORKS[settings.network].xla:
        return Adam(**config)
    return keras.optimizers.get({"class_name": settings.optimizer, "config": config})
