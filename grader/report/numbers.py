"""Numbers and times as people write them in each language: 0.257 and 0,257; 26 November 2026 and 26 ноября 2026."""

import math
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal

from babel.dates import format_datetime, format_timedelta
from babel.numbers import format_decimal, format_percent, format_scientific
from babel.units import format_unit

#: Digits for the size of an error, whose magnitude matters; and for a number that is compared with another.
ROUGH, EXACT = 3, 6
# Numbers outside this range are written with an exponent.
SMALLEST, LARGEST = 1e-4, 1e7
MOMENT = "d MMMM y, HH:mm"
NOTHING, DAY = timedelta(), timedelta(days=1)
NO_BREAK = str.maketrans(" ", "\N{NO-BREAK SPACE}")
#: Units of distances in time, as Babel names them; a month has 30 days.
UNITS = (*(timedelta(days=days) for days in (365, 30, 7, 1)), *(timedelta(seconds=each) for each in (3600, 60, 1)))


def number(value: float, language: str, digits: int = EXACT) -> str:
    """Format a number with at most `digits` significant digits. NaN and infinity get Python's names.

    Raises:
        babel.core.UnknownLocaleError: the language does not exist.
    """
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else str(value)
    if isinstance(value, int) or not value:
        return true_minus(str(int(value)))
    value = float(f"{value:.{digits}g}")
    if not SMALLEST <= abs(value) < LARGEST:
        text = format_scientific(value, format=f"0.{'#' * (digits - 1)}E0", locale=language).replace("E", "e")
    else:
        text = format_decimal(value, format=f"@{'#' * (digits - 1)}", locale=language)
    return true_minus(text)


def true_minus(text: str) -> str:
    """Replace the hyphen before a number: no line ends after a minus. An exponent stays as in code: 1e-5."""
    return f"\N{MINUS SIGN}{text[1:]}" if text.startswith("-") else text


def points(value: float, language: str) -> str:
    """Format points, with at most two decimals."""
    return true_minus(format_decimal(round(value, 2), format="0.##", locale=language))


def percent(value: float, language: str) -> str:
    """Format a percentage, with at most two decimals: 12.5% and 12,5 %."""
    share = Decimal(str(round(value, 2))) / 100
    return true_minus(format_percent(share, locale=language, decimal_quantization=False))


def moment(value: datetime | str, language: str) -> str:
    """Format a time in its own time zone, or in UTC if it has none.

    Raises:
        ValueError: the text is not an ISO 8601 time.
    """
    when = datetime.fromisoformat(value) if isinstance(value, str) else value
    zone = true_minus(f"{when:%z}") if when.utcoffset() else ""
    shown = format_datetime(when, MOMENT, tzinfo=when.tzinfo, locale=language)
    return f"{shown} UTC{zone[:3]}{':' if zone else ''}{zone[3:]}"


def distance(value: datetime, language: str) -> str:
    """Say how far a time is from now, in one piece: "in 2 days", "3 hours ago".

    People call 4 days and 23 hours 5 days. A time under two days is never overstated: a deadline may be near.
    """
    left = value - datetime.now(UTC)
    unit = _unit(left)
    whole = math.floor(abs(left) / unit + (0.5 if unit >= DAY else 0)) * unit
    ahead = whole if left > NOTHING else -whole
    return format_timedelta(ahead, add_direction=True, threshold=2, locale=language).translate(NO_BREAK)


def after(seconds: float, language: str) -> str:
    """Say when a time to wait is over, never too soon: "in 40 seconds", "in 3 minutes", "in 3 hours"."""
    left = timedelta(seconds=seconds)
    unit = _unit(left)
    return format_timedelta(math.ceil(left / unit) * unit, add_direction=True, threshold=2, locale=language)


def _unit(left: timedelta) -> timedelta:
    """Return the unit for a distance: the largest that fits into it twice."""
    return next((each for each in UNITS if abs(left) >= 2 * each), UNITS[-1])


def in_zone(value: datetime | str, zone: tzinfo) -> datetime:
    """Args: value: a time, or one in ISO 8601."""
    return (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(zone)


def duration(seconds: float, language: str) -> str:
    """Say a length of time exactly, because it may be a rule: "12 seconds", "2 hours", "2 hours 30 minutes"."""
    parts = []
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        count, seconds = divmod(seconds, size)
        parts.append((count, unit))
    counted = [(count, unit) for count, unit in (*parts, (seconds, "second")) if count] or [(0, "second")]
    return " ".join(format_unit(count, f"duration-{unit}", length="long", locale=language) for count, unit in counted)


def time_left(seconds: float, language: str) -> str:
    """Say how long to wait, never too short: "40 seconds", "3 minutes", "2 hours 30 minutes"."""
    step = 60 if seconds >= 120 else 1
    return duration(max(math.ceil(seconds / step), 1) * step, language)


def signed(value: float, language: str) -> str:
    """Format a change of points: +5, −5."""
    return f"{'' if value < 0 else '+'}{points(value, language)}"
