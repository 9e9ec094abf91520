"""What stands on a terminal: colours, bold, progress bars; and what turns them off."""
import pytest

from transcript import replay, sessions


@pytest.mark.parametrize("session", sessions("terminal"))
def test_session(hq, session):
    replay(hq, session)
