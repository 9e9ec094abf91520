"""Fixtures of the end-to-end tests."""
import signal

import pytest

import hq as harness


def pytest_sessionstart(session):
    # Who starts the tests in the background of a script has it ignored, and so would all that is started here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not harness.binary().exists():
        pytest.exit(f"no program at {harness.binary()}: build it, or name it in HQ_BINARY", returncode=3)


def pytest_report_header():
    return [f"hq is started through {harness.runner()}"] if harness.runner() else []


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.call_failed = outcome.get_result().failed


def lent_environment(request, **options):
    environment = harness.Environment(**options)
    faults = []
    try:
        yield environment
    finally:
        faults = environment.close()
        if faults or getattr(request.node, "call_failed", False):
            print(f"logs kept in {environment.save(request.node.name)}")
        environment.remove()
    if faults:
        pytest.fail("\n".join(faults), pytrace=False)


@pytest.fixture
def hq(request):
    """An environment of its own, without a server yet. Leaves nothing behind; fails the test that does."""
    yield from lent_environment(request)


@pytest.fixture
def user(request):
    """As hq, but never as root."""
    yield from lent_environment(request, unprivileged=True)
