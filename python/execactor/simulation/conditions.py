"""What the acts of a plan can wait for: how things stand at the venue, and with the engine."""

from execactor.domain.account import EngineState
from execactor.engine import Engine
from execactor.simulation.plan import Condition
from execactor.simulation.stage import Stage

_PROTECTED = frozenset({"sl", "tp1", "tp2"})


def holds(stage: Stage, engine: Engine, symbol: str, what: Condition) -> bool:
    """Whether it is so now."""
    held = symbol in stage.venue.exchange.account.held
    match what:
        case "entry rests":
            return not held and "entry" in _standing(stage, symbol)
        case "part filled":
            return held and "entry" in _standing(stage, symbol)
        case "held":
            return held
        case "protected":
            standing = _standing(stage, symbol)
            return held and standing >= _PROTECTED and "entry" not in standing
        case "tightened":
            return held and "slt" in _standing(stage, symbol)
        case "flat":
            return not held and not _standing(stage, symbol)
        case "market still":
            return not stage.venue.markets[symbol].restless
        case "engine running":
            return engine.state is EngineState.RUNNING


def _standing(stage: Stage, symbol: str) -> set[str]:
    """Roles of our orders that stand at the venue, of both kinds; "" for orders that bear no name of ours."""
    exchange = stage.venue.exchange
    orders = [order.client_id for order in exchange.orders.open(symbol)]
    algos = [algo.client_id for algo in exchange.conditional.algos.open(symbol)]
    return {_role(client_id) for client_id in (*orders, *algos)}


def _role(client_id: str) -> str:
    prefix, _, rest = client_id.partition("_")
    return rest.partition("_")[0] if prefix == "capi" else ""
