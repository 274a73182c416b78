#!/usr/bin/env python3
"""Writes what a release consists of: sbom.py LOCK FOLDER < environment.json. `make sbom` runs it.

It reads the CycloneDX document of an environment that holds more (the tools of the tests) and keeps what the lock
names. It writes FOLDER/sbom.json, and FOLDER/licences.txt with a line for each package.
"""

import json
import re
import sys
from pathlib import Path

# Packages whose metadata does not say it; a new one ends this program with its name.
SAID_ELSEWHERE = {"namex": "Apache-2.0 (github.com/fchollet/namex)"}


def main() -> None:
    lock, folder = sys.argv[1:]
    document = json.load(sys.stdin)
    names = set(re.findall(r"^([a-z0-9._-]+)==", Path(lock).read_text(encoding="utf-8"), re.MULTILINE))
    kept = [found for found in document["components"] if normal(found["name"]) in names]
    document["components"] = kept
    references = {document["metadata"]["component"]["bom-ref"], *(found["bom-ref"] for found in kept)}
    document["dependencies"] = [
        {**entry, "dependsOn": [name for name in entry.get("dependsOn", []) if name in references]}
        for entry in document["dependencies"]
        if entry["ref"] in references
    ]
    lines = [f"{found['name']} {found['version']}: {licences(found)}\n" for found in kept]
    Path(folder).mkdir(exist_ok=True)
    Path(folder, "sbom.json").write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")
    Path(folder, "licences.txt").write_text("".join(sorted(lines, key=str.lower)), encoding="utf-8")
    print(f"{folder}/sbom.json and {folder}/licences.txt: {len(kept)} packages")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def licences(found: dict) -> str:
    """Name them as the metadata does: by SPDX, or else by classifier, or else by the first line of the text."""
    spdx, classifiers, texts = [], [], []
    for entry in found.get("licenses", []):
        licence = entry.get("license", {})
        if name := entry.get("expression") or licence.get("id"):
            spdx.append(name)
        elif licence["name"].startswith("License ::"):
            classifiers.append(licence["name"].rpartition(" :: ")[2])
        elif "encoding" not in (text := licence.get("text", {})):
            texts.append(text.get("content", "").partition("\n")[0])
    return ", ".join(spdx or classifiers or texts) or SAID_ELSEWHERE[normal(found["name"])]


if __name__ == "__main__":
    main()
