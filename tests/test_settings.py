"""The settings' base: what a declaration says is what is checked."""

from __future__ import annotations

import copy
import math
import pickle
import re
from dataclasses import dataclass

import numpy as np
import pytest

from livestream_env.settings import (
    Settings,
    check_integer,
    check_names,
    choice,
    flag,
    integer,
    number,
    sizes,
    text,
)


@dataclass(frozen=True)
class Brewing(Settings):
    cups: int = integer(2, 1, 2**31, "cups to brew")
    exact: int = integer(2, 1, 4, "no floats here", whole_floats=False)
    heat: float = number(0.5, 0, 1, "share of the full heat")
    limit: float | None = number(None, 0, 1, "or no limit")
    pot: str = choice("tin", ("tin", "clay"), "what to brew in")
    cover: str | None = choice(None, ("cloth",), "what to put over it")
    sweet: bool = flag(False, "add sugar")
    label: str = text("tea", "written on the pot")
    layers: tuple[int, ...] = sizes((1,), "leaves in each layer")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("cups", 0, "cups must be an integer in [1, 2147483648], got 0"),
        ("cups", 1.5, "cups must be an integer in [1, 2147483648], got 1.5"),
        ("exact", 2.0, "exact must be an integer in [1, 4], got 2.0"),
        ("heat", math.nan, "heat must be a number in [0, 1], got nan"),
        ("heat", True, "heat must be a number in [0, 1], got True"),
        ("heat", None, "heat must be a number in [0, 1], got None"),
        ("limit", 2, "limit must be a number in [0, 1] or None, got 2"),
        ("pot", "tun", "pot must be one of ['tin', 'clay'], got 'tun'"),
        ("pot", None, "pot must be one of ['tin', 'clay'], got None"),
        ("pot", ["tin"], "pot must be one of ['tin', 'clay'], got ['tin']"),
        ("cover", "felt", "cover must be one of ['cloth'] or None, got 'felt'"),
        ("sweet", 1, "sweet must be True or False, got 1"),
        ("label", 7, "label must be a string, got 7"),
        ("layers", (), "layers must be one or more integers of at least 1, got ()"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_valid(name, value, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Brewing(**{name: value})


def test_values_come_to_their_fields_own_types():
    brewing = Brewing(
        cups=3.0, heat=np.float32(0.5), sweet=np.bool_(True), layers=[np.int64(2), 3], limit=1
    )
    assert brewing == Brewing(cups=3, heat=0.5, sweet=True, layers=(2, 3), limit=1.0)
    types = [type(value) for value in (brewing.cups, brewing.heat, brewing.sweet, brewing.limit)]
    assert types == [int, float, bool, float] and type(brewing.layers[0]) is int


def test_names_bounds_and_values_are_in_the_fields_order():
    assert Brewing.names()[:3] == ("cups", "exact", "heat")
    assert Brewing.bounds() == {
        "cups": (1, 2**31), "exact": (1, 4), "heat": (0, 1), "limit": (0, 1)
    }  # fmt: skip
    assert tuple(Brewing().to_dict()) == Brewing.names()
    assert Brewing(**Brewing().to_dict()) == Brewing()


def test_replaced_copies_are_checked():
    assert Brewing().replace({"cups": 4}) == Brewing(cups=4)
    with pytest.raises(ValueError, match="cups must be"):
        Brewing().replace({"cups": 0})
    with pytest.raises(ValueError, match=r"unknown field 'cup' \(did you mean 'cups'\?\); valid"):
        Brewing().replace({"cup": 4})


def test_settings_are_copied_and_pickled():
    brewing = Brewing(cups=4)
    assert pickle.loads(pickle.dumps(brewing)) == brewing == copy.deepcopy(brewing)


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "1", None, math.nan, math.inf])
def test_integers_without_an_upper_bound(value):
    assert check_integer("rows", np.int32(7), 1) == 7
    with pytest.raises(ValueError, match=r"^rows must be an integer of at least 1, got "):
        check_integer("rows", value, 1)


def test_unknown_names_raise_the_error_asked_for():
    check_names(["a"], ("a", "b"), "no letter")
    with pytest.raises(TypeError, match=r"^no letter 'x'; valid are a, b$"):
        check_names(["x"], ("a", "b"), "no letter", TypeError)
