"""Recipe R1 in JAX: an epoch is one compiled `lax.scan` over its batches.

    python -m benchmarks.rivals.jax_scan FOLDER BATCH EPOCHS

FOLDER has the normalized images and labels, in train/ and test/.
"""

import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

ARRAYS = ("train/images", "train/labels", "test/images", "test/labels")
RATE, BETA_1, BETA_2, EPSILON = 1e-3, 0.9, 0.999, 1e-7


def main(folder: str, batch: str, epochs: str) -> None:
    images, labels, test_images, test_labels = (jnp.asarray(np.load(f"{folder}/{name}.npy")) for name in ARRAYS)
    images, labels = images.reshape(-1, 784), labels.astype(jnp.int32)
    keys = jax.random.split(jax.random.key(0), 2)
    glorot = jax.nn.initializers.glorot_uniform()
    weights = [glorot(keys[0], (784, 128)), jnp.zeros(128), glorot(keys[1], (128, 10)), jnp.zeros(10)]
    moments = [jax.tree.map(jnp.zeros_like, weights) for _ in range(2)]
    state = (weights, *moments, jnp.zeros((), jnp.int32))
    random = np.random.RandomState(0)
    for number in range(int(epochs)):
        order = random.permutation(len(labels)).astype(np.int32).reshape(-1, int(batch))
        state, losses = epoch(state, images, labels, order)
        print(f"epoch {number + 1} loss {losses.mean():.4f}", flush=True)
    predicted = logits(state[0], test_images.reshape(-1, 784)).argmax(1)
    print(f"accuracy {(predicted == test_labels).mean():.4f}")


def logits(weights, images):
    return jax.nn.relu(images @ weights[0] + weights[1]) @ weights[2] + weights[3]


def loss(weights, images, labels):
    logarithms = jax.nn.log_softmax(logits(weights, images))
    return -jnp.take_along_axis(logarithms, labels[:, None], axis=1).mean()


@partial(jax.jit, donate_argnums=0)
def epoch(state, images, labels, order):
    def step(state, rows):
        weights, first, second, count = state
        value, gradients = jax.value_and_grad(loss)(weights, images[rows], labels[rows])
        count += 1
        rate = RATE * jnp.sqrt(1 - BETA_2**count) / (1 - BETA_1**count)
        first = jax.tree.map(lambda m, g: BETA_1 * m + (1 - BETA_1) * g, first, gradients)
        second = jax.tree.map(lambda v, g: BETA_2 * v + (1 - BETA_2) * g * g, second, gradients)
        weights = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + EPSILON), weights, first, second)
        return (weights, first, second, count), value

    return jax.lax.scan(step, state, order)


if __name__ == "__main__":
    main(*sys.argv[1:])
