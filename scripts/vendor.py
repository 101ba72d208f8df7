"""Fetch the scripts and fonts that the site is made with, and list them with their checksums.

``python scripts/vendor.py`` writes book/_ext/vendor again from the packages named here; run it
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

VENDOR = Path(__file__).resolve().parent.parent / "book" / "_ext" / "vendor"
# Of D3 what draws axes and curves, and follows a finger: a fourth of it.
D3 = {
    "d3-array": (
        "3.2.5",
        "sha512-Th8qGXoBalmWsstpkuhmBuTsBQIFqYOJtjlBvNVvBfJ8E"
        "3uYusBUwUR8HU20U0qKKQkgCvKyR1YjiozWadk5QA==",
    ),
    "d3-axis": (
        "3.0.1",
        "sha512-E5QCXfaf/uJZEHHiqoWRq+bQEm2PzoVFv2rDC7CZ3wwI0"
        "MjfMW3w83J3ubobG4IJj3lShAI5eiPJhOu/8wHofA==",
    ),
    "d3-color": (
        "3.1.1",
        "sha512-lfab8x0Bj0UO7SNsY8dZSbNIA6ipbkE3X0NG9nqjCu6Cf"
        "CHZseuDnOSJY7hidKrjpP++i1M2qT+FlAdPKYRilA==",
    ),
    "d3-dispatch": (
        "3.0.2",
        "sha512-sAzH4Y4nsLo8eSqw5jKiZt+LU2wZmL/qS+OkxQGjhwazB"
        "/D7TY34R/QK1eshfGr7cZEKymKZ/Haem7m+lu98Sg==",
    ),
    "d3-drag": (
        "3.0.1",
        "sha512-OWeoayCq8J69hUIjvL+Mb6Q6Oaj/fyHV5XaXByEUAG+JU"
        "jIfTGDnk3qGpcXrD3VmQ3BSV96fcbM6fqq7C0tbPA==",
    ),
    "d3-format": (
        "3.1.3",
        "sha512-+F+/49swqmGuQJmSKnVMIDH/QkEFV5li9QRj0xm/KhyAU"
        "Bv099O5PrvpQFxBp24PYph17Mnvt9mjKQV0ii0nMA==",
    ),
    "d3-interpolate": (
        "3.0.2",
        "sha512-IRzGU62DtxhvsnSTWMQIdnoZ6gA+BCWwBon1EJI6SjoN5"
        "95799b6z/QRBzXfFhE8iupUPp3042yBNo0STPqnzQ==",
    ),
    "d3-path": (
        "3.1.1",
        "sha512-jsbgV8zIT38ReB9O7X7gcLndTQRONSqNNd+oGIaTBdUug"
        "4r5jFmp0N6RY9R5GWbdUDucn0qoTGyfjapT4tDhcg==",
    ),
    "d3-scale": (
        "4.0.3",
        "sha512-66cWobCNzcMvlfoaDHCxuIv9TBUWG1BLOWdv9kHHFuCr1"
        "JdqAWPvTmsaEYDD5NRMyWZ5+7u0GqiCDfMXMqh3hg==",
    ),
    "d3-selection": (
        "3.0.1",
        "sha512-ODSf35vqCrlCfp7hrm0eZjvOosSXSYLjqvIlhMBV9q9VO"
        "x7EBJG6pc+uXBswEZNJgCGJ+qnKYcWutbZDIxe/Xg==",
    ),
    "d3-shape": (
        "3.2.1",
        "sha512-dm2o+lbKdzg9tY7GEag/dB9hcbodLfwkE/DkvqbELJXaM"
        "z0yKzWWhZqhbI7CKubukA7HnRyz0avdtvi7EPxPvw==",
    ),
    "d3-time": (
        "3.1.1",
        "sha512-Ze7rjrhMzdeulh0/hjcfFj7XLAHOfowtEMfsoG6DU866H"
        "PynQNW7Wfen6hzXcqKTv8XzxvF6Hzr5XD6bMHr2ug==",
    ),
    "d3-time-format": (
        "4.1.1",
        "sha512-22XaqjyCjpqgda20erhsOjGmC3vvYwTNYniKAd45W5UWL"
        "DF43moeOuV9qYpRqobIlsnK0UhnKZjUUJm3VgORUA==",
    ),
}
PACKAGES = [
    {
        "name": "mathjax",
        "version": "3.2.2",
        "licence": "Apache-2.0",
        "source": "https://registry.npmjs.org/mathjax/-/mathjax-3.2.2.tgz",
        "integrity": "sha512-Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/"
        "FEsPsjKPZGJvtRZM1vO+geW0OhGw==",
        # What sets TeX without a browser, the MathML that is read aloud, and the fonts.
        "selection": r"LICENSE|es5/(core|loader|adaptors/liteDOM|input/tex-full|output/chtml"
        r"|output/chtml/fonts/tex|a11y/assistive-mml)\.js|es5/output/chtml/fonts/woff-v2/.*",
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
    {
        "name": "reveal.js",
        "version": "5.2.1",
        "licence": "MIT",
        "source": "https://registry.npmjs.org/reveal.js/-/reveal.js-5.2.1.tgz",
        "integrity": "sha512-r7//6mIM5p34hFiDMvYfXgyjXqGRta+/psd9YtytsgRlrpRzFv4RbH76TXd2qD+7"
        "ZPZEbpBDhdRhJaFgfQ7zNQ==",
        "selection": r"LICENSE|dist/reveal\.(js|css)|plugin/notes/notes\.js",
    },
    *(
        {
            "name": name,
            "version": version,
            "licence": "ISC",
            "source": f"https://registry.npmjs.org/{name}/-/{name}-{version}.tgz",
            "integrity": integrity,
            "selection": rf"LICENSE|dist/{name}\.min\.js",
        }
        for name, (version, integrity) in D3.items()
    ),
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
                    path = folder / re.sub(r"^(es5|dist/umd|dist)/|\.txt$", "", inside)
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
