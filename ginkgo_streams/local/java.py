"""The Java that runs the broker."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from ginkgo_streams.local.errors import JavaTooOld, LocalError, ProgramMissing

NEEDED = 17  # Kafka 4.0 and newer brokers (release notes of 2025-03-18)


def find_java() -> str:
    """The path of a Java that can run Kafka: JAVA_HOME's, else the PATH's. Raises ProgramMissing or JavaTooOld."""
    at_home = Path(os.environ.get("JAVA_HOME", ""), "bin", "java")
    java = str(at_home) if os.environ.get("JAVA_HOME") and at_home.exists() else shutil.which("java")
    if java is None:
        raise ProgramMissing("java", f"install a JRE {NEEDED} or newer (apt-get install default-jre-headless, brew install openjdk)")
    found = java_version(java)
    if found < NEEDED:
        raise JavaTooOld(java, found, NEEDED)
    return java


def java_version(java: str) -> int:
    """The feature release of a Java: 8, 17, 25. Raises LocalError where it does not tell."""
    done = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    match = re.search(r'version "(?:1\.)?(\d+)', done.stderr + done.stdout)
    if match is None:
        raise LocalError(f"{java} -version ended with status {done.returncode} and named no version; reinstall Java or set JAVA_HOME")
    return int(match[1])
