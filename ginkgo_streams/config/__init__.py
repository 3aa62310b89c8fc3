"""Settings: read from options, environment and files, validated whole, every error listed at once."""

from ginkgo_streams.config.errors import ConfigErrors, Problem
from ginkgo_streams.config.load import Role, load_settings
from ginkgo_streams.config.schema import Settings

__all__ = ["ConfigErrors", "Problem", "Role", "Settings", "load_settings"]
