from __future__ import annotations

from dataclasses import replace

import pytest

from homeport.doctor.checks import surroundings
from homeport.doctor.finding import Severity

from ..cases import RUNNING, MadeUp, case, one, severities


@pytest.mark.parametrize(
    ("machine", "kind"),
    [
        (MadeUp(), None),
        (MadeUp(files={"/proc/1/cgroup": "0::/init.scope\n", "/proc/1/environ": "PATH=/bin\0HOME=/\0"}), None),
        (MadeUp(environment={"KUBERNETES_SERVICE_HOST": "10.96.0.1"}, files={"/.dockerenv": ""}), "Kubernetes"),
        (MadeUp(files={"/.dockerenv": ""}), "Docker"),
        (MadeUp(files={"/run/.containerenv": ""}), "Podman"),
        (MadeUp(files={"/proc/1/environ": "PATH=/bin\0container=lxc\0"}), "lxc"),
        (MadeUp(files={"/proc/1/cgroup": "1:name=systemd:/docker/0123456789ab\n"}), "docker"),
        (MadeUp(files={"/proc/1/cgroup": "0::/kubepods/besteffort/pod12\n"}), "Kubernetes"),
    ],
)
def test_containers(machine: MadeUp, kind: str | None) -> None:
    assert surroundings.container_of(machine) == kind
    (found,) = surroundings.container(case(machine))
    assert found.severity is (Severity.OK if kind is None else Severity.NOTE)


def test_what_a_container_must_publish() -> None:
    found = one(surroundings.container(case(MadeUp(files={"/.dockerenv": ""}))))
    assert "Every port (21 and 50000-50009)" in found.meaning
    found = one(surroundings.container(case(MadeUp(environment={"KUBERNETES_SERVICE_HOST": "x"}))))
    assert "externalTrafficPolicy: Local" in found.meaning


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"sys_vendor": "Amazon EC2"}, "Amazon"),
        ({"product_name": "Google Compute Engine"}, "Google Cloud"),
        ({"sys_vendor": "Microsoft Corporation", "product_name": "Virtual Machine"}, "Azure"),
        ({"sys_vendor": "Hetzner"}, "Hetzner"),
        ({"product_name": "OpenStack Nova"}, "an OpenStack cloud"),
        # A laptop of that vendor is no cloud.
        ({"sys_vendor": "Microsoft Corporation", "product_name": "Surface Laptop"}, None),
        ({"sys_vendor": "QEMU"}, None),
        ({}, None),
    ],
)
def test_clouds(files: dict[str, str], name: str | None) -> None:
    machine = MadeUp(files={f"/sys/class/dmi/id/{key}": f"{text}\n" for key, text in files.items()})
    found = list(surroundings.cloud(case(machine)))
    if name is None:
        assert found == []
    else:
        assert f"rented at {name}." in found[0].seen
        assert "TCP 21, 50000-50009" in found[0].meaning


def test_ports_that_are_not_known_yet() -> None:
    machine = MadeUp(files={"/.dockerenv": "", "/sys/class/dmi/id/sys_vendor": "Hetzner"})
    made = case(machine, running=replace(RUNNING, passive_ports=()))
    assert severities([*surroundings.container(made), *surroundings.cloud(made)]) == [Severity.NOTE] * 2
