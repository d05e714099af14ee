"""The supplier's feed as it travels: checked before anything of it is believed. Pure: no I/O, no Django.

{"offers": [{"sku": "SUP-0001", "name": "Grafting wax", "price_cents": 450, "available": 12}, ...],
 "next_cursor": "v7-200" or null on the last page}
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from .errors import FeedMalformed

# What a column holds, and PostgreSQL stores no NUL.
MOST = 2**31 - 1
Sku = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,40}$")]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
Cursor = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,200}$")]


class Offer(BaseModel):
    """One product of the supplier's. Fields that we don't know are left alone."""

    model_config = ConfigDict(strict=True)

    sku: Sku
    name: Name
    price_cents: int = Field(ge=1, le=MOST)
    available: int = Field(ge=0, le=MOST)


class Page(BaseModel):
    """One page of the feed."""

    model_config = ConfigDict(strict=True)

    offers: list[Offer] = Field(max_length=1000)
    next_cursor: Cursor | None

    @field_validator("offers")
    @classmethod
    def _each_once(cls, offers: list[Offer]) -> list[Offer]:
        if len({offer.sku for offer in offers}) < len(offers):
            raise ValueError("an SKU is on the page twice")
        return offers


def page_read(text: bytes) -> Page:
    """The page that *text* is. Raises FeedMalformed, which says where it isn't one."""
    try:
        return Page.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the page"
        raise FeedMalformed(f"{where}: {first['msg']}") from error
