"""Leaves out what a browser asks of a page that it has left.

Streamlit 1.67 takes such a request, for a part of the old page by its timer or a click, and answers it after the new page as
if the old one were open again: the browser clears the new page, and the next part of it that is drawn anew ends in a white
window (see docs/streamlit-white-page.md, with a script that shows it). Nothing that is left out is missed: the new page draws
all of its parts itself.
"""

from functools import wraps

from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.app_session import AppSession

_ASKED = "_grpo_atlas_asked_page"
"""Attribute of a session: the hash of the page that its browser asked for last."""


def leave_out_stale_requests() -> None:
    """Have all sessions of this process do so from now on; a second call changes nothing."""
    take = AppSession.request_rerun
    if hasattr(take, "__wrapped__"):  # it is ours
        return

    @wraps(take)
    def request_rerun(session: AppSession, client_state: ClientState | None) -> None:
        if client_state is None or not _is_stale(session, client_state):
            take(session, client_state)

    setattr(AppSession, "request_rerun", request_rerun)  # noqa: B010 (mypy lets no method be assigned)


def _is_stale(session: AppSession, asked: ClientState) -> bool:
    """Whether a part is asked for of another page than the one asked for last. The session's loop alone calls this."""
    if not asked.fragment_id:
        setattr(session, _ASKED, asked.page_script_hash)
        return False
    page = getattr(session, _ASKED, "")
    return page in session.get_pages() and asked.page_script_hash != page
