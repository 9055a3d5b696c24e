"""A scorer's network on onnxruntime: opened lazily, once a process, and verified first."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from facegauge.errors import ScorerError, UsageError
from facegauge.faces.landmarks import LANDMARK_SIZE
from facegauge.faces.spec import PreprocessSpec

if TYPE_CHECKING:
    import onnxruntime

SPEC_KEY = "facegauge.spec"
INPUT, OUTPUT = "image", "score"
LANDMARKS = "landmarks"  # a second input, of networks that a face's five points guide
HEAT_MAP = "heat_map"  # a second output, which `facegauge export` writes beside the score
MAPS = (HEAT_MAP, "quality", "confidence")  # the last two of DSL-FIQA alone


class Model:
    """The network of a scorer folder.

    Can be shared by threads, pickled, and used after a fork: onnxruntime's threads do not survive
    a fork, so every process opens a session of its own on first use.

    Args:
        folder: with a verified `model.onnx`.
        threads: of onnxruntime for one batch.
    """

    def __init__(self, folder: Path, threads: int = 1) -> None:
        self.folder = folder
        self.threads = threads
        self._sessions: dict[int, onnxruntime.InferenceSession] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_sessions": {}}

    @property
    def spec(self) -> PreprocessSpec:
        """How a picture becomes this network's input; stored in the ONNX metadata.

        Raises:
            ScorerError: damaged or not a facegauge model.
        """
        metadata = self._session().get_modelmeta().custom_metadata_map
        if SPEC_KEY not in metadata:
            raise ScorerError(f"{self.folder}: the model's metadata has no {SPEC_KEY}")
        try:
            return PreprocessSpec.from_json(metadata[SPEC_KEY])
        except (ValueError, TypeError, AttributeError) as error:
            raise ScorerError(f"{self.folder}: {SPEC_KEY} cannot be read: {error}") from error

    @property
    def uses_landmarks(self) -> bool:
        """Whether the network takes each face's five points as a second input."""
        return LANDMARKS in [value.name for value in self._session().get_inputs()]

    def __call__(
        self, images: npt.NDArray[np.float32], landmarks: npt.NDArray[np.float32] | None = None
    ) -> npt.NDArray[np.float64]:
        """Scores of a batch: (N, 3, H, W) normalised float32 to (N,), as the network gives them.

        Args:
            landmarks: (N, 10), see `landmark_vector`, for a network that uses landmarks; None:
                zeros, which mean that they are unknown.

        Raises:
            ScorerError: the network cannot be opened or does not take such a batch.
        """
        try:
            (scores,) = self._session().run([OUTPUT], self._fed(images, landmarks))
        except ScorerError:
            raise
        except Exception as error:
            shape = " x ".join(map(str, images.shape))
            raise ScorerError(f"{self.folder}: failed on a batch of {shape}: {error}") from error
        if scores.shape != (len(images),):
            raise ScorerError(
                f"{self.folder}: expected {len(images)} scores, got shape {scores.shape}"
            )
        return np.asarray(scores, np.float64)

    def maps(
        self, image: npt.NDArray[np.float32], landmarks: npt.NDArray[np.float32] | None = None
    ) -> dict[str, npt.NDArray[np.float32]]:
        """The maps (h, w) of one input, (1, 3, H, W), by name; `heat_map` has the score as mean.

        Raises:
            UsageError: the model has none.
            ScorerError: the network cannot be opened.
        """
        session = self._session()
        there = [output.name for output in session.get_outputs()]
        if HEAT_MAP not in there:
            raise UsageError(
                f"the scorer in {self.folder} has no heat map: its model.onnx was written without "
                f"the output {HEAT_MAP!r}; export its run folder anew with `facegauge export`"
            )
        names = [name for name in MAPS if name in there]
        found = session.run(names, self._fed(image, landmarks))
        return {name: maps[0] for name, maps in zip(names, found, strict=True)}

    def _fed(
        self, images: npt.NDArray[np.float32], landmarks: npt.NDArray[np.float32] | None
    ) -> dict[str, npt.NDArray[np.float32]]:
        """The network's inputs by name."""
        if not self.uses_landmarks:
            return {INPUT: images}
        if landmarks is None:
            landmarks = np.zeros((len(images), LANDMARK_SIZE), np.float32)
        return {INPUT: images, LANDMARKS: landmarks}

    def _session(self) -> onnxruntime.InferenceSession:
        # Threads may meet here and open two sessions; setdefault keeps one. A lock would not
        # survive a fork that happens while another thread holds it.
        process = os.getpid()
        return self._sessions.get(process) or self._sessions.setdefault(process, self._open())

    def _open(self) -> onnxruntime.InferenceSession:
        import onnxruntime

        from facegauge.zoo import load_model

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.log_severity_level = 3  # errors only
        options.enable_mem_pattern = False  # batches differ in size
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        model = load_model(self.folder)
        try:
            session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise ScorerError(f"onnxruntime cannot open {self.folder}: {error}") from error
        inputs = [value.name for value in session.get_inputs()]
        outputs = [value.name for value in session.get_outputs()]
        if inputs not in ([INPUT], [INPUT, LANDMARKS]) or OUTPUT not in outputs:
            raise ScorerError(
                f"{self.folder}: expected a model with the input '{INPUT}', '{LANDMARKS}' beside "
                f"it if need be, and the output '{OUTPUT}', got {inputs} and {outputs}"
            )
        return session
