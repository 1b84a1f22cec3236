"""The modules of examples/stack are found as its own programs find them: by their folders."""

import sys
from pathlib import Path

STACK = Path(__file__).resolve().parents[3] / "examples" / "stack"
sys.path += [str(STACK), str(STACK / "app")]
