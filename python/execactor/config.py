"""The configuration: one TOML file, checked whole before anything starts; secrets come from the environment."""

import os
import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import msgspec
from dotenv import dotenv_values

from execactor.domain.errors import ConfigurationError
from execactor.domain.ids import valid_prefix
from execactor.risk.limits import Limits
from execactor.tactics.trade import MS, SECOND, TradePolicy

API_KEY = "EXECACTOR_API_KEY"
API_SECRET = "EXECACTOR_API_SECRET"  # noqa: S105  the name of a variable, not a secret


class Mode(StrEnum):
    """Where orders go. paper and live are refused until they exist."""

    PAPER = "paper"
    SIM = "sim"
    TESTNET = "testnet"
    LIVE = "live"


class VenueConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[venue]: which venue and how the account is to be set there.

    rest_url, ws_url: only in mode sim, on loopback. leverage and margin_type are set at the venue at every start.
    order_path: ws sends orders over the WebSocket API (REST while it is down), rest always over REST.
    """

    name: Literal["binance_usdm"] = "binance_usdm"
    rest_url: str = "http://127.0.0.1:8181"
    ws_url: str = "ws://127.0.0.1:8181"
    leverage: int = 3
    margin_type: Literal["ISOLATED", "CROSSED"] = "ISOLATED"
    order_path: Literal["ws", "rest"] = "ws"
    recv_window_ms: int = 2_000
    answer_timeout_ms: int = 1_000


class DecisionsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[decisions]: a decision.json or a directory of them. Empty path: decisions come over the API only."""

    path: str = ""
    poll_ms: int = 250
    max_age_s: int = 600


class RiskConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[risk]: limits; money in quote units, fractions of 1. See execactor.risk.limits."""

    max_order_notional: Decimal = Decimal(10_000)
    max_symbol_exposure: Decimal = Decimal(50_000)
    max_positions: int = 10
    daily_loss_fraction: Decimal = Decimal("0.02")
    drawdown_fraction: Decimal = Decimal("0.10")
    risk_per_trade_fraction: Decimal | None = None
    max_leverage: Decimal = Decimal(5)


class ProtectionConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[protection]: deadlines and shares of the stop and target rules."""

    stop_deadline_ms: int = 2_000
    verify_ms: int = 5_000
    fill_pause_ms: int = 250
    tp1_fraction: Decimal = Decimal("0.5")
    break_even_after_tp1: bool = True
    stop_required: bool = True
    orphan_stop_fraction: Decimal = Decimal("0.01")


class ReconcileConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[reconcile]: how often our view is compared with the venue's, besides after each surprise.

    position_poll_ms: between questions for the account's positions while anything of ours lives, so that a fill that no
    event told is noticed. order_poll_s: between looks at the open orders then, so that a stop that vanished is noticed.
    """

    interval_s: int = 300
    position_poll_ms: int = 1_000
    order_poll_s: int = 10


class LogConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[log]: JSON lines in a rotating file, readable lines on stdout."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    file: str = "logs/engine.log"
    max_bytes: int = 10 * 1024 * 1024
    backups: int = 5


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings. Relative paths are relative to the directory of the configuration file (`base`)."""

    mode: Mode = Mode.SIM
    symbols: tuple[str, ...]
    prefix: str = "capi"
    data_dir: str = "run"
    lock_dir: str = ""
    venue: VenueConfig = VenueConfig()
    decisions: DecisionsConfig = DecisionsConfig()
    risk: RiskConfig = RiskConfig()
    protection: ProtectionConfig = ProtectionConfig()
    reconcile: ReconcileConfig = ReconcileConfig()
    log: LogConfig = LogConfig()
    base: str = "."

    def path(self, value: str) -> Path:
        """A path of the configuration, made absolute."""
        return (Path(self.base) / value).resolve()

    @property
    def data_path(self) -> Path:
        """The directory of journal and control socket."""
        return self.path(self.data_dir)

    @property
    def control_socket(self) -> Path:
        """Where the engine listens for the command line."""
        return self.data_path / "control.sock"

    @property
    def lock_path(self) -> Path:
        """The directory of account locks, shared by all engines of this user."""
        if self.lock_dir:
            return self.path(self.lock_dir)
        state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
        return Path(state) / "execactor" / "locks"

    def limits(self) -> Limits:
        """For the risk room."""
        risk = msgspec.structs.asdict(self.risk)
        return Limits(**risk)

    def policy(self) -> TradePolicy:
        """For the tactics."""
        protection = self.protection
        return TradePolicy(
            stop_deadline_ns=protection.stop_deadline_ms * MS,
            verify_ns=protection.verify_ms * MS,
            fill_pause_ns=protection.fill_pause_ms * MS,
            tp1_fraction=protection.tp1_fraction,
            break_even_after_tp1=protection.break_even_after_tp1,
            stop_required=protection.stop_required,
        )

    @property
    def reconcile_interval_ns(self) -> int:
        """Nanoseconds between periodic comparisons."""
        return self.reconcile.interval_s * SECOND


class Credentials(msgspec.Struct, frozen=True):
    """Key and secret of the venue; shown nowhere."""

    api_key: str
    api_secret: str

    def __repr__(self) -> str:
        return "Credentials(api_key=…, api_secret=…)"


def load(path: Path) -> Config:
    """Read and check a configuration file; raises ConfigurationError naming the key, the value and the fix."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError("-c", str(path), f"the file cannot be read: {error.strerror}") from error
    try:
        raw = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError("-c", str(path), f"not valid TOML: {error}") from error
    return from_mapping(raw, base=path.resolve().parent)


def from_mapping(raw: Mapping[str, Any], *, base: Path | None = None) -> Config:
    """A configuration from a mapping shaped like the file; raises ConfigurationError."""
    if "base" in raw:
        raise ConfigurationError("base", raw["base"], "unknown key; paths are relative to the file's directory")
    try:
        config = msgspec.convert({**raw, "base": str(base or Path.cwd())}, Config)
    except msgspec.ValidationError as error:
        raise _explained(error, raw) from error
    _check(config)
    return config


def credentials(config: Config, environ: Mapping[str, str] | None = None) -> Credentials:
    """Key and secret from the environment, from files that NAME_FILE points to, or from `.env` beside the config."""
    given = dict(os.environ if environ is None else environ)
    dotenv = config.path(".env")
    if dotenv.exists():
        given = {**{k: v for k, v in dotenv_values(dotenv).items() if v is not None}, **given}
    values = []
    for name in (API_KEY, API_SECRET):
        value = given.get(name)
        if not value and given.get(f"{name}_FILE"):
            value = Path(given[f"{name}_FILE"]).read_text(encoding="utf-8").strip()
        if not value:
            raise ConfigurationError(
                name, "", f"not set; put it into the environment, {name}_FILE, or .env (mode 0600)"
            )
        values.append(value)
    return Credentials(*values)


_CHOICES = {
    "mode": tuple(str(mode) for mode in Mode),
    "venue.name": ("binance_usdm",),
    "venue.margin_type": ("ISOLATED", "CROSSED"),
    "venue.order_path": ("ws", "rest"),
    "log.level": ("DEBUG", "INFO", "WARNING", "ERROR"),
}


def _explained(error: msgspec.ValidationError, raw: Mapping[str, Any]) -> ConfigurationError:
    message = str(error)
    text, _, where = message.partition(" - at `$")
    key = where.rstrip("`").lstrip(".")
    unknown = re.search(r"unknown field `(\w+)`", text)
    missing = re.search(r"missing required field `(\w+)`", text)
    if unknown is not None:
        name = f"{key}.{unknown.group(1)}".lstrip(".")
        return ConfigurationError(name, _value(raw, name), "unknown key; remove it or correct its spelling")
    if missing is not None:
        name = f"{key}.{missing.group(1)}".lstrip(".")
        return ConfigurationError(name, None, "required; add it to the file")
    fix = f"{text[0].lower()}{text[1:]}"
    choices = _CHOICES.get(key)
    return ConfigurationError(key, str(_value(raw, key)), f"choose {', '.join(choices)}" if choices else fix)


def _value(raw: Any, key: str) -> Any:
    for part in key.split("."):
        name = part.partition("[")[0]
        if not isinstance(raw, Mapping) or name not in raw:
            return None
        raw = raw[name]
    return raw


def _check(config: Config) -> None:
    if config.mode is Mode.LIVE:
        raise ConfigurationError(
            "mode", "live", "live trading is refused until its safety gates exist; use testnet or sim"
        )
    if config.mode is Mode.PAPER:
        raise ConfigurationError(
            "mode", "paper", "paper trading does not exist yet; use sim with `execactor simulator`"
        )
    if not config.symbols:
        raise ConfigurationError("symbols", list(config.symbols), 'name at least one, e.g. ["BTCUSDT"]')
    strange = [name for name in config.symbols if not re.fullmatch(r"[A-Z0-9_]{2,32}", name)]
    if strange or len(set(config.symbols)) != len(config.symbols):
        raise ConfigurationError("symbols", list(config.symbols), "name each symbol once, in capitals, e.g. BTCUSDT")
    if not valid_prefix(config.prefix):
        raise ConfigurationError("prefix", config.prefix, "use 1 to 8 letters and digits")
    if config.mode is Mode.SIM:
        for name in ("rest_url", "ws_url"):
            url = getattr(config.venue, name)
            if not re.match(r"(http|ws)://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$", url):
                raise ConfigurationError(
                    f"venue.{name}", url, "mode sim trades on loopback only, e.g. http://127.0.0.1:8181"
                )
    _check_numbers(config)


def _check_numbers(config: Config) -> None:
    positive: dict[str, Decimal | int] = {
        "risk.max_order_notional": config.risk.max_order_notional,
        "risk.max_symbol_exposure": config.risk.max_symbol_exposure,
        "risk.max_positions": config.risk.max_positions,
        "risk.max_leverage": config.risk.max_leverage,
        "venue.leverage": config.venue.leverage,
        "venue.answer_timeout_ms": config.venue.answer_timeout_ms,
        "decisions.poll_ms": config.decisions.poll_ms,
        "decisions.max_age_s": config.decisions.max_age_s,
        "protection.stop_deadline_ms": config.protection.stop_deadline_ms,
        "protection.verify_ms": config.protection.verify_ms,
        "reconcile.interval_s": config.reconcile.interval_s,
        "reconcile.position_poll_ms": config.reconcile.position_poll_ms,
        "reconcile.order_poll_s": config.reconcile.order_poll_s,
        "log.max_bytes": config.log.max_bytes,
    }
    for key, value in positive.items():
        if not Decimal(value).is_finite() or value <= 0:
            raise ConfigurationError(key, str(value), "must be above 0")
    for key, number in (
        ("protection.fill_pause_ms", config.protection.fill_pause_ms),
        ("log.backups", config.log.backups),
    ):
        if number < 0:
            raise ConfigurationError(key, number, "must be 0 or more")
    fractions = {
        "risk.daily_loss_fraction": config.risk.daily_loss_fraction,
        "risk.drawdown_fraction": config.risk.drawdown_fraction,
        "risk.risk_per_trade_fraction": config.risk.risk_per_trade_fraction,
        "protection.tp1_fraction": config.protection.tp1_fraction,
        "protection.orphan_stop_fraction": config.protection.orphan_stop_fraction,
    }
    for key, fraction in fractions.items():
        if fraction is not None and (not fraction.is_finite() or not 0 < fraction < 1):
            raise ConfigurationError(key, str(fraction), "must be a fraction between 0 and 1, e.g. 0.02 for 2 %")
    if not 1 <= config.venue.recv_window_ms <= 2_000:
        raise ConfigurationError("venue.recv_window_ms", config.venue.recv_window_ms, "choose 1 to 2000")
    if config.venue.leverage > config.risk.max_leverage:
        raise ConfigurationError("venue.leverage", config.venue.leverage, "must not be above risk.max_leverage")
