"""`paraply controller` and `paraply scheduler` on their own."""

import pytest
from home import Home


@pytest.mark.parametrize("service", ["controller", "scheduler"])
def test_a_missing_token_is_asked_for_in_a_file(home: Home, service: str) -> None:
    said = home.run(service, "--cluster-id", "lab", "--listen", "127.0.0.1:0", expect=1)
    assert "with --client-token-file" in said
    assert "--client-token," not in said


@pytest.mark.parametrize("service", ["controller", "scheduler"])
def test_tokens_are_read_from_files(home: Home, service: str) -> None:
    for name in ("client", "engine"):
        (home.folder / name).write_text(f"{name}-token-0123456789\n")
    tokens = ["--client-token-file", "client", "--engine-token-file", "engine"]
    said = home.run(service, "--cluster-id", "lab", *tokens, expect=1)
    assert "nowhere to listen" in said


@pytest.mark.parametrize("service", ["controller", "scheduler"])
def test_a_lease_that_nobody_can_keep_is_refused(home: Home, service: str) -> None:
    said = home.run(service, "--cluster-id", "lab", "--lease-millis", "299", expect=1)
    assert "--lease-millis" in said
    assert "at least 300" in said
