"""Errors about learning platforms: their launches, their registration, and their answers."""

from app.errors import AccessDenied, AppError, Conflict, Ended, NotFound


class LoginRefused(AccessDenied):
    """The request that begins a launch is not one that a platform sends. params: reason"""


class LaunchRefused(AccessDenied):
    """A platform's message fails a check. params: reason (for the log)"""


class LaunchOutdated(AccessDenied):
    """The launch was used before, or has expired. params: reason"""


class LaunchElsewhere(AccessDenied):
    """Another browser began the launch, or this one keeps no cookies.

    params: again (the address that restarts the launch)
    """


class LaunchAnonymous(AccessDenied):
    """The platform's message names no person."""


class LaunchWithoutCourse(AccessDenied):
    """The platform's message names no course."""


class DeploymentUnknown(AccessDenied):
    """The platform is registered, but this deployment of it is not. params: deployment"""


class MentorLaunch(AccessDenied):
    """A mentor, who looks after a student, has opened the link; there is nothing here for mentors."""


class CourseUnconnected(AccessDenied):
    """No teacher has opened the link yet."""


class TeacherNeeded(AccessDenied):
    """Only a teacher may connect a course; this person is an assistant."""


class CodeUnusable(AccessDenied):
    """No course can be connected with this code."""


class RegistrationRefused(AccessDenied):
    """A platform's registration of itself is invalid. params: reason"""


class PlatformUnavailable(AppError):
    """A platform's keys cannot be read; the log says why."""


class PlatformRefused(AppError):
    """A platform refuses a request of ours.

    params: status, words (the platform's explanation), retry_after (seconds that the platform asks us to wait, or None)
    """


class TokenRefused(PlatformRefused):
    """A platform refuses us an access token, so the request itself was never made. params: see `PlatformRefused`"""


class PlatformUnknown(AccessDenied):
    """No platform with this issuer and client id is registered and confirmed. params: issuer, client_id"""


class PlatformNotFound(NotFound):
    """There is no platform with this id."""


class PlatformKnown(Conflict):
    """The platform is registered already. params: platform (its id)"""


class PlatformInUse(Conflict):
    """Courses are connected with the platform."""


class InvitationUnknown(NotFound):
    """There is no invitation with this address."""


class InvitationUsed(Ended):
    """A platform has already used this invitation."""


class InvitationExpired(Ended):
    """The invitation has expired."""


class LinkNotFound(NotFound):
    """The course has no link of a platform with this id."""


class SelectionNotFound(NotFound):
    """The platform's question where a new link should lead is no longer open."""
