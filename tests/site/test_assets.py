"""The scripts and fonts of others that are used here are the ones we list."""

import hashlib
import json
import re

import yaml
from book_site import ROOT

VENDOR = ROOT / "book" / "_ext" / "vendor"
MANIFEST = json.loads((VENDOR / "manifest.json").read_text())


def test_every_asset_is_listed_with_its_checksum():
    listed = {path: digest for package in MANIFEST for path, digest in package["files"].items()}
    present = {
        path.relative_to(VENDOR).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    assert present == listed


def test_every_package_names_version_licence_and_source():
    assert MANIFEST
    for package in MANIFEST:
        assert package["version"] in package["source"]
        assert package["licence"]
        assert re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", package["integrity"])
        assert f"{package['name']}/LICENSE" in package["files"]


def test_no_script_is_loaded_on_every_page():
    config = yaml.safe_load((ROOT / "_config.yml").read_text())["sphinx"]["config"]
    for folder in config["html_static_path"]:
        assert list((ROOT / folder).rglob("*.js")) == [], "Sphinx loads these on every page"
