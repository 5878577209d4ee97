from lamina.train.events import EVENTS, OLD_EVENT_NAMES, Cancel, CancelFit, CancelFitException


def test_there_are_twenty_four_events():
    assert len(EVENTS) == len(set(EVENTS)) == 24


def test_every_part_of_the_loop_can_be_cancelled():
    assert len(Cancel.__subclasses__()) == 7
    assert sum(event.startswith("after_cancel_") for event in EVENTS) == 7


def test_short_names_are_the_same_exceptions():
    assert CancelFit is CancelFitException


def test_old_names_lead_to_events():
    assert set(OLD_EVENT_NAMES.values()) <= set(EVENTS)
