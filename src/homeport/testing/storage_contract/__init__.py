"""StorageContract: what every Storage must do, as a suite of pytest tests.

    class TestMine(StorageContract):
        @pytest.fixture
        def storage(self) -> Iterator[Storage]:
            yield MyStorage(...)

The fixture gives an empty storage with room for a few MiB. All is asked through the contract in
`homeport.storage.base`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from homeport.storage.base import Storage

from .appending import Appending
from .attributes import Attributes
from .content import get, leave, names, path, put
from .creating import Creating
from .directories import Directories
from .kept import Kept
from .listing import Listing
from .reading import Reading
from .renaming import Renaming
from .uploads import Uploads

__all__ = ["StorageContract", "get", "leave", "names", "path", "put"]


class StorageContract(Reading, Uploads, Creating, Appending, Kept, Listing, Directories, Renaming, Attributes):
    """Inherit, and give the fixture `storage`."""

    @pytest.fixture
    def storage(self) -> Storage | Iterator[Storage]:
        raise NotImplementedError("the subclass gives an empty storage")
