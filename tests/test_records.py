"""Records: they agree with their schemas, ids are stable, counts add up."""

from __future__ import annotations

import dataclasses
import json
import pickle

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from waon_build.records import CANDIDATE, IMAGE, Candidate, Counts, Image, Reason, Tally, digest16, normalised, pair_id


@pytest.mark.parametrize(("record", "schema"), [(Candidate, CANDIDATE), (Image, IMAGE)])
def test_a_record_and_its_schema_name_the_same_fields_in_the_same_order(record: type, schema: pa.Schema) -> None:
    names = [field.name for field in dataclasses.fields(record)]
    assert sorted(names) == sorted(schema.names)


def test_a_pair_has_the_same_id_whatever_the_width_of_its_characters() -> None:
    """NFKC and white space do not make a new pair; another picture or caption does."""
    assert pair_id("ab" * 32, "ＡＢＣ　の　写真") == pair_id("ab" * 32, "ABC の 写真 ")
    assert pair_id("ab" * 32, "写真") != pair_id("ab" * 32, "絵")
    assert pair_id("ab" * 32, "写真") != pair_id("cd" * 32, "写真")


def test_a_pair_id_is_the_one_that_earlier_releases_hold() -> None:
    """A changed rule would orphan every annotation: this value is for ever."""
    assert pair_id("0" * 64, "夕暮れの鳥居") == "9529755ee38ec976"


@given(st.lists(st.text(), min_size=2, max_size=4))
def test_a_digest_keeps_its_texts_apart(texts: list[str]) -> None:
    merged = ["".join(texts[:2]), *texts[2:]]
    assert digest16(*texts) != digest16(*merged)


@given(st.text())
def test_normalising_twice_changes_nothing(caption: str) -> None:
    assert normalised(normalised(caption)) == normalised(caption)


@given(st.lists(st.sampled_from(["", "too_short", "boilerplate"])))
def test_counts_add_up_whatever_happens_to_the_rows(fates: list[str]) -> None:
    counts = Counts()
    for fate in fates:
        counts.drop(fate) if fate else counts.keep()
    assert counts.adds_up
    assert counts.read == len(fates)
    assert Counts.from_json(json.loads(json.dumps(counts.to_json()))) == counts


def test_a_tally_survives_its_json() -> None:
    tally = Tally("text", "a-1", "f" * 16, inputs=["b"], problems=["x"], files={"rows": "r"}, digest="d", bytes=1)
    tally.rows.keep()
    tally.units["page"] = Counts(1, 1)
    assert Tally.from_json(json.loads(json.dumps(tally.to_json()))) == tally


def test_a_reason_is_a_plain_word_wherever_it_goes() -> None:
    """It is counted, stored and sent to other processes as a string."""
    reason = Reason("made_for_this_test", stage="test", what="w", why="y")
    try:
        assert reason == "made_for_this_test"
        assert type(pickle.loads(pickle.dumps(reason))) is str
        with pytest.raises(ValueError, match="twice"):
            Reason("made_for_this_test", stage="test", what="w", why="y")
        with pytest.raises(ValueError, match="lower-case"):
            Reason("Not a word", stage="test", what="w", why="y")
    finally:
        del Reason.all["test.made_for_this_test"]
