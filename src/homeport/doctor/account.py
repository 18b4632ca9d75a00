"""Account: a Survey for people, and for programs."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum

from homeport.advice.causes import Diagnosis
from homeport.events.text import duration, visible

from .picture import picture
from .scene import scene_of
from .survey import Protection, State, Survey, Trial, View
from .text import Colour, painted, wrapped

_COLOURS = {State.WORKS: Colour.GOOD, State.FAILS: Colour.BAD, State.LENIENT: Colour.DOUBTFUL}
_LABEL = 13
_NOTEWORTHY = ("AUTH TLS", "EPSV", "EPRT", "MLST", "MLSD", "UTF8", "SIZE", "MDTM", "REST STREAM", "TVFS", "HOST")
_SOON_DAYS = 14


def account(survey: Survey, *, colour: bool = False, ascii_only: bool = False, now: datetime) -> str:
    """The report, LF at the end of each line. Whatever the server said is made visible."""
    parts = [painted(f"{survey.target} as {visible(survey.user)}", Colour.BOLD, on=colour) + "\n"]
    if survey.problem is not None:
        parts.append("\n" + wrapped(survey.problem))
    for view in survey.views:
        parts.append(f"\n{painted(_where(view), Colour.BOLD, on=colour)}\n")
        parts.append(_facts(view, now))
        if view.problem is not None:
            parts.append("\n" + painted(wrapped(visible(view.problem), "  "), Colour.BAD, on=colour))
        if view.reached:
            drawn = picture(scene_of(view), ascii_only=ascii_only)
            parts.append("\n" + "".join(f"  {line}\n" for line in drawn.splitlines()))
        if view.trials:
            parts.append("\n" + "".join(_trial(trial, colour=colour) for trial in view.trials))
        parts.append(_on_the_way(view, colour=colour))
        parts.append(_diagnoses(view, colour=colour))
    parts.append("\n" + wrapped(verdict(survey)))
    if any(trial.diagnosis is not None for view in survey.views for trial in view.trials):
        parts.append(wrapped("Settings are named as Homeport has them; other servers have their own for the same."))
    return "".join(parts)


def verdict(survey: Survey) -> str:
    """The whole in a sentence."""
    trials = [trial for view in survey.views for trial in view.trials]
    match survey.exit_code:
        case 0:
            return "All modes that the server offers work from here."
        case 2:
            return "The server could not be tried: there was no login."
    good = [_name(trial) for trial in trials if trial.state is State.WORKS]
    if not good:
        return "No mode works from here."
    names = list(dict.fromkeys(good))
    return f"From here {_listed(names)} {'work' if len(names) > 1 else 'works'}, and others fail."


def as_json(value: object) -> object:
    """Dataclasses as objects, enums by their values, times in ISO form: for `json.dumps`."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple | list):
        return [as_json(one) for one in value]
    if isinstance(value, Enum):
        return as_json(value.value)
    return value.isoformat() if isinstance(value, datetime) else value


# -- parts -------------------------------------------------------------------------------------------------


def _where(view: View) -> str:
    return f"{view.address[0]} port {view.address[1]}"


def _facts(view: View, now: datetime) -> str:
    rows = []
    if view.reached:
        rows.append(("connected", f"in {duration(view.connect_seconds)}"))
    if view.greeting is not None:
        rows.append(("greeted", f"after {duration(view.greeting_seconds)}: {visible(view.greeting)}"))
    if view.system is not None:
        rows.append(("system", visible(view.system)))
    if view.greeting is not None:
        rows.append(("features", _features(view.features)))
    if view.protection is not None:
        rows.append(("TLS", f"{view.protection.version}, {view.protection.cipher}"))
        rows.append(("certificate", _certificate(view.protection, now)))
    elif view.protection_problem is not None:
        rows.append(("TLS", visible(view.protection_problem)))
    elif view.logged_in:
        rows.append(("TLS", "none: name, password and data go in clear"))
    if view.welcome is not None:
        rows.append(("login", visible(view.welcome)))
    margin = " " * (2 + _LABEL)
    return "".join(wrapped(text, margin, f"  {label:<{_LABEL}}") for label, text in rows)


def _features(features: tuple[str, ...] | None) -> str:
    if features is None:
        return "the server has no FEAT, or does not tell before the login"
    upper = [one.upper() for one in features]
    known = [name for name in _NOTEWORTHY if any(one == name or one.startswith(f"{name} ") for one in upper)]
    others = len(features) - len(known)
    text = ", ".join(known) or "none that matters here"
    return f"{text}, and {others} more" if others > 0 else text


def _certificate(protection: Protection, now: datetime) -> str:
    names = ", ".join(visible(name) for name in protection.names[:4]) or "no name"
    days = (protection.expires - now).days
    if protection.expires <= now:
        life = f"ran out on {protection.expires:%Y-%m-%d}"
    elif protection.begins > now:
        life = f"is not valid before {protection.begins:%Y-%m-%d}"
    else:
        soon = f", in {days} days" if days < _SOON_DAYS else ""
        life = f"until {protection.expires:%Y-%m-%d}{soon}"
    if protection.distrust is None:
        trust = f"trusted, by {visible(protection.issuer)}"
    elif protection.self_signed:
        trust = "self-signed: clients ask whether to trust it"
    else:
        trust = f"not trusted: {visible(protection.distrust)}"
    return f"for {names}; {life}; {trust}"


def _trial(trial: Trial, *, colour: bool) -> str:
    word = "works" if trial.state is State.WORKS else "lenient" if trial.state is State.LENIENT else trial.state.value
    margin = " " * 26
    if trial.state is State.WORKS:
        text = f"{duration(trial.seconds)}, {trial.octets} bytes of listing"
        text += {None: "", True: ", TLS session resumed", False: ", TLS session not resumed"}[trial.resumed]
    elif trial.state is State.LENIENT:
        text = f"{trial.seen}. It works for clients that ignore the address in 227 and take the server's, as most do."
    else:
        text = trial.seen
    first = f"  {_name(trial):<5} {painted(f'{word:<16}', _COLOURS.get(trial.state, Colour.QUIET), on=colour)}  "
    lines = wrapped(visible(text), margin, margin)
    return first + lines[len(margin) :]


def _on_the_way(view: View, *, colour: bool) -> str:
    notes = [*view.changes, *dict.fromkeys(note for trial in view.trials for note in trial.notes)]
    if not notes:
        return ""
    heading = painted("  On the way", Colour.BOLD, on=colour)
    return f"\n{heading}\n" + "".join(wrapped(note, "    ") for note in notes)


def _diagnoses(view: View, *, colour: bool) -> str:
    found: dict[tuple[object, str], tuple[Diagnosis, list[str]]] = {}
    if view.diagnosis is not None:
        found[view.diagnosis.cause, ""] = (view.diagnosis, ["control connection"])
    if view.meddling is not None:
        found[view.meddling.cause, "meddling"] = (view.meddling, ["PASV without TLS"])
    for trial in view.trials:
        if trial.diagnosis is not None:
            # What differs between two of the same cause is no more than the port.
            key = (trial.diagnosis.cause, trial.diagnosis.side.value)
            found.setdefault(key, (trial.diagnosis, []))[1].append(_name(trial))
    return "".join(_diagnosis(one, names, colour=colour) for one, names in found.values())


def _diagnosis(found: Diagnosis, names: list[str], *, colour: bool) -> str:
    heading = painted(f"  {_listed(names)}: {found.cause.value}", Colour.BOLD, on=colour)
    text = f"\n{heading}\n" + wrapped(found.why, "    ")
    text += f"    To mend it at {found.side.value}:\n"
    return text + "".join(wrapped(cure, "      ", "    * ") for cure in found.cures)


def _name(trial: Trial) -> str:
    return trial.mode.value


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
