"""What to build: one YAML file, validated, every field documented and defaulted.

The text of each field's `description` is the recipe reference (`docs/recipe.md` is generated from it).
Unknown keys are refused: a misspelt threshold must not be a threshold of nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from waon_build.records import InputError
from waon_build.source_settings import Section, Source


class RecipeError(InputError):
    """The recipe cannot be used. One line: `FILE: FIELD: what is wrong and the way out`."""

    def __init__(self, path: str | Path, field: str, problem: str) -> None:
        super().__init__(f"{path}: {field} {problem}" if field else f"{path}: {problem}")
        self.path, self.field, self.problem = path, field, problem

    def __reduce__(self) -> tuple[type[RecipeError], tuple[str | Path, str, str]]:
        return RecipeError, (self.path, self.field, self.problem)


class ExtractSettings(Section):
    """How a page becomes candidates."""

    context_characters: int = Field(
        200, ge=0, description="Characters of text near the image kept as `context`, half before, half after."
    )
    max_page_bytes: int = Field(10_000_000, ge=1, description="A longer page is dropped.")
    max_candidates_per_page: int = Field(
        1000, ge=1, description="Image references read from one page; the rest are dropped and counted."
    )


class FetchSettings(Section):
    """How an image gets here, and how it is kept."""

    contact: str | None = Field(
        None, description="E-mail or web address under which sites can reach you. Nothing is fetched without it."
    )
    concurrency: int = Field(64, ge=1, description="Requests under way at once in one part.")
    per_host_concurrency: int = Field(2, ge=1, description="Requests under way at once to one host.")
    per_host_rate: float = Field(2.0, gt=0, description="Requests started per second and host.")
    timeout_seconds: float = Field(20.0, gt=0, description="For one request, redirects and body included.")
    max_bytes: int = Field(30_000_000, ge=1, description="A longer body is given up.")
    max_pixels: int = Field(100_000_000, ge=1, description="A larger picture is not decoded.")
    max_redirects: int = Field(5, ge=0, description="Redirects followed for one image.")
    retries: int = Field(
        2, ge=0, description="Tries again within a run, with backoff, for what may succeed (time-out, 429, 5xx)."
    )
    max_attempts: int = Field(3, ge=1, description="Runs that ask for a URL that keeps failing.")
    retry_after_hours: float = Field(
        24.0, ge=0, description="A later run asks again for what failed once this long has passed."
    )
    allow_hosts: list[str] = Field(
        default_factory=list,
        description="Hosts (name or address, any port) that may resolve to private or loopback addresses: your own.",
    )
    urls_per_part: int = Field(
        2000, ge=1, description="Distinct image URLs of one part; a host stays in one part unless it has more."
    )
    shortest_side: int = Field(
        512, ge=32, description="Shortest side of the stored image at most, pixels; never enlarged."
    )
    format: Literal["jpg", "webp", "png"] = Field("jpg", description="Of the stored image.")
    quality: int = Field(90, ge=1, le=100, description="Of stored jpg and webp.")


class RefreshSettings(Section):
    """What is asked again of the links and pages of kept pairs: whether they are there, and still allow it."""

    after_days: float = Field(30.0, ge=0, description="A link is asked again once this long has passed.")
    pages: bool = Field(
        True, description="Also ask for the page of each pair: its robots meta and headers may refuse by now."
    )
    urls_per_run: int = Field(
        100_000,
        ge=1,
        description="Links of a run at most, in whole parts, those that have waited longest first; the rest waits "
        "for the next run.",
    )
    dead_after: int = Field(
        3,
        ge=1,
        description="Checks in a row, at least `fetch.retry_after_hours` apart, that find nothing (404, 410, no such "
        "host) before a link is called dead. A dead link is reported; its picture stays.",
    )


class TextFilters(Section):
    """When a caption is dropped, before any download."""

    min_characters: int = Field(2, ge=1, description="Shortest caption, characters after NFKC.")
    max_characters: int = Field(1000, ge=1, description="Longest caption, characters after NFKC.")
    min_language_share: float = Field(
        0.3,
        ge=0,
        le=1,
        description="Smallest share of the letters that are in the language's own scripts; a word in another "
        "script counts as one word's letters (Japanese: two).",
    )
    max_symbol_share: float = Field(
        0.5, ge=0, le=1, description="Largest share of characters that are neither letter, digit nor space."
    )
    max_repeats_per_host: int = Field(
        5, ge=1, description="A caption seen for more distinct images than this on one host is dropped."
    )
    max_repeats: int = Field(
        10, ge=1, description="A caption seen for more distinct images than this in all is dropped (COYO-700M: 10)."
    )
    personal_data: bool = Field(
        True,
        description="Drop captions with a phone number, e-mail or postal address, or a valid My Number, and blank a "
        "page title or context that has one.",
    )


class ImageFilters(Section):
    """When an image is dropped. WAON's own thresholds are the defaults where they are known."""

    min_side: int = Field(150, ge=1, description="Shortest side of the image served, pixels (WAON: 150).")
    min_aspect: float = Field(0.5, gt=0, description="Smallest width / height (WAON: 0.5).")
    max_aspect: float = Field(2.0, gt=0, description="Largest width / height (WAON: 2).")
    min_bytes: int = Field(1000, ge=0, description="Fewest bytes served.")
    min_colours: int = Field(32, ge=0, le=256, description="Fewest distinct colours (WAON: 32).")
    min_deviation: float = Field(
        3.0, ge=0, description="Smallest standard deviation of grey levels (0 to 127.5): below it is a blank."
    )
    animated: bool = Field(False, description="Keep animated pictures (their first frame).")


class FilterSettings(Section):
    """Why a candidate is dropped."""

    text: TextFilters = Field(default_factory=TextFilters, description="Captions.")
    image: ImageFilters = Field(default_factory=ImageFilters, description="Images.")


class DedupSettings(Section):
    """What is the same picture."""

    radius: int = Field(
        8, ge=0, le=16, description="Two images within this Hamming distance of 64 bits are looked at again."
    )
    second_radius: int = Field(
        30,
        ge=0,
        le=256,
        description="They are the same picture when their 256-bit hashes are within this too (measured: 99.5 % of "
        "benign edits of a photograph are; different diagrams begin at 32, different photographs at 54).",
    )
    max_diameter: int = Field(
        16,
        ge=0,
        le=64,
        description="Largest Hamming distance (64 bits) between two members of one cluster; of 256 bits it is twice "
        "`second_radius`.",
    )
    keep_per_cluster: int = Field(1, ge=1, description="Pairs (captions) kept of one cluster of images.")
    evaluation_sets: list[str] = Field(
        default_factory=list,
        description="Benchmarks to keep out: Parquet or CSV with a column `phash` (and `phash256`, where known), or "
        "text with a phash a line.",
    )


class QualitySettings(Section):
    """How annotators are measured: gold tasks, whose right answers are known, and hidden twins."""

    qualification: int = Field(20, ge=0, description="Qualification tasks asked of a new annotator, if there are any.")
    qualify: float = Field(
        0.6,
        ge=0,
        lt=1,
        description="A new annotator begins when the lower 5 % bound of their accuracy reaches this (0.6: 16 of 20).",
    )
    max_error: float = Field(
        0.3,
        gt=0,
        lt=1,
        description="An annotator is paused when the lower 5 % bound of their error rate on gold exceeds this.",
    )
    gold_first: float = Field(0.10, ge=0, le=1, description="Share of gold tasks among the first `gold_first_tasks`.")
    gold_first_tasks: int = Field(50, ge=0, description="How many tasks of an annotator are the first.")
    gold: float = Field(0.04, ge=0, le=1, description="Share of gold tasks after that.")
    twins: float = Field(0.02, ge=0, le=1, description="Share of hidden repeats of a pair that its annotator judged.")


class PaySettings(Section):
    """What annotators are paid, and the wage below which they must not fall."""

    per_pair: float = Field(ge=0, description="Paid for a judged pair, in `currency`.")
    currency: str = Field("JPY", description="ISO 4217 code.")
    floor_per_hour: float = Field(gt=0, description="Minimum wage an hour, in `currency`.")
    region: str = Field(description="Where the floor holds: `Tokyo`.")
    valid_from: date = Field(description="Since when the floor holds.")
    source: str = Field(description="Where the floor was published.")


class AnnotationSettings(Section):
    """The campaign: who says so, how many must, and how they are looked after."""

    database: str | None = Field(
        None, description="SQLAlchemy address; by default SQLite, `annotation.db` in the corpus folder."
    )
    guideline: str = Field(
        "ja",
        description="What annotators read: a folder of `annotation_guidelines/`, or the path of a folder of your own "
        "with `guideline.md` and `questions.yaml`.",
    )
    contact: str | None = Field(None, description="Whom annotators may turn to: shown on their pages.")
    overlap: int = Field(2, ge=1, description="Annotations wanted for a task.")
    max_overlap: int = Field(5, ge=1, description="Annotations at most, when people disagree.")
    settle: float = Field(
        0.9, gt=0.5, lt=1, description="People agree enough when the posterior of what they say reaches this."
    )
    lease_minutes: float = Field(10.0, gt=0, description="How long a task is held for one annotator.")
    ahead: int = Field(3, ge=1, le=10, description="Tasks held for one annotator: the next picture is already there.")
    seed: int = Field(0, description="Of the order of tasks, and of where gold tasks and twins come.")
    quotas: dict[str, int] = Field(
        default_factory=dict,
        description="Accepted pairs wanted of a category (`{food: 500, event: 300}`): what lacks most comes first.",
    )
    min_match: int = Field(
        2, ge=0, le=3, description="Accepted: median answer to `does the caption say what the picture shows` (0 to 3)."
    )
    screened_out_per_reason: int = Field(
        2, ge=0, description="Dropped pairs per reason routed for judgement, so that natives measure each filter."
    )
    quality: QualitySettings = Field(default_factory=QualitySettings, description="How annotators are measured.")
    pay: PaySettings | None = Field(None, description="What is paid, and the wage floor that it is held against.")

    @model_validator(mode="after")
    def _overlap_fits(self) -> AnnotationSettings:
        if self.max_overlap < self.overlap:
            raise ValueError("max_overlap is smaller than overlap: make it at least as large")
        return self


class ExportSettings(Section):
    """What training reads."""

    samples_per_shard: int = Field(10_000, ge=1, description="Samples of one tar.")
    splits: dict[str, float] = Field(
        default_factory=lambda: {"train": 0.99, "validation": 0.01},
        description="Shares of the clusters, by split name; they add up to 1.",
    )
    seed: int = Field(0, description="Of the order of samples and of the split.")
    licence: str = Field("other", description="Licence of the dataset card (Hugging Face's identifiers).")
    title: str | None = Field(None, description="Of the dataset card; by default the recipe's name.")
    creator: str | None = Field(None, description="Who answers for the releases: a name, for their description.")
    homepage: str | None = Field(None, description="Web page of the dataset; by default a web `fetch.contact`.")
    published: str | None = Field(
        None,
        pattern=r"^\d{4}-\d\d-\d\d$",
        description="Date of publication, for the description of a release. Left out by default: the same input "
        "gives the same bytes, whenever it is exported.",
    )

    @model_validator(mode="after")
    def _shares_add_up(self) -> ExportSettings:
        if not self.splits or abs(sum(self.splits.values()) - 1) > 1e-9 or min(self.splits.values()) < 0:
            raise ValueError("splits must be shares that add up to 1, e.g. {train: 0.99, validation: 0.01}")
        if any(not re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in self.splits):
            raise ValueError("splits must have names of lower-case letters, digits and _ (loaders read them as words)")
        return self


class RuntimeSettings(Section):
    """Where the work runs."""

    engine: Literal["local", "dask", "ray"] = Field(
        "local",
        description="What runs the parts: processes of this machine, or a Dask or Ray cluster (`pip install "
        "'waon_build[dask]'` or `[ray]`). See `docs/running.md`.",
    )
    address: str | None = Field(
        None,
        description="Of a Dask or Ray cluster that is there (`tcp://scheduler:8786`, `ray://head:10001`); by default "
        "one of `workers` processes is started on this machine for the length of a run.",
    )
    workers: int | None = Field(None, ge=1, description="Processes for decoding and parsing; by default one a core.")
    retries: int = Field(2, ge=0, description="Tries again of a part that failed for a passing cause.")
    retry_delay_seconds: float = Field(
        1.0, ge=0, description="Wait before the first of these tries; before each further one twice as long."
    )
    part_timeout_minutes: float | None = Field(
        120.0,
        gt=0,
        description="Longest time for a part that computes: then its process is ended, and the part tried again. What "
        "waits for the web has limits of its own (`fetch.timeout_seconds`). `null`: no limit.",
    )
    storage_options: dict[str, Any] = Field(
        default_factory=dict,
        description="Passed to fsspec for the corpus (keys, endpoint), and for sources on an object store that have "
        "none of their own.",
    )

    @model_validator(mode="after")
    def _a_cluster_has_an_address(self) -> RuntimeSettings:
        if self.address and self.engine == "local":
            raise ValueError("address is of a cluster: set engine to dask or ray, or leave address out")
        return self


class Recipe(Section):
    """One corpus to build."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", description="Of the corpus; shard names begin with it.")
    language: str = Field("ja", description="Language of the captions: a pack of `waon_build/languages`.")
    corpus: str = Field(
        min_length=1, description="Folder or object-store prefix that holds everything built from this recipe."
    )
    sources: list[Source] = Field(min_length=1, description="Where candidates come from.")
    extract: ExtractSettings = Field(default_factory=ExtractSettings, description="Page to candidates.")
    fetch: FetchSettings = Field(default_factory=FetchSettings, description="Candidate to image.")
    filters: FilterSettings = Field(default_factory=FilterSettings, description="What is dropped.")
    dedup: DedupSettings = Field(default_factory=DedupSettings, description="What is the same picture.")
    annotation: AnnotationSettings = Field(default_factory=AnnotationSettings, description="The queue.")
    export: ExportSettings = Field(default_factory=ExportSettings, description="The shards.")
    refresh: RefreshSettings = Field(default_factory=RefreshSettings, description="What is asked again.")
    runtime: RuntimeSettings = Field(default_factory=RuntimeSettings, description="Where the work runs.")


def load(path: str | Path, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """The validated recipe of one YAML file. overrides: dotted field -> value (`{"fetch.contact": ...}`).

    Raises RecipeError with one line that names the file, the field and the way out.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        problem = f"cannot be read ({reason}): give the path of a recipe, e.g. recipes/demo.yaml"
        raise RecipeError(path, "", problem) from error
    try:
        data = yaml.load(text, _OnceEach)  # noqa: S506 - a SafeLoader
    except RecursionError as error:
        raise RecipeError(path, "", "is nested too deeply: no recipe is") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark else "somewhere"
        problem = "is not YAML: mend it there (indentation, colons, quotes)"
        if isinstance(error, yaml.constructor.ConstructorError) and (error.problem or "").endswith(" twice"):
            problem = f"says {error.problem}: keep one"
        raise RecipeError(path, where, problem) from error
    if not isinstance(data, dict):
        raise RecipeError(path, "", "is not a recipe: it needs at least `name`, `corpus` and `sources`")
    data = {key: value for key, value in data.items() if value is not None}  # `fetch:` and nothing is its defaults
    if isinstance(data.get("filters"), dict):
        data["filters"] = {key: value for key, value in data["filters"].items() if value is not None}
    for dotted, value in (overrides or {}).items():
        _set(data, dotted.split("."), value, path)
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(step) for step in first["loc"] if step not in ("warc", "common_crawl", "site", "table"))
        raise RecipeError(path, field, _problem(first)) from error


class _OnceEach(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping: the second would win without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} twice", key.start_mark)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
        return super().construct_mapping(node, deep)


def _set(data: Any, steps: list[str], value: Any, path: str | Path) -> None:
    *parents, last = steps
    try:
        for step in parents:
            data = data[int(step)] if isinstance(data, list) else data.setdefault(step, {})
        if isinstance(data, list):
            data[int(last)] = value
        else:
            data[last] = value
    except (ValueError, IndexError, TypeError, AttributeError) as error:
        raise RecipeError(path, ".".join(steps), "cannot be set: there is no such field") from error


def _problem(error: Mapping[str, Any]) -> str:
    if error["type"] == "missing":
        return "is missing: add it (`waon-build recipe reference` describes every field)"
    if error["type"] == "extra_forbidden":
        return "is not a field of a recipe: check its spelling (`waon-build recipe reference` lists them)"
    return f"is wrong: {error['msg'].removeprefix('Value error, ')} (it is {error['input']!r:.80})"
