"""Countries as archives spell them, and their codes of ISO 3166-1."""

from __future__ import annotations

from collections.abc import Iterable

_SPELLINGS = """
AE United Arab Emirates
AF Afghanistan
AL Albania
AM Armenia
AO Angola
AR Argentina
AS American Samoa
AT Austria
AT A
AU Australia
AZ Azerbaijan
BA Bosnia and Herzegovina
BB Barbados
BD Bangladesh
BE Belgium
BF Burkina Faso
BG Bulgaria
BI Burundi
BM Bermuda
BN Brunei
BO Bolivia
BR Brazil
BT Bhutan
BZ Belize
CA Canada
CD Democratic Republic of the Congo
CG Republic of the Congo
CH Switzerland
CI Ivory Coast
CL Chile
CM Cameroon
CN China
CO Colombia
CR Costa Rica
CU Cuba
CZ Czech Republic
CZ Czechia
DE Germany
DM Dominica
DO Dominican Republic
DZ Algeria
EC Ecuador
EE Estonia
EG Egypt
ES Spain
ET Ethiopia
FI Finland
FJ Fiji
FR France
GA Gabon
GB United Kingdom
GB England
GB Scotland
GB Wales
GB Northern Ireland
GD Grenada
GE Georgia
GH Ghana
GN Guinea
GR Greece
GT Guatemala
GU Guam
HK Hong Kong
HN Honduras
HR Croatia
HT Haiti
ID Indonesia
IE Ireland
IL Israel
IM Isle of Man
IN India
IR Iran
IS Iceland
IT Italy
IT I
JE Jersey
JM Jamaica
JO Jordan
JP Japan
KE Kenya
KG Kyrgyzstan
KH Cambodia
KN Saint Kitts and Nevis
KP North Korea
KR South Korea
KZ Kazakhstan
LA Laos
LB Lebanon
LC Saint Lucia
LI Liechtenstein
LI Lichtenstein
LK Sri Lanka
LR Liberia
LU Luxembourg
LU Luxemburg
MA Morocco
ME Montenegro
MG Madagascar
MK Macedonia
MM Myanmar [Burma]
MN Mongolia
MU Mauritius
MW Malawi
MX Mexico
MY Malaysia
NA Namibia
NG Nigeria
NI Nicaragua
NO Norway
NP Nepal
NZ New Zealand
OM Oman
PA Panama
PE Peru
PG Papua New Guinea
PH Philippines
PK Pakistan
PL Poland
PR Puerto Rico
PT Portugal
PY Paraguay
RO Romania
RS Serbia
RU Russia
RW Rwanda
SA Saudi Arabia
SB Solomon Islands
SD Sudan
SE Sweden
SG Singapore
SI Slovenia
SK Slovakia
SL Sierra Leone
SV El Salvador
SZ Swaziland
TH Thailand
TJ Tajikistan
TL East Timor
TR Turkey
TT Trinidad and Tobago
TW Taiwan
TZ Tanzania
UA Ukraine
UG Uganda
US United States of America
US United States
UZ Uzbekistan
VC Saint Vincent and the Grenadines
VE Venezuela
VI U.S. Virgin Islands
VN Vietnam
VU Vanuatu
YE Yemen
ZA South Africa
ZM Zambia
"""
CODES = {line[3:]: line[:2] for line in _SPELLINGS.strip().splitlines()}
"""Code of each spelling that an archive uses; CAMELS-CH has those of number plates."""


def codes(countries: Iterable[str]) -> list[str]:
    """Spell countries in one way.

    Parameters
    ----------
    countries : iterable of str
        As archives write them, or codes.

    Returns
    -------
    list of str
        Two letters each (ISO 3166-1 alpha-2); what is unknown stays as it is. Numbers
        of gauges count within a country, so the parts of the United Kingdom are one.

    Examples
    --------
    >>> codes(["Scotland", "A", "CH", "Atlantis", ""])
    ['GB', 'AT', 'CH', 'Atlantis', '']
    """
    return [CODES.get(str(country), str(country)) for country in countries]
