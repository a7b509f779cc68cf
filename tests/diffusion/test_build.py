"""Settings make the process that they name."""

from pinxit.diffusion.build import make_process
from pinxit.diffusion.config import FlowConfig, IDDPMConfig
from pinxit.diffusion.flow import Flow
from pinxit.diffusion.iddpm import IDDPM
from pinxit.diffusion.process import Process


def test_each_kind_of_settings_has_its_process() -> None:
    flow, discrete = make_process(FlowConfig(shift=2.0)), make_process(IDDPMConfig(steps=50))
    assert isinstance(flow, Flow) and isinstance(discrete, IDDPM)
    assert isinstance(flow, Process) and isinstance(discrete, Process)
    assert flow.config.shift == 2.0 and len(discrete.bars) == 50
