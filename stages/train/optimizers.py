"""The optimizers that `train.optimizer` can name: those of Keras, with a Muon for convolutions."""

import math

from core.config.params import Train
from core.networks.runtime import keras, tf

# The rate of Adam within Muon, as a share of Muon's; chosen on held-out images, as were the rates in recipes.yaml.
ADAM_RATIO = 0.1
MOMENTUM, STEPS = 0.6, 3  # as in K. Jordan's airbench, which trains convolutions on CIFAR-10


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
    return keras.optimizers.get({"class_name": settings.optimizer, "config": config})
