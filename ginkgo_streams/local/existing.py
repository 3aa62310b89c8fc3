"""Which servers of the settings are there already, so that the local stack need not start them."""

from __future__ import annotations

import msgspec
import sqlalchemy

from ginkgo_streams.config import Settings, load_settings
from ginkgo_streams.local import ports
from ginkgo_streams.local.errors import LocalError
from ginkgo_streams.local.home import local_folder
from ginkgo_streams.local.kafka import answers_metadata
from ginkgo_streams.local.plan import Plan
from ginkgo_streams.local.state import remove_stale_state

_HERE = ("localhost", ports.HOST, "::1")


def existing_servers(plan: Plan) -> Plan:
    """The plan with the addresses that the settings name and that answer.

    A named address of this machine where nothing listens is where our own server is started (but MySQL: its password
    is the settings' own). Raises ConfigErrors, and LocalError where a named server of another machine does not answer.
    """
    remove_stale_state(local_folder())
    settings = load_settings()
    return _database(settings, _redis(settings, _kafka(settings, plan)))


def _kafka(settings: Settings, plan: Plan) -> Plan:
    if "kafka" not in settings.model_fields_set or "bootstrap_servers" not in settings.kafka.model_fields_set:
        return plan
    bootstrap = settings.kafka.bootstrap
    if answers_metadata(bootstrap):
        return msgspec.structs.replace(plan, kafka=bootstrap)
    host, _, port = bootstrap.rpartition(":")
    if host in _HERE:
        return msgspec.structs.replace(plan, kafka_port=plan.kafka_port or int(port))
    raise LocalError(f"no Kafka broker answers at {bootstrap}; start it, or take kafka.bootstrap_servers out of the settings")


def _redis(settings: Settings, plan: Plan) -> Plan:
    if settings.redis is None:
        return plan
    host, port = settings.redis.host, settings.redis.port
    if ports.answers(host, port, 3):
        return msgspec.structs.replace(plan, redis=f"{host}:{port}")
    if host in _HERE and not settings.redis.password.get_secret_value():
        return msgspec.structs.replace(plan, redis_port=plan.redis_port or port)
    raise LocalError(f"no Redis answers at {host}:{port}; start it, or take the section redis out of the settings for a local one")


def _database(settings: Settings, plan: Plan) -> Plan:
    if settings.database is None and settings.mysql is None:
        return plan
    url = sqlalchemy.make_url(settings.database_url)
    if url.drivername == "sqlite" or ports.answers(url.host or "", url.port or 3306, 3):
        return msgspec.structs.replace(plan, database_url=settings.database_url)
    place = f"{url.host}:{url.port or 3306}"
    raise LocalError(f"no database answers at {place}; start it, or take the section mysql or database out of the settings for a local one")
