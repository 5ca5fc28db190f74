"""The form of an address that secrets are sent to."""

from typing import Annotated

from pydantic import Field

# Keys are sent there, so plain HTTP is for this machine alone.
Address = Annotated[str, Field(pattern=r"^(https://[^\s/?#@]+|http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?)(/[^\s?#]*)?$")]
