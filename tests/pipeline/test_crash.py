"""`kill -9` in the middle of every stage, then a run to the end: the release has the bytes of an undisturbed one."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from waon_build import pipeline, recipe

RUN_AND_DIE = textwrap.dedent("""
    import os, signal, sys
    from waon_build import corpus, pipeline, recipe

    path, doomed, moment = sys.argv[1:]

    def die(*args, **kwargs):
        os.kill(os.getpid(), signal.SIGKILL)

    loaded = recipe.load(path)
    place = pipeline.open_corpus(loaded)
    for stage in pipeline.stages(loaded):
        if stage.name == doomed:
            if moment == "before-commit":
                corpus.PartWriter.commit = die
            elif moment == "between-files-and-tally":
                corpus.Corpus.put = die
        for part in pipeline.begin(stage, place)[0]:
            stage.run(place, part)
    sys.exit("nothing was killed")
""")


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before-commit", "between-files-and-tally"])
def test_a_run_killed_in_every_stage_gives_the_release_of_an_undisturbed_one(
    moment: str, tmp_path: Path, demo_recipe: Path, release_of
) -> None:
    """One corpus is killed once in every stage; another is left in peace. Their releases are the same."""
    undisturbed = release_of(demo_recipe, {"corpus": str(tmp_path / "peace")})
    text = demo_recipe.read_text(encoding="utf-8")
    loaded = recipe.load(demo_recipe)
    killed = tmp_path / "killed.yaml"
    killed.write_text(text.replace(f"corpus: {loaded.corpus}", f"corpus: {tmp_path / 'killed'}"), encoding="utf-8")
    for stage in pipeline.stages(loaded):
        command = [sys.executable, "-c", RUN_AND_DIE, str(killed), stage.name, moment]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ended.returncode == -signal.SIGKILL, f"{stage.name}: {ended.stderr}"
    assert release_of(killed, {}) == undisturbed
