"""Times the networks of pyiqa's `topiq_nr-face`, on one thread: a pass for each line on stdin.

Run by `speed.py` with a Python that has pyiqa, in a virtual environment of its own:

    python -m venv pyiqa && pyiqa/bin/pip install pyiqa

The line `network` is answered by the CPU time of one pass in ms, as JSON, and so is the path of a
picture: by that of the detector. The line `versions` is answered by those of pyiqa and torch. All
weights are random, so nothing is downloaded: weights do not change the cost. The network (CFANet on
ResNet-50) gets one 512 x 512 picture in memory, the size to which `topiq_nr-face` resizes every
face; the detector (RetinaFace on ResNet-50) a picture at its own size. Decoding, the merging of the
detector's candidates and the alignment, which the metric does too, are left out.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version

import numpy as np
import torch
from facexlib.detection.retinaface import RetinaFace
from PIL import Image
from pyiqa.archs.topiq_arch import CFANet


def main() -> None:
    torch.set_num_threads(1)
    network = CFANet(
        semantic_model_name="resnet50",
        model_name="random",  # a name with "gfiqa" in it would fetch the face detector
        backbone_pretrain=False,
        pretrained=False,
        use_ref=False,
        test_img_size=512,
    ).eval()
    detector = RetinaFace(network_name="resnet50", device="cpu").eval()
    face = torch.rand(1, 3, 512, 512, generator=torch.Generator().manual_seed(0))
    for line in sys.stdin:
        what = line.strip()
        if what == "versions":
            answer: object = {name: version(name) for name in ("pyiqa", "torch")}
        elif what == "network":
            answer = timed(network, face)
        else:
            answer = timed(detector, opened(what))
        print(json.dumps(answer), flush=True)


def opened(path: str) -> torch.Tensor:
    picture = np.asarray(Image.open(path).convert("RGB"), np.float32)
    return torch.from_numpy(picture.transpose(2, 0, 1).copy())[None]


def timed(module: torch.nn.Module, given: torch.Tensor) -> float:
    with torch.inference_mode():
        start = time.process_time()
        module(given)
        return 1000 * (time.process_time() - start)


if __name__ == "__main__":
    main()
