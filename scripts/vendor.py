"""Fetch the browser assets that the site serves itself, and list them with their checksums.

``python scripts/vendor.py`` writes book/_extra/vendor again from the packages named here; run it
after a change of version or selection, and commit the result.
"""

import base64
import hashlib
import io
import json
import re
import shutil
import tarfile
import urllib.request
from pathlib import Path

VENDOR = Path(__file__).resolve().parent.parent / "book" / "_extra" / "vendor"
PACKAGES = [
    {
        "name": "mathjax",
        "version": "3.2.2",
        "licence": "Apache-2.0",
        "source": "https://registry.npmjs.org/mathjax/-/mathjax-3.2.2.tgz",
        "integrity": "sha512-Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/"
        "FEsPsjKPZGJvtRZM1vO+geW0OhGw==",
        # The renderer, its fonts, the extensions that TeX input loads when a macro asks for them,
        # and the speech of formulas in English.
        "selection": r"LICENSE|es5/(tex-chtml\.js|output/chtml/fonts/woff-v2/.*|a11y/.*"
        r"|sre/mathmaps/(base|en)\.json|input/tex/extensions/(?!all-packages|mhchem).*)",
    },
    {
        "name": "minisearch",
        "version": "7.2.0",
        "licence": "MIT",
        "source": "https://registry.npmjs.org/minisearch/-/minisearch-7.2.0.tgz",
        "integrity": "sha512-dqT2XBYUOZOiC5t2HRnwADjhNS2cecp9u+TJRiJ1Qp/f5qjkeT5APcGPjHw+bz89"
        "Ms8Jp+cG4AlE+QZ/QnDglg==",
        "selection": r"LICENSE\.txt|dist/umd/index\.js",
    },
]


def main() -> None:
    manifest = []
    for package in PACKAGES:
        folder = VENDOR / package["name"]
        shutil.rmtree(folder, ignore_errors=True)
        with urllib.request.urlopen(package["source"]) as answer:
            archive = answer.read()
        digest = base64.b64encode(hashlib.sha512(archive).digest()).decode()
        if package["integrity"] != f"sha512-{digest}":
            raise SystemExit(f"{package['source']} is not the file we know: sha512-{digest}")
        files = {}
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            for member in tar.getmembers():
                inside = member.name.removeprefix("package/")
                if member.isfile() and re.fullmatch(package["selection"], inside):
                    path = folder / re.sub(r"^es5/|^dist/umd/|\.txt$", "", inside)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(tar.extractfile(member).read())
                    files[path.relative_to(VENDOR).as_posix()] = sha256(path)
        listed = {key: value for key, value in package.items() if key != "selection"}
        manifest.append({**listed, "files": dict(sorted(files.items()))})
    (VENDOR / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
