"""Near-duplicate search: seconds for a million hashes, and how much faster than comparing all with all.

python benchmarks/dedup.py [--count 1000000]
"""

from __future__ import annotations

import argparse
import os
import resource
import time

import numpy as np

from waon_build.dedup.hamming import near_pairs


def made(count: int, skewed: bool) -> np.ndarray:
    """Hashes of `count` pictures, a tenth of them near-copies. skewed: bits as unequal as a real corpus has."""
    random = np.random.default_rng(7)
    shares = random.uniform(0.25, 0.75, 64) if skewed else np.full(64, 0.5)
    bits = random.random((count, 64), dtype=np.float32) < shares
    hashes = np.packbits(bits, axis=1).view(np.uint64).ravel()
    copies = random.choice(count, count // 10, replace=False)
    for _ in range(3):
        flips = np.uint64(1) << random.integers(0, 64, len(copies), dtype=np.uint64)
        hashes[copies] = hashes[random.permutation(copies)] ^ flips if _ == 0 else hashes[copies] ^ flips
    return np.unique(hashes)


def brute(hashes: np.ndarray, radius: int) -> int:
    """All with all, vectorised: the baseline."""
    return sum(int((np.bitwise_count(hashes[at + 1 :] ^ hashes[at]) <= radius).sum()) for at in range(len(hashes) - 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    count = parser.parse_args().count
    print(f"{os.cpu_count()} cores")
    for skewed in (False, True):
        name = "skewed" if skewed else "uniform"
        hashes = made(count, skewed)
        for radius in (4, 8):
            started = time.perf_counter()
            pairs = len(near_pairs(hashes, radius)[0])
            print(f"{name} n={len(hashes):,} radius={radius}: {time.perf_counter() - started:.1f} s, {pairs:,} pairs")
        small = made(min(count, 50_000), skewed)
        for radius in (4, 8):
            started = time.perf_counter()
            expected = brute(small, radius)
            slow = time.perf_counter() - started
            started = time.perf_counter()
            assert len(near_pairs(small, radius)[0]) == expected
            fast = time.perf_counter() - started
            ratio = f"{slow / fast:.0f} times all with all ({slow:.2f} s, {fast:.2f} s)"
            print(f"{name} n={len(small):,} radius={radius}: {ratio}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
