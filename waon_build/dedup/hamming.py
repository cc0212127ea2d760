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
from itertools import chain, combinations, islice
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
_ROWS, _COLUMNS = 32, 2048
_LONG_RUN: Final = 1000
_FEW: Final = 3_000
"""Words of which comparing all pairs is cheaper than planning anything else."""
_SAMPLED: Final = 1 << 13
_MOST_TABLES: Final = 5_000
_SORT, _COMPARE, _TABLE = 70.0, 1.5, 200_000.0
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
    laid_out = _Bits(plan.order).moved(words)
    home = _Bits(_inverse(plan.order))
    for chosen in combinations(range(len(plan.widths)), plan.match):
        yield partial(_table, laid_out, plan.widths, chosen, radius, home)


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
        plan = _Plan(match, np.array([*chain(*dealt), *constant]), tuple(map(len, dealt)))
        runs = n * n / 2 * _meeting(_Bits(plan.order).moved(sample), plan)
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


def _table(words: Words, widths: tuple[int, ...], chosen: tuple[int, ...], radius: int, home: _Bits) -> _WordPairs:
    """The near pairs that agree in the chosen blocks, and in no others before the last of them: of all the
    choices that a pair agrees in this is the first, so that it is found once. home: moves bits to where
    the caller has them."""
    moves = _chosen_first(widths, chosen)
    sorted_words = _moved(words, moves)
    sorted_words.sort()
    shift = np.uint64(64 - sum(widths[block] for block in chosen))
    passed_over = [_block_mask(widths, block) for block in range(chosen[-1]) if block not in chosen]
    masks = _moved(np.array(passed_over, np.uint64), moves)
    found = []
    for a, b in _close_in_runs(sorted_words, shift, radius):
        first = np.ones(len(a), np.bool_)
        for mask in masks:
            first &= (a ^ b) & mask != 0
        found.append((a[first], b[first]))
    a, b = _joined(found)
    back = [_Move(to, low, width) for low, to, width in moves]
    return home.moved(_moved(a, back)), home.moved(_moved(b, back))


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
    differ, distance = np.empty((_ROWS, _COLUMNS), np.uint64), np.empty((_ROWS, _COLUMNS), np.uint8)
    for row in range(first, last, _ROWS):
        rows = words[row : min(row + _ROWS, last)]
        for column in range(row + 1, len(words), _COLUMNS):
            columns = words[column : column + _COLUMNS]
            tile = slice(len(rows)), slice(len(columns))
            np.bitwise_xor(rows[:, None], columns, out=differ[tile])
            np.bitwise_count(differ[tile], out=distance[tile])
            near = np.flatnonzero(distance[tile] <= radius)
            if len(near):
                i, j = np.divmod(near, len(columns))
                later = column + j > row + i
                found.append((rows[i[later]], columns[j[later]]))
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


class _Move(NamedTuple):
    """Of `width` neighbouring bits. low, to: the lowest of them before and after."""

    low: int
    to: int
    width: int


def _chosen_first(widths: tuple[int, ...], chosen: tuple[int, ...]) -> list[_Move]:
    """The moves that put the chosen blocks before the others. What lies below all blocks stays."""
    others = [block for block in range(len(widths)) if block not in chosen]
    moves: list[_Move] = []
    to = 64
    for block in [*chosen, *others]:
        low, width = 64 - sum(widths[: block + 1]), widths[block]
        to -= width
        if moves and moves[-1].low == low + width:
            moves[-1] = _Move(low, to, moves[-1].width + width)
        else:
            moves.append(_Move(low, to, width))
    return [*moves, _Move(0, 0, to)] if to else moves


def _moved(words: Words, moves: list[_Move]) -> Words:
    """`words` with their bits moved."""
    out = np.zeros_like(words)
    for start in range(0, len(words), _CHUNK):
        source, target = words[start : start + _CHUNK], out[start : start + _CHUNK]
        piece = np.empty_like(source)
        for low, to, width in moves:
            np.bitwise_and(source, np.uint64((1 << width) - 1 << low), out=piece)
            if to > low:
                np.left_shift(piece, np.uint64(to - low), out=piece)
            else:
                np.right_shift(piece, np.uint64(low - to), out=piece)
            np.bitwise_or(target, piece, out=target)
    return out


class _Bits:
    """Another order of the bits of a word: bit order[0] becomes the highest, order[63] the lowest."""

    def __init__(self, order: NDArray[np.intp]) -> None:
        # What each value of each byte becomes.
        values = np.arange(256, dtype=np.uint64) << np.arange(0, 64, 8, dtype=np.uint64)[:, None]
        self._tables = np.zeros_like(values)
        for to, bit in enumerate(order[::-1]):
            self._tables |= ((values >> np.uint64(bit)) & np.uint64(1)) << np.uint64(to)

    def moved(self, words: Words) -> Words:
        out = np.zeros_like(words)
        for start in range(0, len(words), _CHUNK):
            octets = words[start : start + _CHUNK].astype("<u8").view(np.uint8).reshape(-1, 8)
            for table, octet in zip(self._tables, octets.T, strict=True):
                out[start : start + _CHUNK] |= table[octet]
        return out


def _inverse(order: NDArray[np.intp]) -> NDArray[np.intp]:
    """The order that moves bits back to where they were before `order` moved them."""
    return (63 - np.argsort(order))[::-1]
