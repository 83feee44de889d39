"""The settings of one place to crawl, a class a kind. `kind` chooses the class; it is `schema_org` where left out.

eBay's user agreement forbids robots without written permission and its API licence forbids training on what the API
returns; Google's Custom Search JSON API takes no new customers and ends on 2027-01-01. These kinds therefore stay off
until `permission` repeats, word for word, the sentence that says what is confirmed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, SecretStr, Tag, field_validator, model_validator

from lvbag.setting_types import Group, PositiveInt

_HTTP = ("http://", "https://")


def _http(value: str) -> str:
    if value and not value.startswith(_HTTP):
        raise ValueError("must be an http(s) address")
    return value


HttpAddress = Annotated[str, AfterValidator(_http)]
"""An http(s) address; may be empty."""
HttpBase = Annotated[HttpAddress, AfterValidator(lambda value: value.rstrip("/"))]
"""One that paths are added to: without a slash at its end."""


class AnySource(Group):
    """What every kind has."""

    WHY: ClassVar[str] = ""
    """Why the kind needs a permission; empty: it needs none."""
    SENTENCE: ClassVar[str] = ""
    """What `permission` has to say, word for word."""

    enabled: bool = Field(default=True, description="false leaves the place out of the nights")
    query_prefix: str = Field(default="Louis Vuitton", description="put before the style code or alias")
    max_pages: PositiveInt = Field(default=20, description="result pages followed per query")
    licence: str = Field(
        default="", description="what the owner of the pictures allowed; stands in every snapshot's card"
    )

    @model_validator(mode="after")
    def _is_permitted(self) -> Self:
        if self.enabled and self.SENTENCE and getattr(self, "permission", "") != self.SENTENCE:
            raise ValueError(
                f"needs a permission that only you can confirm: {self.WHY} If it is so, set permission: "
                f'"{self.SENTENCE}"; else leave the source out or set enabled: false'
            )
        return self


class SchemaOrgSettings(AnySource):
    """A shop whose pages speak schema.org."""

    kind: Literal["schema_org"] = Field(default="schema_org", description="the parser that understands the place")
    search_url: str = Field(
        default="",
        description="the listing page of a query; {query} is replaced by the percent-encoded query",
    )
    page_url: str = Field(
        default="",
        description="page n of the results, with {query} and {page} (2, 3 …), for shops without rel=next",
    )
    sitemap_url: HttpAddress = Field(
        default="", description="a sitemap or sitemap index whose item pages are read instead of searches"
    )
    sitemap_pattern: str = Field(
        default="", description="regular expression: only addresses of the sitemap that contain it are item pages"
    )
    details: bool = Field(
        default=True,
        description="read the item page of each result; false takes what the page of results says where that is whole",
    )

    @field_validator("search_url")
    @classmethod
    def _has_query(cls, value: str) -> str:
        if value and ("{query}" not in value or not value.startswith(_HTTP)):
            raise ValueError("must be an http(s) address that contains {query}")
        return value

    @field_validator("page_url")
    @classmethod
    def _has_page(cls, value: str) -> str:
        if value and ("{page}" not in value or "{query}" not in value or not value.startswith(_HTTP)):
            raise ValueError("must be an http(s) address that contains {query} and {page}")
        return value

    @field_validator("sitemap_pattern")
    @classmethod
    def _is_a_pattern(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from None
        return value

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Self:
        if bool(self.search_url) == bool(self.sitemap_url):
            raise ValueError("set either search_url or sitemap_url: one of them says where the shop's items are")
        return self


class EbayHtmlSettings(AnySource):
    """eBay's search pages."""

    WHY: ClassVar[str] = "eBay's user agreement forbids robots and training on its content without written permission."
    SENTENCE: ClassVar[str] = (
        "eBay has given us written permission to crawl its pages by robot and to train models on its pictures"
    )

    kind: Literal["ebay_html"] = Field(description="the parser that understands the place")
    permission: str = Field(default="", description="the sentence that confirms eBay's permission; README, Sources")
    site: HttpBase = Field(default="https://www.ebay.com", description="the marketplace, such as https://www.ebay.de")
    category: str = Field(default="169291", pattern=r"^\d*$", description="_sacat; 169291: women's bags; empty: all")
    details: bool = Field(default=False, description="read each item page, for all pictures and the seller")


class EbayApiSettings(AnySource):
    """eBay's Browse API."""

    WHY: ClassVar[str] = "eBay's API licence agreement forbids training on what the API returns unless eBay agrees."
    SENTENCE: ClassVar[str] = "eBay has agreed in writing that we train models on the content its API returns"

    kind: Literal["ebay_api"] = Field(description="the parser that understands the place")
    permission: str = Field(default="", description="the sentence that confirms eBay's permission; README, Sources")
    client_id: SecretStr = Field(default=SecretStr(""), description="the application's App ID")
    client_secret: SecretStr = Field(default=SecretStr(""), description="its Cert ID; put it into the environment")
    endpoint: HttpBase = Field(
        default="https://api.ebay.com", description="https://api.sandbox.ebay.com for the sandbox"
    )
    marketplace: str = Field(default="EBAY_US", pattern=r"^EBAY_[A-Z]{2,10}$", description="X-EBAY-C-MARKETPLACE-ID")
    category: str = Field(default="169291", pattern=r"^[\d,]*$", description="category_ids; 169291: women's bags")
    page_size: Annotated[int, Field(ge=1, le=200)] = Field(default=200, description="results a call; 200 is the most")
    daily_calls: PositiveInt = Field(default=5000, description="calls of a night; eBay's default limit is 5,000 a day")


class GoogleImagesSettings(AnySource):
    """Google's Custom Search JSON API, pictures."""

    WHY: ClassVar[str] = (
        "Google's Custom Search JSON API takes no new customers and ends on 2027-01-01, and the pictures that it "
        "finds belong to others."
    )
    SENTENCE: ClassVar[str] = (
        "We are customers of the Custom Search JSON API, know that it ends on 2027-01-01, and may train models on the "
        "pictures that it finds"
    )

    kind: Literal["google_images"] = Field(description="the parser that understands the place")
    permission: str = Field(default="", description="the sentence that confirms it; README, Sources")
    api_key: SecretStr = Field(default=SecretStr(""), description="put it into the environment")
    engine_id: str = Field(default="", description="cx: the identifier of the search engine")
    endpoint: HttpBase = Field(default="https://www.googleapis.com/customsearch/v1", description="of the API")
    daily_calls: PositiveInt = Field(default=100, description="calls of a night; 100 a day are free")


class FolderSettings(AnySource):
    """A folder or bucket prefix of photos with a CSV, for partners who send files."""

    kind: Literal["folder"] = Field(description="the parser that understands the place")
    path: str = Field(description="a folder of this machine, or s3://bucket/prefix in the store")
    table: str = Field(
        default="listings.csv", pattern=r"^[\w.-]+$", description="the CSV beside the photos: a row a photo or listing"
    )


def _kind(value: Any) -> str:
    found = value.get("kind", "schema_org") if isinstance(value, Mapping) else getattr(value, "kind", "schema_org")
    return str(found)


SourceSettings = Annotated[
    Annotated[SchemaOrgSettings, Tag("schema_org")]
    | Annotated[EbayHtmlSettings, Tag("ebay_html")]
    | Annotated[EbayApiSettings, Tag("ebay_api")]
    | Annotated[GoogleImagesSettings, Tag("google_images")]
    | Annotated[FolderSettings, Tag("folder")],
    Discriminator(_kind),
]

SOURCE_KINDS: tuple[type[AnySource], ...] = (
    SchemaOrgSettings,
    EbayHtmlSettings,
    EbayApiSettings,
    GoogleImagesSettings,
    FolderSettings,
)
"""All kinds, in the order of the documentation."""
