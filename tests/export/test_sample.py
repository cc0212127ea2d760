"""A sample's fields: one list, one type each, for every reader."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waon_build.export.sample import FIELDS, PYTHON_TYPES, SAMPLE, misfits, to_json

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
VALUES = {str: TEXT, int: st.integers(-(2**63), 2**63 - 1), float: st.floats(allow_nan=False, allow_infinity=False)}
RIGHTS = st.lists(
    st.fixed_dictionaries({"signal": TEXT, "url": TEXT, "value": TEXT, "refuses": st.booleans()}), max_size=2
)
ROWS = st.fixed_dictionaries(
    {field.name: RIGHTS if field.name == "rights" else VALUES[PYTHON_TYPES[field.type]] for field in FIELDS}
)


@settings(deadline=None)  # the first call imports pandas
@given(ROWS)
def test_every_sample_has_the_same_keys_and_types_whatever_it_says(row: dict[str, Any]) -> None:
    sample = json.loads(to_json(row))
    assert misfits(sample) == []
    assert json.loads(sample.pop("rights")) == row.pop("rights")
    assert sample == row


@settings(deadline=None)  # the first call imports pandas
@given(ROWS)
def test_a_row_of_parquet_gives_the_json_it_was_made_from(row: dict[str, Any]) -> None:
    """A round trip through Arrow changes nothing: verify compares the two byte by byte."""
    schema = pa.schema([field for field in SAMPLE if field.name in row])
    assert to_json(pa.Table.from_pylist([row], schema).to_pylist()[0]) == to_json(row)


def test_a_whole_number_of_a_float_field_keeps_its_decimal_point() -> None:
    """datasets reads 1 as an integer, and then cuts 0.5 off to 0 for the rest of the shard."""
    row = {field.name: PYTHON_TYPES[field.type]() for field in FIELDS} | {"rights": [], "match": 2.0}
    assert b'"match": 2.0' in to_json(row)


def test_a_number_that_json_does_not_have_is_refused() -> None:
    row = {field.name: PYTHON_TYPES[field.type]() for field in FIELDS} | {"rights": [], "match": float("nan")}
    with pytest.raises(ValueError, match="JSON compliant"):
        to_json(row)


def _fitting() -> dict[str, Any]:
    return {field.name: PYTHON_TYPES[field.type]() for field in FIELDS}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"match": 2}, "match is int, not float"),
        ({"caption": None}, "caption is NoneType, not str"),
        ({"rights": []}, "rights is list, not str"),
        ({"width": True}, "width is bool, not int"),
        ({"mood": "x"}, "has other fields than its siblings: mood"),
    ],
)
def test_a_sample_that_is_unlike_its_siblings_is_told_apart(change: dict[str, Any], said: str) -> None:
    assert misfits(_fitting() | change) == [said]


def test_fields_in_another_order_are_another_sample() -> None:
    sample = _fitting()
    assert misfits(dict(reversed(sample.items()))) == ["has other fields than its siblings: their order"]
    assert misfits([]) == ["is not a JSON object"]
