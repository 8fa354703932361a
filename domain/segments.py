"""Placeholder until the segment counter lands."""

from enum import StrEnum


class Encoding(StrEnum):
    """How the body goes over the air."""

    GSM_7 = "GSM_7"
    UCS_2 = "UCS_2"
