"""What the sections of the configuration have in common."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


class Section(BaseModel):
    """A section of the configuration. Every key is required and no other is allowed."""

    model_config = ConfigDict(
        extra="forbid",
        coerce_numbers_to_str=True,
        allow_inf_nan=False,
        ser_json_inf_nan="constants",
        defer_build=True,  # commands that compose nothing start sooner
    )


class SectionOf:
    """Metadata of a field: a dictionary that is checked by a model of pydantic's and stays a dictionary.

    Sections with a free choice of `_target_` are dictionaries, because their other keys depend on the target. Numbers
    stay as they were written, 1 or 1.0.
    """

    def __init__(self, schema: Any) -> None:
        self.schema = schema

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Pydantic's way to ask for the schema of an annotated type."""

        def check(value: Any, validate: Any) -> dict[str, Any]:
            checked = validate(value).model_dump(mode="json", by_alias=True, exclude_unset=True)
            as_written = {key for key, item in value.items() if item == checked[key] and not isinstance(item, dict)}
            return {str(key): item if key in as_written else checked[key] for key, item in value.items()}

        return core_schema.no_info_wrap_validator_function(
            check,
            handler.generate_schema(self.schema),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda value: value),
        )
