"""What a cluster is expected to take, on paper: the model that --dry-run prints and the map's section explains.

S is the time that one worker would take for all the work, as fast as it is beside the others. W workers take, for
stacks in n rounds of the widest,

    start + rows / network + S n (share of the widest) + states / network

and for P points summed over rows, each of D K numbers of 8 bytes,

    start + rows / network + S / W + readings (latency + levels (points out + sums back) / network).

and for features of images, whose blocks move while others are worked on,

    the larger of S / W and (images + features) / network.

The rest of a run (reading, scoring, pictures) is the client's, as without a cluster.
"""

import math
from dataclasses import dataclass

NETWORK = 1e9  # bytes a second into a machine: 10 Gbit/s Ethernet, and what distributed moves over loopback
LATENCY = 0.02  # seconds from handing out a sum to having it, measured beside the work itself
STARTING = 1.0  # seconds until processes of this machine are there: 0.7 for two
FAN_IN = 8  # results that one worker adds up, and the client at last


@dataclass(frozen=True)
class Machines:
    """workers: how many. local: whether they are processes that this machine starts, and that read its disk."""

    workers: int
    local: bool = True
    network: float = NETWORK

    @property
    def start(self) -> float:
        """Seconds until there are workers."""
        return STARTING if self.local else 0.0


def of_stacks(machines: Machines, serial: float, widths: list[int], rows: int, states: int) -> float:
    """Seconds for stacks of those widths. serial: S. rows: bytes for each worker. states: bytes that come back."""
    rounds = math.ceil(len(widths) / machines.workers)
    training = serial * rounds * max(widths) / sum(widths)
    return machines.start + (rows + states) / machines.network + training


def of_blocks(machines: Machines, serial: float, out: int, back: int) -> float:
    """Seconds for work on blocks of rows. out, back: bytes of all blocks, and of what is made of them."""
    return max(serial / machines.workers, (out + back) / machines.network)


def of_sums(machines: Machines, serial: float, readings: float, rows: int, numbers: int) -> float:
    """Seconds for so many readings of all rows. rows: bytes of all, 0 where workers read them from shards themselves.
    numbers: of a point of all models side by side.

    Rows go out of the client once. Points go to each worker from one that has them; sums come back in levels of FAN_IN.
    """
    workers = machines.workers
    levels = max(1, math.ceil(math.log(max(workers, 2), FAN_IN)))
    out = min(workers, FAN_IN) * 8 * numbers
    back = levels * min(workers, FAN_IN) * 8 * numbers
    each = LATENCY + (out + back) / machines.network
    return machines.start + rows / machines.network + serial / workers + readings * each
