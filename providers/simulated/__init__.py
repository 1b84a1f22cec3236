"""A cloud in memory: machines that do no work, on whatever clock it is given, with faults by choice or by dice."""

from providers.simulated.cloud import Fault, Habits, Machine, SimulatedCloud
from providers.simulated.provider import SimulatedProvider, open_simulated

__all__ = ["Fault", "Habits", "Machine", "SimulatedCloud", "SimulatedProvider", "open_simulated"]
