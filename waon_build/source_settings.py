"""What a recipe says of its sources, one class a kind. The rest of a recipe is in `recipe.py`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_STORAGE_OPTIONS: Any = Field(
    None,
    description="Passed to fsspec for this source's files (`{anon: true}` for a public bucket); by default those of "
    "`runtime`, for what is neither local nor `https://`.",
)


class WarcSource(Section):
    """Pages out of WARC files: Common Crawl's, or your own crawler's."""

    kind: Literal["warc"]
    paths: list[str] = Field(
        min_length=1,
        description="WARC files: local paths, globs, `https://` or `s3://` addresses; a `.paths`, `.txt` or "
        "`.gz` list of them (one a line, as Common Crawl publishes) is read as its lines. Of `.wat` and `.wat.gz` "
        "files, what WAT keeps of a page is read: alternative texts and titles.",
    )
    prefix: str = Field("", description="Put before each line of a list, e.g. `https://data.commoncrawl.org/`.")
    first: int | None = Field(None, ge=1, description="Take only the first N files, for a trial.")
    storage_options: dict[str, Any] | None = _STORAGE_OPTIONS


class CommonCrawlSource(Section):
    """Pages of one language out of Common Crawl's snapshots, without reading the rest of them."""

    kind: Literal["common_crawl"]
    snapshots: list[str] = Field(
        min_length=1,
        description="Names (`CC-MAIN-2025-13`) or patterns (`CC-MAIN-2025-*`): with a pattern, each run also takes "
        "what was published since. What was taken once stays, also when it is no longer listed.",
    )
    select: Literal["index", "wat"] = Field(
        "index",
        description="How pages are found: `index`, by the languages in the columnar index; `wat`, by WAT files: pages "
        "that refuse, and pages without a caption in the language, are then left out before anything of them is read.",
    )
    read: Literal["warc", "wat"] = Field(
        "warc",
        description="What candidates are made from: `warc`, the pages themselves, of which only their ranges of the "
        "WARC files are read; `wat`, what WAT files keep of them (needs `select: wat`): cheaper still, but "
        "alternative texts and titles only.",
    )
    languages: list[Annotated[str, Field(pattern=r"^[a-z]{3}$")]] | None = Field(
        None,
        min_length=1,
        description="Languages of pages in the index, ISO 639-3; by default the recipe's own (`ja`: `jpn`).",
    )
    among_first: int = Field(
        1, ge=1, le=3, description="One of them must be among so many of a page's languages (at most 3, largest first)."
    )
    location: str = Field(
        "https://data.commoncrawl.org/",
        min_length=1,
        description="Where `crawl-data/` and `cc-index/` are: Common Crawl, `s3://commoncrawl/`, or a mirror's address "
        "or folder.",
    )
    snapshot_list: str | None = Field(
        None,
        description="A list of snapshots like Common Crawl's `collinfo.json`, for patterns; by default that of Common "
        "Crawl, `collinfo.json` of another `https://` location, and elsewhere the folders of `crawl-data/`.",
    )
    first: int | None = Field(
        None,
        ge=1,
        description="Take only so many index (or WAT) files of each snapshot, for a trial: a random few, the same ones "
        "in every run, and more of them when the number grows.",
    )
    records_per_part: int = Field(10_000, ge=1, description="Pages of one part.")
    requests: int = Field(
        8,
        ge=1,
        description="Ranges under way at once in one part; as many parts are under way as there are `runtime.workers`.",
    )
    storage_options: dict[str, Any] | None = _STORAGE_OPTIONS

    @model_validator(mode="after")
    def _goes_together(self) -> CommonCrawlSource:
        if self.read == "wat" and self.select == "index":
            raise ValueError("the index does not say where in a WAT file a page is: add `select: wat`, or `read: warc`")
        return self


class SiteSource(Section):
    """A web site, crawled by us: same-site links from the seeds and sitemaps, within limits, robots obeyed."""

    kind: Literal["site"]
    seeds: list[str] = Field(min_length=1, description="Addresses to start from. Each origin is one part.")
    sitemaps: bool = Field(True, description="Also start from the site's sitemaps (robots.txt or /sitemap.xml).")
    max_pages: int = Field(1000, ge=1, description="Pages to take from one origin in one visit.")
    max_depth: int = Field(5, ge=0, description="Links to follow from a seed.")
    recrawl_after_days: float | None = Field(
        7.0,
        ge=0,
        description="A later run visits the site again once this long has passed, and takes the pages that are new "
        "or have changed; what earlier visits took stays. null: once is enough. Changed seeds or limits make the "
        "next run visit it whatever this says.",
    )


class TableSource(Section):
    """Rows of URL and caption: Parquet, CSV or JSONL, e.g. ReLAION or WAON itself."""

    kind: Literal["table"]
    paths: list[str] = Field(min_length=1, description="Files: local paths, globs, `https://` or `s3://`.")
    url_column: str = Field("url", description="Column with the image's address.")
    caption_column: str = Field("caption", description="Column with the caption.")
    page_url_column: str | None = Field("page_url", description="Column with the page's address, if there is one.")
    page_title_column: str | None = Field("page_title", description="Column with the page's title, if there is one.")
    language_column: str | None = Field(None, description="Column with the page's language (BCP 47), if there is one.")
    rows_per_part: int = Field(50_000, ge=1, description="Rows of one part.")
    storage_options: dict[str, Any] | None = _STORAGE_OPTIONS


Source = Annotated[WarcSource | CommonCrawlSource | SiteSource | TableSource, Field(discriminator="kind")]
