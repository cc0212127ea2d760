"""Near-duplicate search: seconds for a million hashes, and how much faster it is than what else there is.

    python benchmarks/dedup.py [--count 1000000]

Against two others, on as many hashes as they manage: all pairs compared with NumPy, and a BK-tree in
Python, which is what imagededup uses where its compiled loop is missing. All find the same pairs.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Callable

import numpy as np

from waon_build.dedup.hamming import Words, near_pairs


def made(count: int, skewed: bool) -> Words:
    """Distinct hashes of `count` pictures, a tenth of them copies that are 1 to 8 bits away from another.

    skewed: a fifth of the pictures is of one kind, with 20 bits in common (pages of text, say), and of the
    others each bit is set in its own share of 0.4 to 0.6, as it is in the photographs measured."""
    random = np.random.default_rng(7)
    shares = random.uniform(0.4, 0.6, 64) if skewed else np.full(64, 0.5)
    originals = count - count // 10
    bits = random.random((originals, 64), dtype=np.float32) < shares
    if skewed:
        bits[: originals // 5, random.choice(64, 20, replace=False)] = True
    hashes = np.packbits(bits, axis=1).view(np.uint64).ravel()
    copies = hashes[random.integers(0, originals, count - originals)]
    flips = random.integers(1, 9, len(copies))
    for step in range(8):
        bit = np.uint64(1) << random.integers(0, 64, len(copies), dtype=np.uint64)
        copies = np.where(step < flips, copies ^ bit, copies)
    return np.unique(np.concatenate([hashes, copies]))


def all_pairs(hashes: Words, radius: int) -> int:
    """The number of near pairs, by comparing all with all."""
    return sum(int((np.bitwise_count(hashes[at + 1 :] ^ hashes[at]) <= radius).sum()) for at in range(len(hashes) - 1))


def bk_tree(hashes: Words, radius: int) -> int:
    """The number of near pairs, by asking a BK-tree of the hashes before each one."""
    values = hashes.tolist()
    children: list[dict[int, int]] = [{}]
    pairs = 0
    for number, value in enumerate(values[1:], 1):
        waiting = [0]
        while waiting:
            at = waiting.pop()
            distance = (values[at] ^ value).bit_count()
            pairs += distance <= radius
            waiting += [child for step, child in children[at].items() if abs(step - distance) <= radius]
        at = 0
        while (distance := (values[at] ^ value).bit_count()) in children[at]:
            at = children[at][distance]
        children[at][distance] = number
        children.append({})
    return pairs


def timed(search: Callable[[], int]) -> tuple[float, float, int]:
    """Seconds by the clock, seconds of all cores, near pairs."""
    started, worked = time.perf_counter(), time.process_time()
    pairs = search()
    return time.perf_counter() - started, time.process_time() - worked, pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000, help="hashes to search")
    count = parser.parse_args().count
    print(f"{os.cpu_count()} cores")
    for skewed in (False, True):
        name = "skewed" if skewed else "uniform"
        hashes = made(count, skewed)
        for radius in (4, 8):
            took, worked, pairs = timed(lambda: len(near_pairs(hashes, radius)[0]))  # noqa: B023
            print(f"{name:7} n={len(hashes):9,} radius={radius}: {took:6.2f} s ({worked:.1f} core s), {pairs:,} pairs")
        for others, few in ((all_pairs, 50_000), (bk_tree, 10_000)):
            hashes = made(min(count, few), skewed)
            for radius in (4, 8):
                _, fast, pairs = timed(lambda: len(near_pairs(hashes, radius)[0]))  # noqa: B023
                _, slow, same = timed(lambda: others(hashes, radius))  # noqa: B023
                assert pairs == same
                print(
                    f"{name:7} n={len(hashes):9,} radius={radius}: {fast:6.2f} core s, "
                    f"{others.__name__} {slow:6.2f} core s: {slow / fast:.0f} times"
                )
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
