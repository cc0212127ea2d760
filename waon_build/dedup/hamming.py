"""Which 64-bit hashes are near each other: all pairs within a Hamming distance, none missed, none twice.

The bits are dealt into `radius + match` blocks. Two hashes within the radius agree in at least `match`
of them, so that for every choice of `match` blocks the hashes are sorted by those, and compared with
the others of their run. How many blocks to match is chosen by what it would cost on the hashes at hand:
none (all pairs are compared) for a few, more and narrower runs the more hashes there are. Perceptual
hashes are skewed; a run that is long is a search of its own, over the bits in which it still differs.
(Manku, Jain and Das Sarma 2007, without their fixed tables.) Nothing here knows about images.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import combinations, islice
from math import comb
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Indexes = NDArray[np.int64]
IndexPairs = tuple[Indexes, Indexes]

_WordPairs = tuple[Words, Words]
_Task = Callable[[], _WordPairs]

_CHUNK: Final = 1 << 16
"""Words looked at together: what fits into a core's cache."""
_LONG_RUN: Final = 256
_FEW: Final = 3_000
"""Words of which comparing all pairs is cheaper than planning anything else."""
_SAMPLED: Final = 1 << 13
_MOST_TABLES: Final = 5_000
_SORT, _COMPARE, _TABLE = 90.0, 0.9, 200_000.0
"""What sorting a word, comparing a pair, and beginning a table cost, in nanoseconds: only their ratios matter."""


def near_pairs(hashes: Words, radius: int) -> IndexPairs:
    """Indexes (i, j), i < j, of all pairs of hashes within Hamming distance `radius`, sorted by i, then j.

    hashes: uint64, shape (n,), distinct, in any order. Equal hashes are the caller's to put together
    (`np.unique`): a picture that occurs 100,000 times makes 5 billion pairs with itself, which say nothing.
    Raises ValueError when two are equal. Exact.
    """
    chunks = list(near_pair_chunks(hashes, radius))
    i = np.concatenate([np.empty(0, np.int64), *(chunk[0] for chunk in chunks)])
    j = np.concatenate([np.empty(0, np.int64), *(chunk[1] for chunk in chunks)])
    order = np.lexsort((j, i))
    return i[order], j[order]


def near_pair_chunks(hashes: Words, radius: int, threads: int | None = None) -> Iterator[IndexPairs]:
    """The pairs of `near_pairs`, some at a time, in no particular order: where all would not fit in memory.

    Memory beside them: 16 bytes a hash, and 8 more for each thread. threads: by default one a core.
    """
    hashes = np.asarray(hashes, np.uint64)
    order = np.argsort(hashes)
    ordered = hashes[order]
    if (ordered[1:] == ordered[:-1]).any():
        raise ValueError("hashes must be distinct: put equal ones together first (np.unique)")
    for a, b in _all_results(_tasks(ordered, radius), threads or os.cpu_count() or 1):
        if len(a):
            i, j = order[np.searchsorted(ordered, a)], order[np.searchsorted(ordered, b)]
            yield np.minimum(i, j), np.maximum(i, j)


def _all_results(tasks: Iterable[_Task], threads: int) -> Iterator[_WordPairs]:
    """What the tasks return, in their order; a few are under way at any time."""
    waiting: deque[Future[_WordPairs]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for task in tasks:
            waiting.append(pool.submit(task))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _tasks(words: Words, radius: int) -> Iterator[_Task]:
    """The pieces of a search: together they find every near pair of distinct words once."""
    if radius < 1 or len(words) < 2:
        return
    plan = _plan(words, radius)
    if plan.match == 0:
        for first in range(0, len(words), _CHUNK):
            yield partial(_compared, words, first, min(first + _CHUNK, len(words)), radius)
        return
    laid_out = _moved_bits(words, plan.order)
    back = _inverse(plan.order)
    for chosen in combinations(range(len(plan.widths)), plan.match):
        yield partial(_table, laid_out, plan.widths, chosen, radius, back)


def _found(words: Words, radius: int) -> _WordPairs:
    """All near pairs of distinct words, found in this thread."""
    return _joined([task() for task in _tasks(words, radius)])


# --- the plan


class _Plan(NamedTuple):
    """How to search. match: blocks that must agree, 0 to compare all pairs. order: the bit that becomes the
    highest, the next, ... the lowest: blocks lie one after the other, then bits that never differ.
    widths: bits of each block."""

    match: int
    order: NDArray[np.intp]
    widths: tuple[int, ...]


def _plan(words: Words, radius: int) -> _Plan:
    """The cheapest way to search these words."""
    best = _Plan(0, np.arange(64)[::-1], ())
    n = len(words)
    if n <= _FEW:
        return best
    cost = n * n / 2 * _COMPARE
    bits = _bits(int(np.bitwise_or.reduce(words ^ words[0])))
    # A fixed seed: the order of words tells of their first bits, so that every n-th would be no fair sample.
    sample = np.random.default_rng(0).choice(words, min(n, _SAMPLED), replace=False)
    balance = {bit: abs(float(((sample >> np.uint64(bit)) & np.uint64(1)).mean()) - 0.5) for bit in bits}
    telling_first = sorted(bits, key=lambda bit: balance[bit])
    constant = [bit for bit in range(63, -1, -1) if bit not in balance]
    for match in range(1, len(bits) - radius + 1):
        blocks = radius + match
        tables = comb(blocks, match)
        if tables > _MOST_TABLES or tables * n * _SORT > cost:
            break
        # Every block gets its share of the bits that tell most.
        dealt = [telling_first[block::blocks] for block in range(blocks)]
        plan = _Plan(match, np.array([*sum(dealt, []), *constant]), tuple(map(len, dealt)))
        runs = n * n / 2 * _meeting(_moved_bits(sample, plan.order), plan)
        estimate = tables * (_TABLE + n * _SORT + runs * _COMPARE)
        if estimate < cost:
            best, cost = plan, estimate
    return best


def _meeting(sample: Words, plan: _Plan) -> float:
    """The share of pairs that agree in `match` blocks, averaged over a few choices of them."""
    n = len(sample)
    choices = comb(len(plan.widths), plan.match)
    few = islice(combinations(range(len(plan.widths)), plan.match), choices // 8, None, max(1, choices // 4))
    shares = []
    for chosen in few:
        mask = np.uint64(sum(_block_mask(plan.widths, block) for block in chosen))
        counts = np.unique(sample & mask, return_counts=True)[1].astype(float)
        shares.append(float((counts * (counts - 1)).sum()) / (n * (n - 1)))
    return sum(shares) / len(shares)


# --- one table: the words in order of some of their blocks


def _table(
    words: Words, widths: tuple[int, ...], chosen: tuple[int, ...], radius: int, back: NDArray[np.intp]
) -> _WordPairs:
    """The near pairs that agree in the chosen blocks, and in no earlier ones: every other choice that they
    agree in comes later, so that each pair is found once. back: moves bits to where they were."""
    order = _chosen_first(widths, chosen)
    sorted_words = _moved_segments(words, order)
    sorted_words.sort()
    key_bits = sum(widths[block] for block in chosen)
    a, b = _joined(list(_close_in_runs(sorted_words, np.uint64(64 - key_bits), radius)))
    home = _inverse(_bit_order(order))
    a, b = _moved_bits(a, home), _moved_bits(b, home)
    differ = a ^ b
    first = np.ones(len(a), np.bool_)
    for block in range(chosen[-1]):
        if block not in chosen:
            first &= (differ & np.uint64(_block_mask(widths, block))) != 0
    return _moved_bits(a[first], back), _moved_bits(b[first], back)


def _close_in_runs(words: Words, shift: np.uint64, radius: int) -> Iterator[_WordPairs]:
    """The near pairs among words that agree above the lowest `shift` bits. words: sorted."""
    start = 0
    while start < len(words):
        end = min(start + _CHUNK, len(words))
        if end < len(words):
            # Not amid a run; and one that is longer than the chunk is taken whole.
            key = words[end] >> shift
            begin = int(np.searchsorted(words, key << shift))
            end = begin if begin > start else _end_of_run(words, end, key, shift)
        yield from _close_in_chunk(words[start:end], shift, radius)
        start = end


def _close_in_chunk(words: Words, shift: np.uint64, radius: int) -> Iterator[_WordPairs]:
    starts = np.concatenate([[0], 1 + np.flatnonzero((words[1:] ^ words[:-1]) >> shift)])
    lengths = np.diff(starts, append=len(words))
    for run in np.flatnonzero(lengths > _LONG_RUN):
        yield _found(words[starts[run] : starts[run] + lengths[run]], radius)
    # The longest run first: at every step, what is left to compare lies in one piece.
    by_length = np.flatnonzero((lengths > 1) & (lengths <= _LONG_RUN))
    by_length = by_length[np.argsort((_LONG_RUN - lengths[by_length]).astype(np.uint16), kind="stable")]
    starts, lengths = starts[by_length], lengths[by_length]
    ends = np.cumsum(lengths)
    if not len(ends):
        return
    words = words[np.repeat(starts - (ends - lengths), lengths) + np.arange(ends[-1])]
    differ, distance = np.empty_like(words), np.empty(len(words), np.uint8)
    # Each word with the next one, then with the next but one ...
    for step in range(1, int(lengths[0])):
        left = int(ends[np.searchsorted(-lengths, -step) - 1]) - step
        np.bitwise_xor(words[step : step + left], words[:left], out=differ[:left])
        np.bitwise_count(differ[:left], out=distance[:left])
        at = np.flatnonzero(distance[:left] <= radius)
        if len(at):
            at = at[differ[at] >> shift == 0]
            yield words[at], words[at + step]


def _end_of_run(words: Words, at: int, key: np.uint64, shift: np.uint64) -> int:
    last = (int(key) + 1 << int(shift)) - 1
    return at + int(np.searchsorted(words[at:], np.uint64(last), side="right"))


def _compared(words: Words, first: int, last: int, radius: int) -> _WordPairs:
    """The near pairs of words[first:last] with one another and all that follow: every pair is looked at."""
    found = []
    for row in range(first, last, 32):
        rows = words[row : min(row + 32, last), None]
        for column in range(row + 1, len(words), _CHUNK // 16):
            columns = words[column : column + _CHUNK // 16]
            i, j = np.nonzero(np.bitwise_count(rows ^ columns) <= radius)
            later = column + j > row + i
            found.append((rows[i[later], 0], columns[j[later]]))
    return _joined(found)


def _joined(pairs: list[_WordPairs]) -> _WordPairs:
    none = np.empty(0, np.uint64)
    return np.concatenate([none, *(a for a, _ in pairs)]), np.concatenate([none, *(b for _, b in pairs)])


# --- bits


def _bits(mask: int) -> list[int]:
    return [bit for bit in range(64) if mask >> bit & 1]


def _block_mask(widths: tuple[int, ...], block: int) -> int:
    """The bits of a block, where blocks lie one after the other from the highest bit."""
    low = 64 - sum(widths[: block + 1])
    return (1 << widths[block]) - 1 << low


class _Segment(NamedTuple):
    low: int
    width: int


def _chosen_first(widths: tuple[int, ...], chosen: tuple[int, ...]) -> list[_Segment]:
    """Runs of bits in their new order: the chosen blocks, the others, and what lies below them all."""
    lows = [64 - sum(widths[: block + 1]) for block in range(len(widths))]
    others = [block for block in range(len(widths)) if block not in chosen]
    segments: list[_Segment] = []
    for block in [*chosen, *others]:
        low, width = lows[block], widths[block]
        if segments and segments[-1].low == low + width:
            segments[-1] = _Segment(low, segments[-1].width + width)
        else:
            segments.append(_Segment(low, width))
    return [*segments, _Segment(0, lows[-1])] if lows[-1] else segments


def _bit_order(segments: list[_Segment]) -> NDArray[np.intp]:
    return np.array([bit for low, width in segments for bit in range(low + width - 1, low - 1, -1)])


def _moved_segments(words: Words, segments: list[_Segment]) -> Words:
    """`words` with runs of bits put in another order, the first one highest."""
    out = np.empty_like(words)
    part = np.empty(_CHUNK, np.uint64)
    for start in range(0, len(words), _CHUNK):
        source, target = words[start : start + _CHUNK], out[start : start + _CHUNK]
        target[:] = 0
        piece = part[: len(source)]
        to = 64
        for low, width in segments:
            to -= width
            np.bitwise_and(source, np.uint64((1 << width) - 1 << low), out=piece)
            if to > low:
                np.left_shift(piece, np.uint64(to - low), out=piece)
            else:
                np.right_shift(piece, np.uint64(low - to), out=piece)
            np.bitwise_or(target, piece, out=target)
    return out


def _moved_bits(words: Words, order: NDArray[np.intp]) -> Words:
    """`words` with their bits in another order: bit order[0] becomes the highest, order[63] the lowest."""
    out = np.zeros_like(words)
    for to, bit in enumerate(order[::-1]):
        out |= ((words >> np.uint64(bit)) & np.uint64(1)) << np.uint64(to)
    return out


def _inverse(order: NDArray[np.intp]) -> NDArray[np.intp]:
    """The order that moves bits back to where they were before `order` moved them."""
    return (63 - np.argsort(order))[::-1]
