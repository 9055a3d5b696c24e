"""Time of the network of pyiqa's `topiq_nr-face` for one picture, in ms; printed as JSON.

Run by `speed.py` with a Python that has pyiqa, in a virtual environment of its own:

    python -m venv pyiqa && pyiqa/bin/pip install pyiqa

The network (CFANet on ResNet-50) has random weights, so nothing is downloaded: weights do not
change its cost. It gets one 512 x 512 picture in memory, the size to which `topiq_nr-face` resizes
every picture. The face detection and alignment that the metric does first are left out.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from importlib.metadata import version

import torch
from pyiqa.archs.topiq_arch import CFANet


def main(threads: int, runs: int) -> None:
    torch.set_num_threads(threads)
    network = CFANet(
        semantic_model_name="resnet50",
        model_name="random",  # a name with "gfiqa" in it would fetch the face detector
        backbone_pretrain=False,
        pretrained=False,
        use_ref=False,
        test_img_size=512,
    ).eval()
    picture = torch.rand(1, 3, 512, 512, generator=torch.Generator().manual_seed(0))
    wall, cpu = [], []
    with torch.inference_mode():
        for _ in range(runs + 2):
            start, start_cpu = time.perf_counter(), time.process_time()
            network(picture)
            wall.append(1000 * (time.perf_counter() - start))
            cpu.append(1000 * (time.process_time() - start_cpu))
    told = {
        "wall_ms": statistics.median(wall[2:]),
        "cpu_ms": statistics.median(cpu[2:]),
        "pyiqa": version("pyiqa"),
        "torch": torch.__version__,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(threads=int(sys.argv[1]), runs=int(sys.argv[2]))
