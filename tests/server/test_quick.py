"""What is wrong with the arguments of a Server, in one sentence that names the argument."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import homeport


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"host": "bad"}, 'host: "bad" is not an IP address'),
        ({"port": 70_000}, "port: 70000 is not a port: ports go from 0 to 65535"),
        ({"passive_ports": "x"}, 'passive_ports: "x" is neither a port nor a range of ports such as "50000-50019"'),
        ({"host": "bad", "port": 70_000}, 'host: "bad" is not an IP address; port: 70000 is not a port: '),
        ({"user": "a", "password": ""}, "password: the password is empty"),
        ({"users": [{"name": "a", "passwort": "x"}]}, "users[0].passwort: there is no such option; did you mean pass"),
        ({"users": [{"password": "x"}]}, 'users[0]: the option "name" is missing'),
        ({"users": ["bob"]}, "users[0]: a user is a UserOptions, or a mapping with name and password"),
        ({"port": 2121, "passive_ports": [2121]}, "port 2121 is a passive port, but is listen.port"),
        ({"user": "a", "users": [{"name": "a", "password": "x"}]}, 'there is a user named "a" already'),
    ],
)
def test_one_sentence_names_the_argument(tmp_path: Path, arguments: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)) as caught:
        homeport.Server(tmp_path, **arguments)  # type: ignore[arg-type] # that is the point
    text = str(caught.value)
    assert text.startswith(sentence)
    assert "\n" not in text
    assert "pydantic" not in text
