"""Settings -> process."""

from pinxit.diffusion.config import FlowConfig, ProcessConfig
from pinxit.diffusion.flow import Flow
from pinxit.diffusion.iddpm import IDDPM


def make_process(config: ProcessConfig) -> Flow | IDDPM:
    """The process that the settings name."""
    return Flow(config) if isinstance(config, FlowConfig) else IDDPM(config)
