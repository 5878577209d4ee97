import pytest
import torch

from lamina.foundation.errors import ContractError, UnknownNameError
from lamina.tensor.device import default_device, parse_device

no_accelerator = not torch.accelerator.is_available()


def test_cpu_on_request():
    assert default_device(use=False) == torch.device("cpu")


def test_default_is_what_the_machine_has():
    expected = "cpu" if no_accelerator else torch.accelerator.current_accelerator().type
    assert default_device().type == expected


@pytest.mark.skipif("not no_accelerator", reason="there is an accelerator")
def test_demanding_a_missing_accelerator_is_an_error():
    with pytest.raises(ContractError, match=r"finds no accelerator. Install a build"):
        default_device(use=True)


@pytest.mark.parametrize("name", ["cpu", "meta", torch.device("cpu")])
def test_known_devices(name):
    assert parse_device(name) == torch.device(name)


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cuda:", "", "cud:0"])
def test_unknown_device_names(name):
    with pytest.raises(UnknownNameError, match=r"unknown device"):
        parse_device(name)


def test_device_that_is_not_there():
    with pytest.raises(
        ContractError, match=r"'cuda:99' is not on this machine, which has .* Leave"
    ):
        parse_device("cuda:99")
