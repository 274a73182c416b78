"""Errors about learning platforms: their launches, their registration, and their answers."""

from __future__ import annotations

from app.errors import AccessDenied, AppError


class LoginRefused(AccessDenied):
    """A launch does not begin as one of a platform does. params: reason"""


class LaunchRefused(AccessDenied):
    """A platform's message is not believed. params: reason (for the log)"""


class LaunchOutdated(AccessDenied):
    """The launch was used before, or its time is over. params: reason"""


class LaunchElsewhere(AccessDenied):
    """The browser is not the one that began the launch, or keeps no cookie.

    params: again (the address that begins the launch once more)
    """


class LaunchAnonymous(AccessDenied):
    """The platform does not say who comes."""


class LaunchWithoutCourse(AccessDenied):
    """The platform does not say from which course."""


class DeploymentUnknown(AccessDenied):
    """The platform is known, and its deployment is not. params: deployment"""


class MentorLaunch(AccessDenied):
    """Somebody comes who looks after a student; there is nothing to see here."""


class CourseUnconnected(AccessDenied):
    """No teacher has opened the link yet."""


class TeacherNeeded(AccessDenied):
    """An assistant wants what only a teacher does."""


class CodeUnusable(AccessDenied):
    """No course can be connected with this code."""


class RegistrationRefused(AccessDenied):
    """A platform that registers itself says what a platform does not say. params: reason"""


class PlatformUnavailable(AppError):
    """A platform's keys cannot be read; the log says why."""


class PlatformRefused(AppError):
    """A platform says no to a request of ours.

    params: status, words (the platform's own), retry_after (seconds that the platform asks for, or None)
    """


class TokenRefused(PlatformRefused):
    """A platform gives us no token. Nobody there has looked at what it was for. params: see `PlatformRefused`"""


class PlatformUnknown(AppError):
    """No platform with this issuer and client id is registered and confirmed. params: issuer, client_id"""


class PlatformNotFound(AppError):
    """There is no platform with this id."""


class PlatformKnown(AppError):
    """The platform is registered already. params: platform (its id)"""


class PlatformInUse(AppError):
    """Courses have come from the platform."""


class InvitationUnknown(AppError):
    """Nobody has invited a platform with this address."""


class InvitationUsed(AppError):
    """A platform has registered itself with this invitation."""


class InvitationExpired(AppError):
    """The time of the invitation is over."""


class LinkNotFound(AppError):
    """The course has no link of a platform with this id."""


class SelectionNotFound(AppError):
    """The platform does not ask any more where its new link leads to."""
