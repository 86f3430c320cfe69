"""What is said of a connection that fails."""

import ssl

import pytest

from tlsctl.verify.connections import words


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TimeoutError(), "no answer in 3 s"),
        (ConnectionResetError(104, "Connection reset by peer"), "the gateway closes the connection"),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), "the gateway closes the connection"),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
    ],
)
def test_errors_are_said_in_words(error: Exception, said: str) -> None:
    assert words(error) == said
