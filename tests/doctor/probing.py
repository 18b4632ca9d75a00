"""What the tests of the probe have in common: a server, probed; and a few answers that servers give."""

from __future__ import annotations

from homeport.advice.attempt import Mode
from homeport.doctor.probe import Wishes, probe
from homeport.doctor.survey import State, Survey, Trial, View
from homeport.doctor.target import Target
from homeport.doctor.visit import Tls

from .servers import Faulty, Say, Talk

TIMEOUT = 0.3
"""For what never comes."""
AMPLE = 10.0
"""For what does."""


def survey_of(
    server: Faulty, *, timeout: float = AMPLE, tls: Tls = Tls.AUTO, user: str = "", modes: tuple[Mode, ...] = ()
) -> Survey:
    scheme = "ftps" if server.implicit else "ftp"
    host = f"[{server.address}]" if ":" in server.address else server.address
    wishes = Wishes(timeout, tls, modes=modes or Wishes().modes)
    return probe(Target.parse(f"{scheme}://{user}{host}:{server.port}/"), wishes, lambda _: None)


def view_of(survey: Survey) -> View:
    (view,) = survey.views
    return view


def trial_of(server: Faulty, mode: Mode, *, timeout: float = AMPLE, tls: Tls = Tls.AUTO) -> Trial:
    (trial,) = view_of(survey_of(server, timeout=timeout, tls=tls, modes=(mode,))).trials
    return trial


def states(view: View) -> dict[str, State]:
    return {trial.mode.value: trial.state for trial in view.trials}


def announce(address: str) -> Say:
    """PASV that names another address; the port is the right one."""

    def pasv(talk: Talk, _: str) -> str:
        port = talk.listen()
        return f"227 ok ({address.replace('.', ',')},{port >> 8},{port & 255})"

    return pasv
