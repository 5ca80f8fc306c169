import sys
from pathlib import Path

_UNIT = Path(__file__).resolve().parents[1] / "unit"
sys.path += [str(_UNIT / room) for room in ("domain", "tactics")]  # rule_makers, trading_desk, model_venue
