"""Attacks by config.json: Keras' deserialization finds modules, runs code and opens files by what is named there."""

import ast
import base64
import copy
import json
import marshal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from core.cli.errors import DataError
from core.networks import models
from core.networks.runtime import keras
from stages.evaluate import architecture

ATTACKS: dict[str, Callable[[dict, Path], None]] = {}


def attack(function: Callable[[dict, Path], None]) -> Callable[[dict, Path], None]:
    ATTACKS[function.__name__] = function
    return function


def layer(config: dict, class_name: str, **arguments: object) -> None:
    """Put a layer in place of the hidden one, in the same place of the graph."""
    node = config["config"]["layers"][2]
    node |= {"class_name": class_name, "config": {"name": node["name"], **arguments}}
    node.pop("build_config")


def hidden(config: dict) -> dict:
    return config["config"]["layers"][2]["config"]


def marshalled(canary: Path) -> dict:
    """A Python lambda in both forms that Keras knows: its code, to be run as it is."""
    source = f"lambda x: (__import__('pathlib').Path({str(canary)!r}).touch(), x[:, :5])[1]"
    code = base64.b64encode(marshal.dumps(eval(source).__code__)).decode()
    forms = {"value": [code, None, None], "code": code, "defaults": None, "closure": None}
    return {"class_name": "__lambda__", "config": forms}


def function(module: str, name: str) -> dict:
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


@attack
def lambda_of_marshalled_code(config, canary):
    layer(config, "Lambda", function=marshalled(canary))


@attack
def command_of_the_operating_system(config, canary):
    config["config"]["layers"][2] |= {"module": "os", "class_name": "system", "config": {"command": f"touch {canary}"}}


@attack
def function_of_the_operating_system(config, canary):
    layer(config, "Lambda", function=function("os", "system"), arguments={"command": f"touch {canary}"})


@attack
def lambda_that_downloads(config, canary):
    arguments = {"origin": canary.parent.joinpath("params").as_uri(), "cache_dir": str(canary.parent)}
    layer(config, "Lambda", function=function("keras.utils", "get_file"), arguments={"fname": "canary", **arguments})


@attack
def lambda_that_switches_protection_off(config, canary):
    layer(config, "Lambda", function=function("keras.config", "enable_unsafe_deserialization"))


@attack
def saved_model_of_tensorflow(config, canary):
    layer(config, "TFSMLayer", filepath=str(canary.parent), call_endpoint="serve")


@attack
def vocabulary_from_a_file(config, canary):
    layer(config, "TextVectorization", vocabulary="/etc/hostname")


@attack
def lookup_from_a_file(config, canary):
    layer(config, "StringLookup", vocabulary="/etc/hostname")


@attack
def layer_under_a_registered_name(config, canary):
    config["config"]["layers"][2]["registered_name"] = "attack>Dense"


@attack
def network_under_a_registered_name(config, canary):
    config["registered_name"] = "attack>Dense"


@attack
def class_from_another_module(config, canary):
    config["config"]["layers"][2]["module"] = "keras.src.layers.core.lambda_layer"


@attack
def network_in_the_network(config, canary):
    inner = copy.deepcopy(config)
    lambda_of_marshalled_code(inner, canary)
    config["config"]["layers"][2] |= {"class_name": "Functional", "config": inner["config"]}


@attack
def code_as_activation(config, canary):
    hidden(config)["activation"] = marshalled(canary)


@attack
def function_as_activation(config, canary):
    hidden(config)["activation"] = function("builtins", "exec")


@attack
def code_in_an_initializer(config, canary):
    hidden(config)["kernel_initializer"] = marshalled(canary)


@attack
def code_in_a_regularizer(config, canary):
    hidden(config)["kernel_regularizer"] = marshalled(canary)


@attack
def code_in_the_seed_of_dropout(config, canary):
    config["config"]["layers"][3]["config"]["seed"] = marshalled(canary)


@attack
def code_in_the_type(config, canary):
    hidden(config)["dtype"] = marshalled(canary)


@attack
def code_among_the_arguments_of_a_call(config, canary):
    config["config"]["layers"][2]["inbound_nodes"][0]["kwargs"] = {"training": marshalled(canary)}


@attack
def code_in_what_is_built(config, canary):
    config["config"]["layers"][2]["build_config"] = marshalled(canary)


@attack
def code_in_what_is_compiled(config, canary):
    config["compile_config"] = {"optimizer": "sgd", "loss": marshalled(canary)}


@attack
def code_in_a_key_that_nobody_reads(config, canary):
    hidden(config)["note"] = marshalled(canary)


@attack
def name_that_leads_elsewhere(config, canary):
    hidden(config)["name"] = "../../canary"


@attack
def name_of_two_layers(config, canary):
    hidden(config)["name"] = "flatten"


@attack
def no_class(config, canary):
    config["config"]["layers"][2]["class_name"] = ["Dense"]


@attack
def sequential_network(config, canary):
    config["class_name"] = "Sequential"


@attack
def other_precision(config, canary):
    hidden(config)["dtype"]["config"]["name"] = "float16"


@attack
def other_images(config, canary):
    config["config"]["layers"][0]["config"]["batch_shape"] = [None, 2**16, 2**16]


@attack
def more_units_than_weights(config, canary):
    hidden(config)["units"] = 8192


@attack
def more_units_than_memory(config, canary):
    hidden(config)["units"] = 10**12


@attack
def units_that_are_true(config, canary):
    hidden(config)["units"] = True


@attack
def units_that_are_no_whole_number(config, canary):
    hidden(config)["units"] = 5.0


@attack
def rate_that_is_no_number(config, canary):
    config["config"]["layers"][3]["config"]["rate"] = float("nan")


@attack
def layers_without_end(config, canary):
    config["config"]["layers"] *= 1000


@attack
def convolution_larger_than_memory(config, canary):
    arguments = {"filters": 8192, "kernel_size": [8192, 8192], "padding": "same", "activation": "relu"}
    layer(config, "Conv2D", use_bias=True, **arguments)


@attack
def convolution_of_what_is_flat(config, canary):
    layer(config, "Conv2D", filters=1, kernel_size=[1, 1], padding="same", activation="relu", use_bias=True)


@attack
def shape_larger_than_memory(config, canary):
    layer(config, "Reshape", target_shape=[8192, 8192, 8192])


@attack
def no_layers(config, canary):
    config["config"]["layers"] = []


class Registered(keras.layers.Dense):
    """A class that the process knows by name, as if some package had brought it along."""

    @classmethod
    def from_config(cls, config):
        raise AssertionError("a registered class was asked to make a layer")


@pytest.fixture
def registered():
    keras.saving.register_keras_serializable("attack", "Dense")(Registered)
    yield
    del keras.saving.get_custom_objects()["attack>Dense"]


@pytest.fixture
def attacking(members):
    """A function that makes a file of another config.json."""

    def attacking(config: dict | str | bytes) -> bytes:
        text = json.dumps(config) if isinstance(config, dict) else config
        content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        return models.archive(members | {"config.json": content})

    return attacking


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.fault("layers that run code, download, read files or load programs")
@pytest.mark.fault("Keras' protection switched off earlier in the process")
def test_a_config_that_is_not_one_of_ours_is_refused(name, members, attacking, refusal, canary, registered):
    config = json.loads(members["config.json"])
    ATTACKS[name](config, canary)

    assert refusal(attacking(config)).startswith("config.json: ")


@pytest.mark.fault("layers that run code, download, read files or load programs")
def test_what_is_refused_is_named(members, attacking, refusal, canary):
    config = json.loads(members["config.json"])
    lambda_of_marshalled_code(config, canary)
    expected = "(expected layers of ours alone, got a layer Lambda)"

    assert refusal(attacking(config)) == f"config.json: not one of our networks {expected}"


def test_a_config_of_megabytes_is_not_parsed(members, attacking, refusal, canary):
    config = json.loads(members["config.json"])
    layers_without_end(config, canary)
    size = len(json.dumps(config))

    assert refusal(attacking(config)).endswith(f"got {size} bytes)")


def test_another_form_of_the_same_json_is_refused(members, attacking, refusal):
    """Of a key that stands twice, one reader takes the first and another the last."""
    text = members["config.json"].decode()
    twice = text.replace('"units": 5', '"units": 9, "units": 5')
    others = [twice, text + " ", "\ufeff" + text, text.replace(" ", "", 1), text.encode("utf-16")]
    others += ["", "{}", "[]", "null", "<html>", text[:-1], "[" * 100_000, "9" * 100_000, "\ud800", b"\xff", b"\0"]

    for other in others:
        assert other != text
        assert refusal(attacking(other)).startswith("config.json: ")


@pytest.mark.parametrize("field", ["units", "filters", "kernel_size", "target_shape", "rate", "momentum", "padding"])
def test_no_argument_of_a_layer_goes_unchecked(field):
    """Each is given what Keras would take for the description of an object, and numbers beyond its bounds."""
    kinds = [kind for kind in architecture.LAYERS.values() if field in kind.model_fields]
    assert kinds
    for kind in kinds:
        for value in ({"class_name": "__lambda__"}, [{"class_name": "x"}], None, -1, 8193, [8193] * 2, "os.system", []):
            with pytest.raises(ValidationError) as caught:
                kind.model_validate({"name": "a", field: value})
            assert field in {problem["loc"][0] for problem in caught.value.errors()}


def test_a_network_is_not_built_before_its_weights_are_counted(members, monkeypatch):
    """Else the honest layers with a few units more would take all memory."""
    monkeypatch.setattr(keras, "Sequential", lambda *_, **__: pytest.fail("built"))
    config = json.loads(members["config.json"])
    hidden(config)["units"] = 6

    size = 4 * (24 * 5 + 5 + 5 * 3 + 3)
    with pytest.raises(ValueError, match=f"{(24 + 1) * 6 + (6 + 1) * 3} weights in {size} bytes"):
        architecture.rebuild(json.dumps(config).encode(), (4, 6), size)


@pytest.mark.slow
@pytest.mark.fault("Keras' protection switched off earlier in the process")
def test_keras_alone_would_run_code_and_read_files(members, attacking, tmp_path, canary):
    """The attacks are real: in a process of its own, with its protection switched off, Keras falls for them."""
    (tmp_path / "secret.txt").write_text("secret\nwords\n", encoding="utf-8")
    for name, change in {
        "lambda": lambda config: lambda_of_marshalled_code(config, canary),
        "vocabulary": lambda config: layer(
            config, "StringLookup", vocabulary=str(tmp_path / "secret.txt"), num_oov_indices=1
        ),
    }.items():
        config = json.loads(members["config.json"])
        change(config)
        (tmp_path / f"{name}.keras").write_bytes(attacking(config))
    script = (
        "import json, keras, pathlib, zipfile\n"
        "keras.config.enable_unsafe_deserialization()\n"
        "try:\n    keras.models.load_model('lambda.keras', safe_mode=True)\n"
        "except Exception as error: print('then failed', error)\n"
        "print(pathlib.Path('canary').exists())\n"
        "config = json.loads(zipfile.ZipFile('vocabulary.keras').read('config.json'))\n"
        "lookup = keras.saving.deserialize_keras_object(config['config']['layers'][2])\n"
        "print(*lookup.get_vocabulary())\n"
    )

    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )

    assert ended.stdout.splitlines()[-2:] == ["True", "[UNK] secret words"], ended.stdout + ended.stderr


@pytest.mark.fault("Keras asked to load after all")
def test_nobody_asks_keras_to_load():
    """By which all of the attacks above would come in again."""
    forbidden = {"load_model", "load_weights", "from_config", "model_from_json", "deserialize_keras_object"}
    root = Path(__file__).parents[2] / "stages"
    used = {
        node.attr if isinstance(node, ast.Attribute) else node.id
        for path in [root / "models.py", *(root / "evaluate").rglob("*.py")]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute | ast.Name)
    }

    assert "Sequential" in used
    assert not used & forbidden


def test_a_network_of_another_shape_is_refused_as_such(members, attacking, victim):
    """Everything in its place, and the images cut to other shapes than those of the data."""
    text = members["config.json"].decode().replace("[null, 4, 6]", "[null, 6, 4]")

    with pytest.raises(DataError, match=r"config\.json: not what Keras saves of these layers"):
        victim(attacking(text))
