"""Which part may begin: whatever ends when, no two that ask one host are under way, and every part has its turn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flows.apart import Waiting
from waon_build.corpus import Part

hosts_of_parts = st.lists(st.sets(st.sampled_from("abcdef"), max_size=3), max_size=12)


@given(hosts_of_parts, st.integers(1, 5), st.randoms(use_true_random=False))
def test_no_two_parts_that_ask_one_host_are_under_way_and_all_have_their_turn(hosts, at_once, random) -> None:
    parts = [Part(f"p{number:02d}", "", "") for number in range(len(hosts))]
    asks = {part.name: found for part, found in zip(parts, hosts, strict=True)}
    waiting = Waiting(parts, at_once, lambda part: asks[part.name])
    under_way: list[Part] = []
    made: list[Part] = []
    while waiting:
        while (part := waiting.begin()) is not None:
            under_way.append(part)
            asked = [host for one in under_way for host in asks[one.name]]
            assert len(asked) == len(set(asked))
            assert len(under_way) <= at_once
        left = [part for part in parts if part not in made and part not in under_way]
        busy = {host for one in under_way for host in asks[one.name]}
        if len(under_way) < at_once:
            assert all(asks[part.name] & busy for part in left), "one that could run was left waiting"
        ended = under_way.pop(random.randrange(len(under_way)))
        waiting.end(ended)
        made.append(ended)
    assert sorted(made) == parts


def test_parts_that_need_not_be_kept_apart_begin_in_their_order() -> None:
    parts = [Part(name, "", "") for name in "cab"]
    waiting = Waiting(parts, at_once=2)
    assert [waiting.begin(), waiting.begin(), waiting.begin()] == [parts[0], parts[1], None]
    waiting.end(parts[0])
    assert waiting.begin() == parts[2]
