"""Which device to use."""

import torch

from lamina.foundation.errors import ContractError, UnknownNameError

__all__ = ["default_device", "parse_device"]

_KINDS = ("cpu", "cuda", "meta", "mps", "xpu")


def default_device(use: bool | None = None) -> torch.device:  # noqa: FBT001 - short by custom
    """Return the accelerator of this machine, or the CPU if it has none.

    Args:
        use: True demands an accelerator, False refuses one, None takes what there is.

    Raises:
        ContractError: an accelerator was demanded and there is none.

    Example:
        >>> default_device(use=False)
        device(type='cpu')
    """
    if use is False:
        return torch.device("cpu")
    found = torch.accelerator.current_accelerator(check_available=True)
    if found is None and use:
        raise ContractError(
            "default_device: use=True, but PyTorch finds no accelerator. Install a build of "
            "PyTorch for your GPU, or leave `use` out to run on the CPU."
        )
    return found or torch.device("cpu")


def parse_device(device: torch.device | str) -> torch.device:
    """Check a device, and that this machine has it.

    Args:
        device: a device or its name, such as `"cuda:0"`.

    Raises:
        UnknownNameError: there is no such kind of device.
        ContractError: the machine does not have this device.

    Example:
        >>> parse_device("cpu")
        device(type='cpu')
        >>> parse_device("gpu")
        Traceback (most recent call last):
        lamina.foundation.errors.UnknownNameError: device: unknown device 'gpu'. ...
    """
    if isinstance(device, torch.device):
        return device
    kind, _, number = device.partition(":")
    if kind not in _KINDS or not (number.isdigit() or ":" not in device):
        raise UnknownNameError("device", device, _KINDS, where="device")
    if kind not in {"cpu", "meta"}:
        _check_present(device, kind, int(number or 0))
    return torch.device(device)


def _check_present(device: str, kind: str, number: int) -> None:
    """Refuse an accelerator that this machine lacks."""
    found = torch.accelerator.current_accelerator(check_available=True)
    count = torch.accelerator.device_count() if found and found.type == kind else 0
    if number >= count:
        has = f"{count} of that kind" if count else f"{found.type if found else 'only a CPU'}"
        raise ContractError(
            f"device: {device!r} is not on this machine, which has {has}. "
            "Leave `device` out to take the best one there is."
        )
