"""Claims: theorems as functions that run both of their sides and compare.

A claim is written once and used three times: a chapter shows it, the tests run it, the scoreboard
tabulates it. ``python -m ibtools.claims`` prints all of them.
"""

from ibtools.claims import imd, warping
from ibtools.claims.claim import Claim, ClaimError, Comparison, Outcome, Scoreboard, claim

CLAIMS: tuple[Claim, ...] = (*imd.CLAIMS, *warping.CLAIMS)

__all__ = [
    "CLAIMS",
    "Claim",
    "ClaimError",
    "Comparison",
    "Outcome",
    "Scoreboard",
    "claim",
    "imd",
    "warping",
]
