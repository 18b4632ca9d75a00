"""Where does the server run? In a container or a cloud others must let connections in, and say how."""

from __future__ import annotations

import re
from collections.abc import Iterator

from homeport.events.text import ranges

from ..case import Case
from ..finding import Finding, Severity
from ..machine import Machine

_CONTAINER_GROUP = re.compile(r"docker|containerd|kubepods|libpod|lxc|garden|ecs", re.IGNORECASE)
_CLOUDS: tuple[tuple[str, str, str], ...] = (
    ("Amazon EC2", "Amazon", "its security groups"),
    ("Google", "Google Cloud", "the VPC firewall rules"),
    ("Microsoft Corporation Virtual Machine", "Azure", "the network security group"),
    ("DigitalOcean", "DigitalOcean", "the cloud firewall"),
    ("Hetzner", "Hetzner", "the cloud firewall"),
    ("OVH", "OVH", "the security group"),
    ("Scaleway", "Scaleway", "the security group"),
    ("Linode", "Linode", "the cloud firewall"),
    ("Vultr", "Vultr", "the firewall group"),
    ("Oracle", "Oracle Cloud", "the security list"),
    ("Alibaba", "Alibaba Cloud", "the security group"),
    ("OpenStack", "an OpenStack cloud", "the security group"),
)
"""What stands in the firmware's tables (DMI), whose cloud it is, and what lets connections in there."""
_TABLES = ("sys_vendor", "product_name", "bios_vendor", "chassis_vendor")


def container(case: Case) -> Iterator[Finding]:
    """Docker, Podman, LXC, Kubernetes."""
    kind = container_of(case.machine)
    if kind is None:
        yield Finding("container", Severity.OK, "This is no container, as far as one can tell.")
        return
    control, passive = ranges(case.control_ports), ranges(case.passive_ports)
    ports = f"{control} and {passive}" if passive else control
    if kind == "Kubernetes":
        yield Finding(
            "container",
            Severity.NOTE,
            "This is a pod of Kubernetes.",
            f"Its Service must have every port ({ports}) with the same number outside and inside, and "
            "externalTrafficPolicy: Local, or all clients look like one.",
            (
                "`homeport firewall --format kubernetes` prints it.",
                "Set data.external_address to the Service's address.",
            ),
        )
        return
    yield Finding(
        "container",
        Severity.NOTE,
        f"This is a container ({kind}).",
        f"Every port ({ports}) must be published with the same number outside and inside, and PASV must name the "
        "host's address.",
        (
            "`homeport firewall --format docker` (or compose) prints how.",
            "Set data.external_address to the host's address.",
        ),
    )


def container_of(machine: Machine) -> str | None:
    """What kind of container this is, if it is one."""
    if "KUBERNETES_SERVICE_HOST" in machine.environment:
        return "Kubernetes"
    if machine.exists("/.dockerenv"):
        return "Docker"
    if machine.exists("/run/.containerenv"):
        return "Podman"
    # Set by systemd-nspawn, LXC and Podman for the first process of the container.
    said = re.search(r"(?:^|\0)container=([\w-]+)", machine.read("/proc/1/environ") or "")
    if said is not None:
        return said.group(1)
    found = _CONTAINER_GROUP.search(machine.read("/proc/1/cgroup") or "")
    if found is None:
        return None
    return "Kubernetes" if found.group(0).lower() == "kubepods" else found.group(0)


def cloud(case: Case) -> Iterator[Finding]:
    """Whose firewall stands before this machine, if it is rented."""
    texts = [(case.machine.read(f"/sys/class/dmi/id/{name}") or "").strip() for name in _TABLES]
    said = " ".join(text for text in texts if text)
    for sign, name, firewall in _CLOUDS:
        if sign.lower() in said.lower():
            ports = ranges([*case.control_ports, *case.passive_ports]) or "all ports of the server"
            yield Finding(
                "cloud",
                Severity.NOTE,
                f"This machine is rented at {name}.",
                f"Before it stands {firewall}, which lets nothing in that it was not told to: TCP {ports}.",
                ("`homeport firewall` prints the table of ports.",),
            )
            return
