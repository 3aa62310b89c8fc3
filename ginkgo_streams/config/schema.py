"""Every setting there is: name, type, unit, default. Unknown names are errors."""

from __future__ import annotations

import math
import socket
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import AfterValidator, AnyHttpUrl, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from ginkgo_streams.local.home import home
from ginkgo_streams.topics import ALERTS, CONTROL, EVENTS, FEEDBACK, MARKET_DATA, MARKET_PARTITIONS, SCHEDULE, SLOTS, SUBMISSION

PUBLIC_TOPICS = (MARKET_DATA, SUBMISSION, FEEDBACK, CONTROL, SCHEDULE, EVENTS, ALERTS)


def _split(value: Any) -> Any:
    """A comma-separated string as a list; anything else as it is."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _address(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not (colon and host and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError("expected HOST:PORT, e.g. localhost:9092")
    return value


def _database_url(value: SecretStr) -> SecretStr:
    scheme = value.get_secret_value().partition("://")[0]
    if scheme not in ("mysql+pymysql", "sqlite"):
        raise ValueError("expected mysql+pymysql://USER:PASSWORD@HOST:PORT/DATABASE or sqlite:////absolute/path.db")
    return value


def _topic(value: str) -> str:
    if value not in PUBLIC_TOPICS:
        raise ValueError(f"unknown topic, expected one of {', '.join(PUBLIC_TOPICS)}")
    return value


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("expected a finite number")
    return value


Host = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\s/:]+$|^[0-9a-fA-F:]+$")]
Port = Annotated[int, Field(ge=1, le=65535)]
Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Code = Annotated[str, Field(pattern=r"^\d{6}\.(SZ|SH|BJ)$")]
Price = Annotated[Decimal, Field(ge=Decimal("0.01"), le=1_000_000, decimal_places=4)]
Rate = Annotated[Decimal, Field(ge=0, le=Decimal("0.1"))]
Addresses = Annotated[list[Annotated[str, AfterValidator(_address)]], NoDecode, BeforeValidator(_split), Field(min_length=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class NodeSettings(_Section):
    """This process. `id` is unique among the processes of a cluster; `max_portfolios`: how many it takes."""

    id: Name = Field(default_factory=lambda: f"execution_node_{hostname()}")
    max_portfolios: int = Field(default=1_000, ge=1)


class TopicSettings(_Section):
    """What may be chosen of a topic; None leaves it at its default."""

    partitions: int | None = Field(default=None, ge=1, le=10_000)
    replication_factor: int | None = Field(default=None, ge=1, le=9)


class KafkaSettings(_Section):
    """The message bus. Times in seconds.

    slots: portfolio partitions, set once per cluster. session_timeout: how long a dead node keeps its slots; standbys: warm copies
    of each slot on other nodes; connect_timeout: how long a start waits for a broker. group_id, auto_offset_reset, enable_auto_commit:
    stated for clarity, no other value works.
    """

    bootstrap_servers: Addresses = ["localhost:9092"]
    group_id: Literal["execution_node_group"] = "execution_node_group"
    auto_offset_reset: Literal["earliest"] = "earliest"
    enable_auto_commit: Literal[False] = False
    slots: int = Field(default=SLOTS, ge=1, le=1_024)
    market_partitions: int = Field(default=MARKET_PARTITIONS, ge=1, le=1_000)
    session_timeout: float = Field(default=3.0, ge=1, le=300)
    heartbeat: float = Field(default=0.1, gt=0)
    standbys: int = Field(default=1, ge=0, le=9)
    connect_timeout: float = Field(default=60.0, ge=0, le=3_600)
    topics: dict[Annotated[str, AfterValidator(_topic)], TopicSettings] = {}

    @model_validator(mode="after")
    def _consistent(self) -> KafkaSettings:
        for name, chosen in self.topics.items():
            if chosen.partitions is not None and name != MARKET_DATA:
                raise ValueError(
                    f"topics.{name}.partitions: only those of {MARKET_DATA} can be chosen, the others follow kafka.slots or are fixed"
                )
        if self.heartbeat * 2 > self.session_timeout:
            raise ValueError(f"heartbeat {self.heartbeat} s: expected at most half of session_timeout ({self.session_timeout} s)")
        return self

    @property
    def bootstrap(self) -> str:
        """The addresses as aiokafka takes them: "host:port,host:port"."""
        return ",".join(self.bootstrap_servers)

    @property
    def replicas(self) -> dict[str, int]:
        """Replication factor of the topics for which one is chosen."""
        return {name: chosen.replication_factor for name, chosen in self.topics.items() if chosen.replication_factor}

    @property
    def market_data_partitions(self) -> int:
        """Partitions of the market data topic: that of `topics`, else market_partitions."""
        chosen = self.topics.get(MARKET_DATA)
        return (chosen and chosen.partitions) or self.market_partitions


class WebSettings(_Section):
    """A node's web views: read-only, without credentials, so bound to this machine unless told otherwise.

    port: None takes 6066, or any free one where that is taken. advertise: where other nodes reach it; None: the host, or this machine's
    name where the host stands for all addresses (0.0.0.0, ::).
    """

    enabled: bool = True
    host: Host = "127.0.0.1"
    port: Port | None = None
    advertise: Host | None = None


class MysqlSettings(_Section):
    """MySQL or MariaDB. The password has no default."""

    host: Host = "localhost"
    port: Port = 3306
    user: str = Field(default="ginkgo", min_length=1)
    password: SecretStr
    database: str = Field(default="ginkgo", pattern=r"^[A-Za-z0-9_$-]{1,64}$")


class DatabaseSettings(_Section):
    """The database by SQLAlchemy URL; goes before the section mysql."""

    url: Annotated[SecretStr, AfterValidator(_database_url)]


class ClickhouseSettings(_Section):
    """ClickHouse, its HTTP port."""

    host: Host = "localhost"
    port: Port = 8123
    user: str = "default"
    password: SecretStr = SecretStr("")
    database: str = Field(default="ginkgo", min_length=1)


class RedisSettings(_Section):
    """Redis or Valkey, for the views."""

    host: Host = "localhost"
    port: Port = 6379
    db: int = Field(default=0, ge=0, le=15)
    password: SecretStr = SecretStr("")


class MongodbSettings(_Section):
    """MongoDB."""

    host: Host = "localhost"
    port: Port = 27017
    user: str = ""
    password: SecretStr = SecretStr("")
    database: str = Field(default="ginkgo", min_length=1)


class TushareSource(_Section):
    """Tushare Pro, a data service for the Chinese markets."""

    token: SecretStr
    pro_api: AnyHttpUrl = AnyHttpUrl("https://api.tushare.pro")


class SimulationSource(_Section):
    """Simulated prices. initial_prices: code to CNY, the previous close of the first day."""

    initial_prices: dict[Code, Price] = {}


class Sources(_Section):
    """data_sources.yml."""

    tushare: TushareSource | None = None
    simulation: SimulationSource = SimulationSource()


class SimulationBroker(_Section):
    """The simulated exchange. Rates are shares of the traded amount; participation: of the volume traded since the last update.

    For tests: ack_delay_ms, event time until an order is acknowledged; reject_rate, share of the orders that is rejected;
    disconnect_rate, share of the reports at which the line fails: they come 10 s of event time later.
    """

    type: Literal["simulation"]
    commission_rate: Rate = Decimal("0.0003")
    min_commission: Annotated[Decimal, Field(ge=0, le=1_000, decimal_places=4)] = Decimal(5)
    slippage_rate: Rate = Decimal("0.001")
    participation: float = Field(default=0.1, gt=0, le=1)
    ack_delay_ms: int = Field(default=0, ge=0, le=60_000)
    reject_rate: float = Field(default=0.0, ge=0, le=1)
    disconnect_rate: float = Field(default=0.0, ge=0, le=1)
    seed: int = Field(default=1, ge=0)


class RealBroker(_Section):
    """A real broker's account."""

    type: Literal["real"]
    broker_name: str = Field(min_length=1)
    api_key: SecretStr
    api_secret: SecretStr
    password: SecretStr


Broker = Annotated[SimulationBroker | RealBroker, Field(discriminator="type")]


class LivecoreSettings(_Section):
    """What livecore runs: a feed ("none": prices come from other producers on the market data topic) and a broker.

    file: bars to replay (CSV, Parquet, folders). speed: event seconds per wall second, 0 as fast as it goes (replay); updates of each
    code per wall second (simulation). codes: the codes to feed, empty for all that the source has. broker_type: a name in brokers.yml.
    """

    data_source: Literal["simulation", "replay", "tushare", "none"] = "simulation"
    broker_type: str = "simulation"
    file: Annotated[list[Path], NoDecode, BeforeValidator(_split)] = []
    speed: Annotated[float, Field(ge=0), AfterValidator(_finite)] | None = None
    seed: int = Field(default=1, ge=0)
    codes: Annotated[list[Code], NoDecode, BeforeValidator(_split)] = []


class Settings(BaseSettings):
    """All settings of a process. Made by `load_settings`; constructed directly it reads no file and no environment."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="GINKGO_", env_nested_delimiter="__", hide_input_in_errors=True
    )

    node: NodeSettings = Field(default_factory=lambda: NodeSettings())
    kafka: KafkaSettings = Field(default_factory=lambda: KafkaSettings())
    web: WebSettings = Field(default_factory=lambda: WebSettings())
    database: DatabaseSettings | None = None
    mysql: MysqlSettings | None = None
    clickhouse: ClickhouseSettings | None = None
    redis: RedisSettings | None = None
    mongodb: MongodbSettings | None = None
    sources: Sources = Field(default_factory=Sources)
    brokers: dict[Name, Broker] = {}
    livecore: LivecoreSettings = Field(default_factory=lambda: LivecoreSettings())
    datadir: Path = Field(default_factory=lambda data: home() / "data" / data["node"].id)
    """The process's RocksDB tables: a folder of its own."""

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *others: PydanticBaseSettingsSource, **named: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is passed: `load_settings` reads the sources, so that it can say where a wrong value stands."""
        return (init_settings,)

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL, with its password: database.url, else that of mysql, else the SQLite file of the home folder."""
        if self.database is not None:
            return self.database.url.get_secret_value()
        if self.mysql is not None:
            my = self.mysql
            account = f"{quote(my.user, safe='')}:{quote(my.password.get_secret_value(), safe='')}"
            return f"mysql+pymysql://{account}@{_host(my.host)}:{my.port}/{my.database}"
        return f"sqlite:///{home() / 'local' / 'ginkgo.db'}"

    @property
    def all_brokers(self) -> Mapping[str, SimulationBroker | RealBroker]:
        """brokers.yml, and "simulation" with its defaults where the file does not have it."""
        return {"simulation": SimulationBroker(type="simulation"), **self.brokers}


def hostname() -> str:
    """This machine's name, fit for a node id."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in socket.gethostname()).strip("._-")
    return kept[:48] or "local"


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
