import json
import os
import pickle
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

import lamina.tensor
from lamina.foundation.errors import BundleError, ContractError, UntrustedError
from lamina.tensor import bundle, codec
from lamina.tensor.bundle import read_bundle, write_bundle
from lamina.tensor.types import PointsMeta, TensorPoint

OBJECT = {
    "vocab": ("cat", "dog"),
    "points": TensorPoint([[1.0, 2.0]], meta=PointsMeta((8, 6))),
    "model": {"0.weight": torch.arange(6.0).reshape(2, 3)},
}


@pytest.fixture
def file(tmp_path):
    return write_bundle(tmp_path / "a.lamina", OBJECT, kind="learner", extra={"loss": 0.5})


def rewrite(file, **changes):
    """Write the file again with changes in its manifest; None removes a key."""
    with safe_open(file, "pt") as opened:
        manifest = json.loads(opened.metadata()["lamina"]) | changes
        tensors = {key: opened.get_tensor(key).clone() for key in opened.keys()}  # noqa: SIM118
    manifest = {key: value for key, value in manifest.items() if value is not None}
    save_file(tensors, file, metadata={"lamina": json.dumps(manifest)})


def test_object_and_facts_come_back(file):
    found = read_bundle(file, kind="learner")
    assert (found.kind, found.extra, found.torch) == ("learner", {"loss": 0.5}, torch.__version__)
    assert found.object["vocab"] == ("cat", "dog")
    assert found.object["model"]["0.weight"].equal(OBJECT["model"]["0.weight"])
    assert found.object["points"].meta == PointsMeta((8, 6))


def test_any_reader_of_safetensors_sees_named_tensors(file):
    with safe_open(file, "np") as opened:
        assert set(opened.keys()) == {"points", "model.0.weight"}
        assert opened.get_tensor("model.0.weight").tolist() == [[0, 1, 2], [3, 4, 5]]


def test_object_without_tensors(tmp_path):
    assert read_bundle(write_bundle(tmp_path / "v", [1, 2], kind="vocab")).object == [1, 2]


def test_tied_and_overlapping_tensors(tmp_path):
    weight = torch.arange(4.0)
    path = write_bundle(tmp_path / "w", [weight, weight, weight[1:], weight.view(2, 2)], kind="w")
    back = read_bundle(path).object
    assert [t.tolist() for t in back] == [[0, 1, 2, 3], [0, 1, 2, 3], [1, 2, 3], [[0, 1], [2, 3]]]
    assert back[0].data_ptr() == back[1].data_ptr()


def test_nothing_that_reads_or_writes_files_can_unpickle():
    folder = Path(lamina.tensor.__file__).parent
    for name in ("bundle.py", "codec.py"):
        source = (folder / name).read_text()
        for word in ("import pickle", "torch.load(", "torch.save(", "import_module", "__import__"):
            assert word not in source.replace("with torch.load and", "")


def test_named_modules_are_never_imported(tmp_path, file):
    marker = tmp_path / "imported"
    (tmp_path / "evil.py").write_text(f"open({str(marker)!r}, 'w')\nclass Evil: pass\n")
    rewrite(file, object={"$object": "evil:Evil", "state": {}})
    code = (
        "import sys; from lamina.tensor.bundle import read_bundle\n"
        "from lamina.foundation.errors import UntrustedError\n"
        f"try: read_bundle({str(file)!r})\n"
        "except UntrustedError: print('refused', 'evil' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "refused False\n"
    assert not marker.exists()


def test_untrusted_class_is_named_with_the_way_to_allow_it(file):
    rewrite(file, object={"$object": "my.transforms:Crop", "state": {}})
    with pytest.raises(
        UntrustedError, match=r"import Crop from my\.transforms and pass allow=\[Cr"
    ):
        read_bundle(file)


def test_errors_carry_the_file(file):
    rewrite(file, object={"$tensor": "gone"})
    with pytest.raises(BundleError, match=r"'gone', but does not hold it. Copy") as caught:
        read_bundle(file)
    assert str(file) in caught.value.__notes__[0]


def test_other_kind_is_refused(file):
    with pytest.raises(BundleError, match=r"this file holds a learner. Expected a vocab"):
        read_bundle(file, kind="vocab")


def test_newer_format_asks_for_an_upgrade(file):
    rewrite(file, format=99, lamina="9.0")
    with pytest.raises(BundleError, match=r"written by lamina 9\.0 in format 99.* Upgrade: pip"):
        read_bundle(file)


@pytest.mark.parametrize("key", ["kind", "object", "extra", "lamina", "torch", "format"])
def test_incomplete_description(file, key):
    rewrite(file, **{key: None})
    with pytest.raises(BundleError, match=r"damaged, incomplete .* (lacks|has no format)"):
        read_bundle(file)


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 50, -1])
def test_truncated_file(file, size):
    content = file.read_bytes()
    file.write_bytes(content[: size if size >= 0 else len(content) + size])
    with pytest.raises(BundleError, match=r"damaged, incomplete .* Copy or download it again"):
        read_bundle(file)


@pytest.mark.parametrize("length", [0, 1, 10**6, 2**63, 2**64 - 1])
def test_header_length_that_lies(file, length):
    file.write_bytes(length.to_bytes(8, "little") + file.read_bytes()[8:])
    with pytest.raises(BundleError, match=r"damaged, incomplete"):
        read_bundle(file)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_random_bytes(tmp_path, content):
    path = tmp_path / "random"
    path.write_bytes(content)
    with pytest.raises(BundleError):
        read_bundle(path)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_flipped_bytes_are_read_or_refused_but_never_crash(file, data):
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    path = file.with_suffix(".flipped")
    path.write_bytes(content)
    with suppress(BundleError):
        read_bundle(path)


def test_pickles_are_refused_by_name(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(BundleError, match=r"this is a pickle.* If you trust it, load it with"):
        read_bundle(path)
    torch.save({"a": 1}, path)
    with pytest.raises(BundleError, match=r"this is a pickle"):
        read_bundle(path)


def test_plain_safetensors_is_explained(tmp_path):
    save_file({"w": torch.ones(1)}, tmp_path / "w.safetensors")
    with pytest.raises(BundleError, match=r"not one of Lamina's.* Read it with safetensors"):
        read_bundle(tmp_path / "w.safetensors")


def test_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_bundle(tmp_path / "none")


def test_value_that_cannot_be_saved_leaves_the_old_file(file):
    before = file.read_bytes()
    with pytest.raises(ContractError, match=r"cannot be saved"):
        write_bundle(file, object(), kind="learner")
    assert file.read_bytes() == before


def test_failure_in_the_middle_leaves_the_old_file(file, monkeypatch):
    def half_written(tensors, path, metadata):
        Path(path).write_bytes(b"half")
        raise OSError("disk full")

    before = file.read_bytes()
    monkeypatch.setattr(bundle, "save_file", half_written)
    with pytest.raises(OSError, match=r"disk full"):
        write_bundle(file, OBJECT, kind="learner")
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_description_too_large_for_a_header(file, monkeypatch):
    monkeypatch.setattr(bundle, "MAX_HEADER", 1000)
    with pytest.raises(ContractError, match=r"more than a header may hold. Turn large lists"):
        write_bundle(file, list(range(1000)), kind="numbers")


def test_tensors_among_the_facts_are_refused(tmp_path):
    with pytest.raises(ContractError, match=r"extra holds tensors under w. Put facts there"):
        write_bundle(tmp_path / "a", 1, kind="a", extra={"w": torch.ones(1)})


def test_equal_objects_give_equal_files(tmp_path):
    objects = [{"s": {"b", "a", "c"}, "w": torch.ones(2)} for _ in range(2)]
    files = [write_bundle(tmp_path / str(i), x, kind="k") for i, x in enumerate(objects)]
    assert files[0].read_bytes() == files[1].read_bytes()


nodes = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "state", "type", "meta", "scalar"]), inner)
        | st.builds(
            lambda tag, content, rest: {tag: content, **rest},
            st.sampled_from([*codec._FROM_JSON, *codec._FROM_LIST, *codec._SPECIAL]),
            inner | st.sampled_from(["points", "TensorImage", "lamina:PointsMeta", "float32"]),
            st.dictionaries(st.sampled_from(["state", "type", "meta"]), inner, max_size=2),
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(node=nodes)
def test_any_description_is_read_or_refused(file, node):
    path = file.with_suffix(".changed")
    path.write_bytes(file.read_bytes())
    rewrite(path, object=node)
    with suppress(BundleError):
        read_bundle(path)
