"""Look at what the layers give while a model trains."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from lamina.foundation.errors import ContractError, UnknownNameError
from lamina.nn.hooks import HookFunc, Hooks
from lamina.nn.params import ParameterModule, flatten_model, has_params
from lamina.tensor.tree import leaves
from lamina.train.callback import Callback
from lamina.viz.canvas import get_grid, new_axes

if TYPE_CHECKING:
    from lamina.train.learner import Learner

__all__ = ["ActivationStats", "HookCallback"]


class HookCallback(Callback):
    """Call a function with input and output of some layers, in the batches that train.

    The hooks are put on when a fit begins and taken off when it ends, whatever happens. A subclass
    may define `hook` in place of giving a function, and read `self.hooks.stored` in `after_batch`.

    Args:
        modules: Which layers; None takes all that have parameters and consist of no others.
        every: Only in every so manyth batch; None is in all.
        remove_end: Whether to take the hooks off at the end of the fit; else call `remove`.
        is_forward: After the forward pass; else in the backward pass, with gradients.
        detach: Hand on tensors without history.
        cpu: Hand on copies on the CPU; this waits for the device in every batch.
        include_paramless: Take layers without parameters too, when no modules are given.
        hook: The function of (module, input, output); what it returns is stored.

    Attributes:
        hooks: The hooks of the latest fit, with what they stored in the latest batch.
        names: The places of the layers in the model.

    Example:
        >>> from lamina.train.learner import Learner
        >>> batches = [(torch.ones(4, 2), torch.ones(4, 1))]
        >>> sizes = HookCallback(hook=lambda module, inp, out: tuple(out.shape))
        >>> learn = Learner((batches, batches), nn.Linear(2, 1), nn.MSELoss(), cbs=sizes)
        >>> with learn.no_bar():
        ...     learn.fit(1)
        >>> sizes.hooks.stored
        [(4, 1)]
    """

    only_fit: ClassVar[bool] = True
    run_valid = False

    def __init__(
        self,
        modules: Iterable[nn.Module] | None = None,
        every: int | None = None,
        *,
        remove_end: bool = True,
        is_forward: bool = True,
        detach: bool = True,
        cpu: bool = False,
        include_paramless: bool = False,
        hook: HookFunc | None = None,
    ) -> None:
        super().__init__()
        self.modules = None if modules is None else list(modules)
        self.every, self.remove_end, self.include_paramless = every, remove_end, include_paramless
        self.is_forward, self.detach, self.cpu, self._given = is_forward, detach, cpu, hook
        self.hooks: Hooks | None = None
        self.names: list[str] = []
        self.active = False  # in the batch at hand

    def hook(self, module: nn.Module, inp: Any, out: Any) -> Any:
        """Look at a layer that has just run; what is returned is stored.

        Args:
            module: The layer.
            inp: Its inputs, a tuple.
            out: Its output.
        """
        if self._given is None:
            raise ContractError(
                f"{type(self).__name__} does not say what to do with a layer. Pass hook=, a "
                "function of (module, input, output), or override the method `hook`."
            )
        return self._given(module, inp, out)

    def before_fit(self, learn: "Learner") -> None:
        self.remove()
        chosen = self._choose(learn.model) if self.modules is None else self.modules
        places = {id(m): name for name, m in learn.model.named_modules()}
        self.names = [places.get(id(m), type(m).__name__) for m in chosen]
        self.hooks = Hooks(
            chosen, self.hook, is_forward=self.is_forward, detach=self.detach, cpu=self.cpu
        )
        self._switch(on=False)

    def before_batch(self, learn: "Learner") -> None:
        self._switch(on=not self.every or learn.train_iter % self.every == 0)

    def after_train(self, learn: "Learner") -> None:
        self._switch(on=False)

    def after_fit(self, learn: "Learner") -> None:
        if self.remove_end:
            self.remove()

    def remove(self) -> None:
        """Take the hooks off; what they stored stays."""
        if self.hooks is not None:
            self.hooks.remove()

    def _switch(self, *, on: bool) -> None:
        self.active = on
        for hook in self.hooks or ():
            hook.on = on

    def _choose(self, model: nn.Module) -> list[nn.Module]:
        layers = [m for m in flatten_model(model) if not isinstance(m, ParameterModule)]
        return [m for m in layers if self.include_paramless or has_params(m)]


class ActivationStats(HookCallback):
    """Mean, deviation and share of near-zero activations of each layer, batch by batch.

    They stay on the device until they are read.

    Args:
        with_hist: Whether to keep histograms, for `color_dim`.
        modules: Which layers; None takes all that have parameters and consist of no others.
        every: Only every so manyth batch; None is all.
        include_paramless: Take layers without parameters too, when no modules are given.
        near: Up to which size an activation counts as near zero, negative ones like positive.
        n_bins: Columns of a histogram.
        limits: The ends of a histogram; what lies beyond is counted in the outermost bins.

    Example:
        >>> from lamina.train.learner import Learner
        >>> batches = [(torch.ones(4, 2), torch.ones(4, 1))] * 3
        >>> stats = ActivationStats()
        >>> learn = Learner((batches, batches), nn.Linear(2, 1), nn.MSELoss(), cbs=stats)
        >>> with learn.no_bar():
        ...     learn.fit(1)
        >>> {name: len(values) for name, values in stats.layer_stats(0).items()}
        {'mean': 3, 'std': 3, 'near_zero': 3}
    """

    order: ClassVar[int] = -20

    def __init__(
        self,
        *,
        with_hist: bool = False,
        modules: Iterable[nn.Module] | None = None,
        every: int | None = None,
        include_paramless: bool = False,
        near: float = 0.05,
        n_bins: int = 40,
        limits: tuple[float, float] = (-10.0, 10.0),
    ) -> None:
        super().__init__(modules, every, include_paramless=include_paramless)
        self.with_hist, self.near, self.n_bins, self.limits = with_hist, near, n_bins, limits
        self._steps: list[Tensor] = []

    def hook(self, module: nn.Module, inp: Any, out: Any) -> Tensor | None:
        """Measure the (first) output of a layer; see `HookCallback.hook`."""
        first = next(iter(leaves(out)), None)
        if first is None or not first.is_floating_point():
            return None
        x = first.float()
        near = (x.abs() <= self.near).float().mean()
        row = torch.stack([x.mean(), x.std(correction=0), near])
        if not self.with_hist:
            return row
        low, high = self.limits
        return torch.cat([row, x.clamp(low, high).histc(self.n_bins, low, high)])

    def before_fit(self, learn: "Learner") -> None:
        super().before_fit(learn)
        self._steps = []

    def after_batch(self, learn: "Learner") -> None:
        rows = self.hooks.stored if self.hooks and self.active else []
        some = next((row for row in rows if row is not None), None)
        if some is not None:
            missing = torch.full_like(some, float("nan"))
            self._steps.append(torch.stack([missing if row is None else row for row in rows]))

    @property
    def stats(self) -> Tensor:
        """All that was measured, `(batches, layers, 3 or 3 + n_bins)`, on the CPU."""
        if not self._steps:
            raise ContractError("ActivationStats: nothing was measured yet. Fit the learner first.")
        if len(self._steps) > 1 or self._steps[0].ndim == 2:
            self._steps = [torch.cat([s if s.ndim == 3 else s[None] for s in self._steps]).cpu()]
        return self._steps[0]

    def layer_stats(self, layer: int | str) -> dict[str, list[float]]:
        """What was measured of a layer, per batch.

        Args:
            layer: Its number, or its place in the model.
        """
        values = self.stats[:, self._number(layer)]
        names = ("mean", "std", "near_zero")
        return {name: values[:, i].tolist() for i, name in enumerate(names)}

    def hist(self, layer: int | str) -> Tensor:
        """The histograms of a layer, `(n_bins, batches)`.

        Args:
            layer: Its number, or its place in the model.
        """
        if not self.with_hist:
            raise ContractError("ActivationStats: no histograms. Pass with_hist=True.")
        return self.stats[:, self._number(layer), 3:].T

    def plot_layer_stats(self, layer: int | str) -> Any:
        """Draw what was measured of a layer over the batches; return the axes.

        Args:
            layer: Its number, or its place in the model.
        """
        found = self.layer_stats(layer)
        axes = get_grid(3, nrows=1, title=self.names[self._number(layer)])
        for ax, (name, values) in zip(axes, found.items(), strict=True):
            ax.plot(values)
            ax.set_title(name)
            ax.set_xlabel("batch")
        return axes

    def color_dim(self, layer: int | str, ax: Any = None) -> Any:
        """Draw the histograms of a layer side by side, bright where there is much; return the axes.

        Args:
            layer: Its number, or its place in the model.
            ax: Where to draw; None opens a new figure.
        """
        picture = self.hist(layer).log1p().numpy()
        ax = new_axes((10, 4)) if ax is None else ax
        extent = (0, picture.shape[1], *self.limits)
        ax.imshow(picture, origin="lower", aspect="auto", extent=extent)
        ax.set_title(self.names[self._number(layer)])
        ax.set_xlabel("batch")
        ax.set_ylabel("activation")
        return ax

    def _number(self, layer: int | str) -> int:
        if isinstance(layer, int):
            return layer
        if layer not in self.names:
            raise UnknownNameError("layer", layer, self.names, where="ActivationStats")
        return self.names.index(layer)
