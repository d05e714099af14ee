"""Pages of an API's lists."""

from ninja import Field
from ninja.pagination import PageNumberPagination


class BoundedPages(PageNumberPagination):
    """Numbered pages whose number is bounded, since PostgreSQL answers an OFFSET above 64 bits with an error."""

    class Input(PageNumberPagination.Input):
        """`page` counts from 1."""

        page: int = Field(1, ge=1, le=1_000_000)
