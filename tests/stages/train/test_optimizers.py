"""The optimizers take the steps of Keras' own."""

import re

import numpy as np

from core.networks.runtime import keras, tf
from stages.train.optimizers import Adam

SHAPE = (40, 30)


def test_adam_takes_the_same_steps_as_that_of_keras():
    random = np.random.default_rng(0)
    start, gradients = random.normal(size=SHAPE).astype(np.float32), random.normal(size=(5, *SHAPE)).astype(np.float32)
    ours, theirs = (keras.Variable(start) for _ in range(2))
    config = {"learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.98, "epsilon": 0.01, "weight_decay": 0.1}
    optimizers = (Adam(**config), ours), (keras.optimizers.Adam(**config), theirs)
    for optimizer, variable in optimizers:
        for gradient in gradients:
            optimizer.apply([tf.constant(gradient)], [variable])

    assert np.array_equal(ours.numpy(), theirs.numpy())
    for our, their in zip(*(optimizer.variables for optimizer, _ in optimizers), strict=True):
        assert np.array_equal(our.numpy(), their.numpy())


def test_xla_computes_a_step_of_adam_in_one_pass():
    variable = keras.Variable(np.ones(SHAPE, np.float32))
    adam = Adam()
    adam.build([variable])
    step = tf.function(lambda gradient: adam.apply([gradient]), jit_compile=True)
    compiled = step.experimental_get_compiler_ir(tf.zeros(SHAPE))(stage="optimized_hlo")

    array = re.escape(f"f32[{SHAPE[0]},{SHAPE[1]}]{{1,0}}")
    passes = re.findall(f"= (.*{array}.*) fusion\\(", compiled[compiled.index("ENTRY") :])
    assert [len(re.findall(array, results)) for results in passes] == [3]
