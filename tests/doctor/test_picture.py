"""The picture and the drawing of what a probe found: golden, and with properties that hold for every scene."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from homeport.advice.attempt import Mode
from homeport.doctor.drawing import drawing
from homeport.doctor.picture import picture
from homeport.doctor.scene import Arrow, Box, Scene, Tone, scene_of
from homeport.doctor.survey import State, Trial, View

from .goldens import compare
from .views import BOTH, GOOD, NOBODY, ONLY_21, VIEWS


@pytest.mark.parametrize("name", VIEWS)
def test_pictures(name: str) -> None:
    compare(f"{name}.picture.txt", picture(scene_of(VIEWS[name])))


@pytest.mark.parametrize("name", VIEWS)
def test_drawings(name: str) -> None:
    compare(f"{name}.svg", drawing(scene_of(VIEWS[name]), f"ftp.example.net: {name}"))


@pytest.mark.parametrize("view", [*VIEWS.values(), NOBODY])
def test_a_terminal_without_boxes_has_its_picture_too(view: View) -> None:
    text = picture(scene_of(view), ascii_only=True)
    assert text.isascii()
    assert len(text.splitlines()) == len(picture(scene_of(view)).splitlines())


@pytest.mark.parametrize("view", VIEWS.values())
def test_rows_do_not_break_the_boxes(view: View) -> None:
    lines = picture(scene_of(view)).splitlines()
    assert len({len(line) for line in lines}) == 1


def test_where_each_arrow_ends() -> None:
    stops = {arrow.label: (arrow.rightwards, arrow.stop, arrow.tone) for arrow in scene_of(BOTH).arrows}
    # you, your router, its router, server
    assert stops == {
        "control": (True, None, Tone.GOOD),
        "EPSV": (True, None, Tone.GOOD),
        "PASV": (True, None, Tone.DOUBTFUL),
        "EPRT": (False, 1, Tone.BAD),
        "PORT": (False, 1, Tone.BAD),
    }
    assert [box.title for box in scene_of(ONLY_21).boxes] == ["you", "its router", "server"]
    assert {arrow.label: arrow.stop for arrow in scene_of(ONLY_21).arrows} == {
        "control": None, "EPSV": 1, "PASV": 1, "EPRT": None,
    }  # fmt: skip


def test_who_fails_without_a_diagnosis_ends_at_the_other_side() -> None:
    for mode, stop in ((Mode.PASV, 1), (Mode.PORT, 0)):
        view = replace(GOOD, trials=(Trial(mode=mode, state=State.FAILS, seen="odd"),))
        assert scene_of(view).arrows[1].stop == stop


def test_no_connection_at_all() -> None:
    (control,) = scene_of(NOBODY).arrows
    assert (control.stop, control.tone) == (1, Tone.BAD)
    assert "╳" in picture(scene_of(NOBODY))


def test_the_drawing_is_xml_whatever_the_names_are() -> None:
    scene = Scene((Box("<you>", ("a&b",)), Box('"', ())), (Arrow(label="]]>", rightwards=True, tone=Tone.BAD, stop=1),))
    root = ET.fromstring(drawing(scene, '<title> & "more"'))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    texts = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["<you>", "a&b", '"', "]]>"]
