"""The codes of countries, as residency is written in.

In goes a text, out comes an ISO 3166-1 alpha-2 code that exists, or what was expected. What never happens here: a look
at where anything is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from autoscaler.config.problem import described
from autoscaler.config.values import wrong

_ASSIGNED = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV
BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES
ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE
IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY
MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU
NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM
SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE
VG VI VN VU WF WS YE YT ZA ZM ZW
"""
CODES = frozenset(_ASSIGNED.split())
"""ISO 3166-1 alpha-2, as assigned. `XK` and the like are not: no provider's table could name them."""
_MEANT = {"UK": "GB", "EL": "GR", "EN": "GB", "EU": ""}
"""What people write, and the code for it; a union of countries has none."""
_EXPECTED = "a country's code of two capital letters (ISO 3166-1), such as NO or SE"


@dataclass(frozen=True, slots=True)
class _Code:
    """Marks the code of a country."""

    def parse(self, value: object) -> str:
        if isinstance(value, str) and value in CODES:
            return value
        meant = _MEANT.get(value, value.upper()) if isinstance(value, str) else ""
        advice = f'Is "{meant}" meant?' if meant in CODES else ""
        if value == "EU":
            advice = "A union is written as the list of its countries."
        raise wrong(described(value), _EXPECTED, advice)

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "pattern": "^[A-Z]{2}$"}


Country = Annotated[str, _Code()]
