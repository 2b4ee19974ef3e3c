"""P: what all sections of a configuration share: kinds of values, and that unknown settings are refused."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$")]
Positive = Annotated[int, Field(ge=1)]
Price = Annotated[str, StringConstraints(pattern=r"^\d+(\.\d+)?$", max_length=40)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class Section(BaseModel):
    """What all sections share."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
