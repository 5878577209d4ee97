import pytest

from lamina.foundation.errors import ContractError, UnknownArgumentError, UnknownNameError
from lamina.train.callback import Callback, event_table, ordered


class First(Callback):
    order = 1


class Second(Callback):
    order = 2


class AfterSecond(Callback):
    order = 0
    run_after = (Second,)


class BeforeFirst(Callback):
    order = 9
    run_before = ("first",)


@pytest.mark.parametrize("name", ["before_btach", "after_los", "begin_bach", "aftr_batch"])
def test_a_misspelt_event_is_refused_when_the_class_is_made(name):
    with pytest.raises(UnknownNameError, match=r"class Wrong: unknown event .* Did you mean"):
        type("Wrong", (Callback,), {name: lambda self, learn: None})


def test_private_helpers_and_other_names_are_free():
    names = {"_after_all": 1, "helper": 2, "before": 3}
    assert type("Right", (Callback,), names).helper == 2


def test_a_misspelt_keyword_of_a_subclass_is_refused():
    class Tracker(Callback):
        def __init__(self, monitor="valid_loss"):
            self.monitor = monitor

    assert Tracker(monitor="accuracy").monitor == "accuracy"
    with pytest.raises(UnknownArgumentError, match=r"Tracker: .* Did you mean 'monitor'\?"):
        Tracker(monitr="accuracy")


def test_a_misspelt_event_function_is_refused():
    with pytest.raises(UnknownArgumentError, match="after_prd"):
        Callback(after_prd=print)


def test_a_function_can_be_given_per_event():
    assert Callback(after_pred=print).handler("after_pred") is print


def test_old_event_names_work():
    class Old(Callback):
        def begin_batch(self, learn):
            return learn

    assert Old().handler("before_batch")(3) == 3
    assert Callback(begin_fit=print).handler("before_fit") is print


def test_names_are_snake_case_without_the_word_callback():
    assert type("SaveModelCallback", (Callback,), {})().name == "save_model"
    assert type("CSVLogger", (Callback,), {})().name == "csv_logger"


def test_order_does_not_depend_on_registration():
    a, b = First(), Second()
    assert ordered([a, b]) == ordered([b, a]) == [a, b]


def test_equal_orders_keep_the_order_of_registration():
    a, b = First(), First()
    assert [cb is one for cb, one in zip(ordered([b, a]), [b, a], strict=True)] == [True, True]


def test_run_after_and_run_before_win_over_order():
    names = [cb.name for cb in ordered([AfterSecond(), Second(), First(), BeforeFirst()])]
    assert names == ["second", "after_second", "before_first", "first"]


def test_a_ring_of_constraints_is_refused():
    one = type("One", (Callback,), {"run_after": ("two",)})
    two = type("Two", (Callback,), {"run_after": ("one",)})
    with pytest.raises(ContractError, match="form a ring: one, two"):
        ordered([one(), two()])


def test_only_overridden_events_are_in_the_table():
    table = event_table([First(), Callback(after_step=print)], training=True)
    assert [event for event, found in table.items() if found] == ["after_step"]


def test_run_train_and_run_valid_gate_the_events_of_batches():
    cb = Callback(after_pred=print, before_fit=print)
    cb.run_valid = False
    table = event_table([cb], training=False)
    assert [event for event, found in table.items() if found] == ["before_fit"]
