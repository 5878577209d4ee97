"""Old names work, warn, and name the new way and the version of removal."""

import pytest

from lamina.foundation.deprecate import deprecated, renamed, renamed_arguments
from lamina.foundation.errors import ContractError


def new(x, y=1):
    """Add."""
    return x + y


def test_deprecated_function_warns_and_works():
    @deprecated("Use new", removed_in="2.0")
    def old(x):
        return x

    with pytest.warns(DeprecationWarning, match=r"old is deprecated .* version 2.0. Use new\.$"):
        assert old(3) == 3
    assert old.__removed_in__ == "2.0"


def test_renamed_function_warns_and_names_the_new_one():
    old = renamed("old", new, removed_in="2.0")
    with pytest.warns(DeprecationWarning, match=r"^old is deprecated .* Use new\.$") as caught:
        assert old(1, y=2) == 3
    assert caught[0].filename == __file__
    assert (old.__name__, old.__doc__, new.__name__) == ("old", "Add.", "new")


def test_renamed_arguments_are_passed_on():
    f = renamed_arguments(removed_in="2.0", why="y")(new)
    with pytest.warns(DeprecationWarning, match=r"new: argument 'why' .* Use 'y'\.") as caught:
        assert f(1, why=5) == 6
    assert caught[0].filename == __file__
    assert f(1, y=5) == 6  # and no warning: those are errors here


def test_old_and_new_argument_together_are_refused():
    f = renamed_arguments(removed_in="2.0", why="y")(new)
    with pytest.raises(ContractError, match=r"got both 'why' and 'y', its new name. Give 'y' only"):
        f(1, y=2, why=3)
