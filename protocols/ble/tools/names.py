#!/usr/bin/env python3
"""Makes tables of names that the Bluetooth SIG assigned, from a package of the registry; nothing is typed by hand.

    python3 -m venv v && v/bin/pip install bluetooth-sig==0.6.0 pyyaml
    v/bin/python protocols/ble/tools/names.py services > protocols/ble/src/gatt/names.rs
    v/bin/python protocols/ble/tools/names.py companies > protocols/ble/src/vendor/companies.rs

The package (MIT) carries the SIG's public YAML files of assigned numbers. Only numbers and names are taken.
"""

import datetime
import importlib.metadata
import pathlib
import sys

import yaml

PACKAGE = "bluetooth-sig"


def files() -> tuple[pathlib.Path, str]:
    """Where the YAML files are, and a line that says where they came from."""
    package = importlib.metadata.distribution(PACKAGE)
    numbers = next(f for f in package.files if f.name == "service_uuids.yaml").locate()
    root = pathlib.Path(numbers).parents[1]
    licence = package.metadata.get("License-Expression") or "MIT"
    return root, f"PyPI {PACKAGE} {package.version} ({licence})"


def load(root: pathlib.Path, name: str, key: str) -> list:
    return yaml.safe_load((root / name).read_text(encoding="utf-8"))[key]


def text(name: str) -> str:
    """As a string literal of Rust."""
    name = " ".join(name.replace("\\textsubscript{2}", "2").split())
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def table(doc: str, name: str, rows: dict[int, str], digits: int) -> str:
    lines = [f"/// {doc}", f"pub(super) const {name}: &[(u16, &str)] = &["]
    lines += [f"    (0x{number:0{digits}X}, {text(rows[number])})," for number in sorted(rows)]
    return "\n".join([*lines, "];", ""])


def services(when: str) -> str:
    root, source = files()
    uuids = {
        kind: {row["uuid"]: row["name"] for row in load(root, f"uuids/{kind}_uuids.yaml", "uuids")}
        for kind in ("service", "characteristic")
    }
    looks = load(root, "core/appearance_values.yaml", "appearance_values")
    kinds = {row["category"]: row["name"] for row in looks}
    exact = {
        row["category"] << 6 | sub["value"]: sub["name"]
        for row in looks
        for sub in row.get("subcategory", [])
    }
    return "\n".join(
        [
            "//! Names of services, characteristics and appearances, by the number that the Bluetooth SIG assigned to each.",
            "//!",
            f"//! Made by `protocols/ble/tools/names.py services` from {source}, which carries the SIG's public files of",
            f"//! assigned numbers; {when}. Make it anew rather than change it.",
            "",
            table("Services, by their 16 bits.", "SERVICES", uuids["service"], 4),
            table("Characteristics, by their 16 bits.", "CHARACTERISTICS", uuids["characteristic"], 4),
            table("What kind of thing it is: the upper ten bits of an appearance.", "APPEARANCE_KINDS", kinds, 3),
            table("What exactly it is, by the whole appearance.", "APPEARANCES", exact, 4).rstrip("\n"),
            "",
        ]
    )


def companies(when: str) -> str:
    root, source = files()
    rows = load(root, "company_identifiers/company_identifiers.yaml", "company_identifiers")
    names = {row["value"]: row["name"] for row in rows}
    return "\n".join(
        [
            "//! Names of companies, by the identifier that the Bluetooth SIG assigned to each.",
            "//!",
            f"//! Made by `protocols/ble/tools/names.py companies` from {source}, which carries the SIG's public files of",
            f"//! assigned numbers; {when}. Make it anew rather than change it.",
            "",
            table("Sorted.", "COMPANIES", names, 4).rstrip("\n"),
            "",
        ]
    )


def main() -> None:
    what = sys.argv[1:] or [""]
    when = datetime.date.today().isoformat()
    makers = {"services": services, "companies": companies}
    if what[0] not in makers:
        sys.exit(f"usage: names.py {' | '.join(makers)}")
    sys.stdout.write(makers[what[0]](when))


if __name__ == "__main__":
    main()
