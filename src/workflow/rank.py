"""Which of the processes of a training this one is."""

from dataclasses import dataclass

from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment


@dataclass(eq=False)
class Rank(ClusterEnvironment):
    """Tells Lightning which of the processes of a training this one is, and where they meet.

    Parameters
    ----------
    rank : from 0. world : number of ranks. port : at which rank zero listens, a free one.
    local : rank among those of this machine. node : number of this machine.
    main_address : where rank zero is.
    """

    rank: int
    world: int
    port: int
    local: int
    node: int = 0
    main_address: str = "127.0.0.1"

    creates_processes_externally = True

    @property
    def main_port(self) -> int:
        """Port at which the ranks meet."""
        return self.port

    @staticmethod
    def detect() -> bool:
        """Say that this is never found by itself."""
        return False

    def world_size(self) -> int:
        """Return the number of ranks."""
        return self.world

    def set_world_size(self, size: int) -> None:
        """Keep the number of ranks: it is known from the start."""

    def global_rank(self) -> int:
        """Return the rank."""
        return self.rank

    def set_global_rank(self, rank: int) -> None:
        """Keep the rank: it is known from the start."""

    def local_rank(self) -> int:
        """Return the rank on this machine."""
        return self.local

    def node_rank(self) -> int:
        """Return the machine's."""
        return self.node
