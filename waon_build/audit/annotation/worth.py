"""What the corpus and the filters are worth: the precision of what was accepted, and of what was dropped.

Nobody knows the truth of a pair, so precision is looked at from three sides, each with what it leans on:

* `model`: the mean, over the accepted pairs, of how probable it is that the caption says what the picture
  shows, by Dawid and Skene's model of all answers (enough or not), with gold keys as known truth. It
  leans on the model. A mean of probabilities is an expected number of right pairs, and of n pairs drawn
  with these probabilities it varies as a share of n does: so it has the interval of a share.
* `gold`: of the accepted pairs whose right answer is known, those that are right. It leans on the keys, and
  on gold being chosen where natives agree: it rather flatters.
* `adjudicated`: of the pairs on which people disagreed to the end, and which the model of their answers
  alone would accept, those that an adjudicator found right. These are the hardest pairs: it is about
  what the corpus would be without adjudication, and rather too dark for the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from waon_build.annotation.aggregation import Floats, dawid_skene
from waon_build.annotation.models import Kind, Outcome, State
from waon_build.annotation.quality import Share, share
from waon_build.annotation.questions import CANNOT_TELL, MATCH, Questions
from waon_build.audit.annotation.said import NOT_SAID, Coded, Said

SHORT, ENOUGH = 0, 1


class _Believed(NamedTuple):
    """Pair -> how probable it is that its caption says enough of its picture."""

    pairs: pd.Index
    enough: Floats

    def of(self, pairs: pd.Series) -> Floats:
        at = self.pairs.get_indexer(pd.Index(pairs))
        found: Floats = np.where(at >= 0, self.enough[at] if len(self.enough) else np.nan, np.nan)
        return found


def precision(found: Said, match: Coded, questions: Questions, min_match: int) -> pd.DataFrame:
    """The precision of the accepted pairs, a line for each of the three sides. match: what was said to it."""
    accepted = _accepted(found)
    keys = found.tasks.dropna(subset="key").set_index("pair_id")["key"].to_dict()
    known = {pair: side for pair, key in keys.items() if (side := _side(key, min_match)) is not None}
    match = _enough(match, min_match)
    keyed = accepted[accepted.isin(known.keys())]
    right = sum(known[pair] == ENOUGH and not questions.rejecting_in(keys[pair]) for pair in keyed)
    rows = [
        ("model", *_model(found, match, accepted, known)),
        ("gold", *share(right, len(keyed), "no accepted pair has a gold key")),
        ("adjudicated", *_adjudicated(found, match, questions)),
    ]
    columns = ["estimate", "right", "pairs", "precision", "precision_low", "precision_high", "why"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.astype({name: float for name in columns if name.startswith(("right", "precision"))})


def filters(found: Said) -> pd.DataFrame:
    """Of each filter, how often natives would have kept what it dropped: those they accept, of those decided.
    undecided: answered, and not (yet) decided."""
    screened = found.tasks[(found.tasks["kind"] == Kind.SCREENED_OUT) & (found.tasks["state"] != State.WITHDRAWN)]
    outcome = found.decisions["outcome"].reindex(screened.index)
    is_decided = outcome.isin((Outcome.ACCEPTED, Outcome.REJECTED))
    counted = screened.assign(
        kept=outcome == Outcome.ACCEPTED, judged=is_decided, undecided=(screened["answered"] > 0) & ~is_decided
    )
    rows = []
    groups = [("all", counted)] if len(counted) else []
    for name, of in (*groups, *((str(name), of) for name, of in counted.groupby("screened_by"))):
        kept, judged = int(of["kept"].sum()), int(of["judged"].sum())
        figures = share(kept, judged, "none of its pairs is decided")
        rows.append((name, len(of), judged, int(of["undecided"].sum()), kept, *figures[2:]))
    columns = ["filter", "tasks", "judged", "undecided", "kept", "share", "share_low", "share_high", "why"]
    return pd.DataFrame(rows, columns=columns).astype({"share": float, "share_low": float, "share_high": float})


def _accepted(found: Said) -> pd.Series:
    """pair_ids of the accepted pairs."""
    normal = found.tasks[(found.tasks["kind"] == Kind.NORMAL) & (found.tasks["state"] != State.WITHDRAWN)]
    outcome = found.decisions["outcome"].reindex(normal.index)
    return normal.loc[outcome == Outcome.ACCEPTED, "pair_id"]


def _side(key: Mapping[str, Any], min_match: int) -> int | None:
    """Whether a key says that the caption is enough; None where it is not clear about that."""
    grades = key.get(MATCH)
    grades = grades if isinstance(grades, list) else [grades]
    sides = {int(grade) >= min_match for grade in grades if grade is not None and grade != CANNOT_TELL}
    return int(sides.pop()) if len(sides) == 1 else None


def _enough(match: Coded, min_match: int) -> Coded:
    """The grades, as whether they are enough."""
    sides = np.array([*(ENOUGH if int(one) >= min_match else SHORT for one in match.choices), NOT_SAID], dtype=np.int64)
    return Coded(match.name, "nominal", ("short", "enough"), sides[match.codes])


def _model(found: Said, match: Coded, accepted: pd.Series, known: Mapping[Any, int]) -> Share:
    kinds = (Kind.NORMAL, Kind.ADJUDICATION, Kind.GOLD, Kind.QUALIFICATION)
    enough = _believed(found, match, kinds, known).of(accepted)
    told = np.isfinite(enough)
    return share(float(enough[told].sum()), int(told.sum()), "nothing is accepted yet")


def _adjudicated(found: Said, match: Coded, questions: Questions) -> Share:
    sides = pd.Series(match.codes, index=found.given.index)
    judged = found.given["weighs"] & (found.given["kind"] == Kind.ADJUDICATION) & (sides != NOT_SAID)
    pairs = found.given.loc[judged, "pair_id"]
    if pairs.empty:
        return share(0, 0, "nothing was adjudicated yet")
    would = _believed(found, match, (Kind.NORMAL,), {}).of(pairs) >= 0.5
    rejects = np.array([bool(questions.rejecting_in(answers)) for answers in found.distinct])
    right = (sides[judged] == ENOUGH).to_numpy() & ~rejects[found.given.loc[judged, "said"]] & would
    return share(int(right.sum()), int(would.sum()), "of what was adjudicated, nothing would be accepted without")


def _believed(found: Said, match: Coded, kinds: tuple[Kind, ...], known: Mapping[Any, int]) -> _Believed:
    graded = (found.given["weighs"] & found.given["kind"].isin(kinds)).to_numpy() & (match.codes != NOT_SAID)
    given = found.given[graded]
    items, pairs = pd.factorize(given["pair_id"])
    people, _ = pd.factorize(given["annotator_id"])
    index = pd.Index(pairs)
    at = index.get_indexer(pd.Index(list(known), dtype=index.dtype))
    certain = {int(number): side for number, side in zip(at, known.values(), strict=True) if number >= 0}
    model = dawid_skene(items, people, match.codes[graded], choices=2, item_count=len(pairs), known=certain)
    return _Believed(index, model.posterior[:, ENOUGH])
