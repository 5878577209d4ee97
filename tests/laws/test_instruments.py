"""What looks at training leaves no trace: not on the model, not in the numbers, not in time."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lamina.data.loaders import DataLoaders
from lamina.nn.losses import CrossEntropyLossFlat
from lamina.optim.recipes import Adam
from lamina.train.callback import Callback
from lamina.train.callbacks.activations import ActivationStats, HookCallback
from lamina.train.callbacks.profile import Profile
from lamina.train.events import EVENTS
from lamina.train.learner import Learner

pytestmark = pytest.mark.filterwarnings("ignore:Full backward hook")  # of the first layer

INSTRUMENTS = {
    "activation_stats": lambda: ActivationStats(with_hist=True, include_paramless=True),
    "gradients": lambda: HookCallback(is_forward=False, hook=lambda m, i, o: o[0].norm()),
    "profile": Profile,
}
INSIDE_FIT = [event for event in EVENTS if "cancel" not in event and event != "after_create"]


def make_learner(cbs=()):
    torch.manual_seed(0)
    draw = torch.Generator().manual_seed(1)
    batches = [(torch.randn(6, 3, generator=draw), torch.tensor([0, 1, 0, 1, 1, 0]))] * 3
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    loss = CrossEntropyLossFlat(weight="auto")
    return Learner(DataLoaders(batches, batches[:1]), model, loss, Adam, 0.1, cbs=cbs)


def hooks_on(model):
    return sum(len(m._forward_hooks) + len(m._backward_hooks) for m in model.modules())


@pytest.fixture(params=INSTRUMENTS)
def instrument(request):
    return INSTRUMENTS[request.param]()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("event", INSIDE_FIT)
def test_nothing_is_left_behind_by_an_error_at_any_event(event, error, instrument):
    def fail(learn):
        raise error

    learn = make_learner([instrument])
    before = list(learn.cbs)
    with pytest.raises(error), learn.added_cbs(Callback(**{event: fail})):
        learn.fit(1)
    assert hooks_on(learn.model) == 0
    assert learn.cbs == before
    learn.fit(1)


def test_the_numbers_are_the_same_to_the_bit(instrument):
    plain, watched = make_learner(), make_learner([instrument])
    for learn in (plain, watched):
        learn.fit_one_cycle(2)
    assert torch.equal(plain.model[0].weight, watched.model[0].weight)
    assert plain.recorder.losses == watched.recorder.losses


class CountReads(TorchDispatchMode):
    """Count the operations that wait for the device to hand a value over."""

    def __init__(self):
        super().__init__()
        self.reads = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.reads += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


def test_no_value_is_read_in_a_training_batch(instrument):
    counter = CountReads()
    seen = []
    watch = Callback(
        before_batch=lambda learn: counter.__enter__(),
        after_batch=lambda learn: (seen.append(1), counter.__exit__(None, None, None)),
    )
    watch.run_valid = False
    learn = make_learner([instrument, watch])
    with learn.no_bar():
        learn.fit(1)
    assert (len(seen), counter.reads) == (3, 0)
