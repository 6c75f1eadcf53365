"""The version, and those of other packages. Everything may import this."""

import importlib.metadata

__version__ = "0.1.0"


def package_versions(*packages: str) -> dict[str, str]:
    """Return the version of each installed package; a package that is not installed is left out.

    >>> package_versions("no-such-package")
    {}
    """
    versions = {}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
